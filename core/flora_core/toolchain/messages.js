// What both tools say about an author's code, in the shape of `diagnostics.Diagnostic`. Lines and columns
// count from 1, columns in UTF-16 units as V8 and editors do. Everything is cut here, before it is sent:
// one line of a source can be a mebibyte long, and there can be a hundred thousand messages.
"use strict";

globalThis.messages = (() => {
  const MOST = 100;
  const TEXT = 2000;
  const WIDTH = 200;

  const cut = (text, limit) => plain(text.length > limit ? `${text.slice(0, limit - 1)}…` : text);

  // Sources can hold anything, terminals should not: one U+FFFD for each control character or half a pair.
  const plain = (text) => text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/g, "\ufffd").toWellFormed();

  // The part of `line` around the `length` units from `column` (from 0), and where they are in it.
  function excerpt(line, column, length) {
    let start = 0;
    let shown = line;
    if (line.length > WIDTH) {
      start = Math.max(0, Math.min(column - WIDTH / 2, line.length - WIDTH));
      shown = line.slice(start, start + WIDTH);
      if (start + WIDTH < line.length) shown += "…";
      if (start > 0) {
        shown = `…${shown}`;
        start--;
      }
    }
    const caret = Math.max(0, Math.min(column - start, shown.length));
    return {
      source_line: plain(shown),
      caret,
      length: Math.max(1, Math.min(length, shown.length - caret)),
    };
  }

  return { MOST, TEXT, cut, excerpt };
})();

// The words of a prefix command, split at white space as `\s` means it.

import { StringCharCodeAt, StringSlice, append } from "../prelude/primordials.ts";

/** The first word of `text` from `at` on, and the others. */
export function words(text: string, at: number): { name: string; rest: string[] } {
  let name: string | undefined;
  const rest: string[] = [];
  while (at < text.length) {
    while (at < text.length && isSpace(StringCharCodeAt(text, at))) at++;
    const from = at;
    while (at < text.length && !isSpace(StringCharCodeAt(text, at))) at++;
    if (at === from) break;
    const word = StringSlice(text, from, at);
    if (name === undefined) name = word;
    else append(rest, word);
  }
  return { name: name ?? "", rest };
}

function isSpace(code: number): boolean {
  if (code <= 32) return code === 32 || (code >= 9 && code <= 13);
  if (code < 0xa0) return false;
  return (
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000 ||
    code === 0xfeff
  );
}

// Looks up positions of bundles in their source maps. Evaluated after trace-mapping.js in an isolate of its
// own; it answers the same calls as a guild's isolate, so that the worker needs no second way to talk.
//
// `feed` takes `{"key": "...", "map": "<source map>" | null, "positions": [[line, column], ...]}`, lines and
// columns from 1 as V8 prints them, and returns `[[source, line, column, name] | null, ...]`, also from 1. A
// map is needed the first time that its key is seen; `null` in place of the list asks for it (again).
"use strict";

{
  const MOST_MAPS = 16;
  const MOST_TEXT = 16 << 20; // characters of all maps that are held; taken apart they are ten times that
  const MOST_POSITIONS = 1000;
  const NAME = 500;

  const { TraceMap, originalPositionFor } = traceMapping;
  const held = new Map(); // key -> { map, size }, the least recently used first
  let size = 0;

  function hold(key, text) {
    drop(key);
    let map = null;
    try {
      map = new TraceMap(text);
    } catch {
      // Not a source map: its positions stay unknown.
    }
    held.set(key, { map, size: text.length });
    size += text.length;
    for (const oldest of held.keys()) {
      if ((held.size <= MOST_MAPS && size <= MOST_TEXT) || oldest === key) break;
      drop(oldest);
    }
  }

  function drop(key) {
    const entry = held.get(key);
    if (entry === undefined) return;
    held.delete(key);
    size -= entry.size;
  }

  function find(map, [line, column]) {
    try {
      const found = originalPositionFor(map, { line, column: column - 1 });
      if (found.source === null) return null;
      return [short(found.source), found.line, found.column + 1, found.name === null ? null : short(found.name)];
    } catch {
      return null; // a damaged map, or a position that is none
    }
  }

  const short = (text) => text.slice(0, NAME).toWellFormed();

  function feed() {
    const { key, map, positions } = JSON.parse(this);
    if (typeof map === "string") hold(key, map);
    const entry = held.get(key);
    if (entry === undefined) return "null";
    held.delete(key);
    held.set(key, entry); // now the most recently used
    return JSON.stringify(positions.slice(0, MOST_POSITIONS).map((at) => find(entry.map, at)));
  }

  const nothing = () => "";
  globalThis.__floraHost = { feed, take: nothing, loaded: nothing, setNotify: nothing, configure: nothing };
}

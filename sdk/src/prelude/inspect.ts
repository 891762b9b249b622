// Values as text for the log, much as Node's util.inspect writes them. A log line holds 4 KiB, so this
// stops where nobody would read on: depth, items a list, and characters are limited.

import { TEXT_LIMIT } from "./errors.ts";
import {
  ArrayBufferByteLength,
  ArrayIsArray,
  BigIntToString,
  BooleanValue,
  DateGetTime,
  DateToISOString,
  ErrorIsError,
  FunctionToString,
  MapForEach,
  MapSize,
  NumberValue,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectIs,
  ObjectKeys,
  ReflectOwnKeys,
  RegExpExec,
  RegExpFlags,
  RegExpSource,
  SetForEach,
  SetSize,
  StringIndexOf,
  StringIntrinsic,
  StringSlice,
  StringValue,
  SymbolToString,
  TypedArrayLength,
  TypedArrayName,
  append,
  isObject,
} from "./primordials.ts";
import { isArrayBuffer } from "../web/bytes.ts";

const DEPTH = 4;
const ITEMS = 100;
const LINE = 76;
const STRING_LIMIT = 2048;

interface State {
  /** Objects we are inside of, to find cycles. */
  readonly above: { readonly value: object; readonly next: State["above"] } | undefined;
  readonly depth: number;
  readonly budget: { left: number };
}

/** `depth`: how many levels of objects are opened. */
export function inspect(value: unknown, depth = DEPTH): string {
  return show(value, { above: undefined, depth, budget: { left: 2 * TEXT_LIMIT } });
}

function show(value: unknown, state: State): string {
  const text = isObject(value) || typeof value === "function" ? tryObject(value, state) : showPrimitive(value);
  state.budget.left -= text.length;
  return text;
}

/** A proxy or a getter of the script may throw: that is no reason for console.log to. */
function tryObject(value: object, state: State): string {
  try {
    return showObject(value, state);
  } catch {
    return `[unreadable ${typeof value}]`;
  }
}

function showPrimitive(value: unknown): string {
  switch (typeof value) {
    case "string":
      return quote(value.length > STRING_LIMIT ? `${StringSlice(value, 0, STRING_LIMIT)}…` : value);
    case "number":
      return ObjectIs(value, -0) ? "-0" : `${value}`;
    case "bigint":
      return `${BigIntToString(value)}n`;
    case "symbol":
      return SymbolToString(value);
    default:
      return StringIntrinsic(value);
  }
}

/** In the quotes that need the fewest escapes. */
function quote(text: string): string {
  const mark = StringIndexOf(text, "'") === -1 ? "'" : StringIndexOf(text, '"') === -1 ? '"' : "`";
  let out = mark;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (c === "\n") out += "\\n";
    else if (c === "\r") out += "\\r";
    else if (c === "\t") out += "\\t";
    else out += c === "\\" || c === mark ? `\\${c}` : c;
  }
  return out + mark;
}

function showObject(value: object, state: State): string {
  for (let above = state.above; above !== undefined; above = above.next) {
    if (above.value === value) return "[Circular]";
  }
  const name = className(value);
  const brand = brandOf(value);
  if (brand?.whole) return brand.plain ? brand.text : withKeys(value, brand.text, state);
  if (state.depth < 0 || state.budget.left < 0) return ArrayIsArray(value) ? "[Array]" : `[${name || "Object"}]`;
  const inside: State = { above: { value, next: state.above }, depth: state.depth - 1, budget: state.budget };
  if (ArrayIsArray(value)) {
    const parts = items(value, value.length, inside);
    // Finding other keys means to list them all; `match` answers with short arrays that have some.
    if (value.length < ITEMS) properties(value, inside, parts);
    return list(name === "Array" ? "" : `${name}(${value.length}) `, "[", parts, "]");
  }
  if (brand !== undefined) return list(brand.text, brand.open, brand.parts(inside), brand.close);
  return list(name === "Object" ? "" : `${name || "[Object: null prototype]"} `, "{", properties(value, inside), "}");
}

/** Of the nearest class with a name; "" without any. */
function className(value: object): string {
  let prototype = ObjectGetPrototypeOf(value) as { constructor?: unknown } | null;
  for (; prototype !== null; prototype = ObjectGetPrototypeOf(prototype) as typeof prototype) {
    const name = nameOf(prototype.constructor);
    if (name !== "") return name;
  }
  return "";
}

interface Brand {
  /** Whether `text` is all there is to show but own properties. */
  whole: boolean;
  /** The own properties are the text once more. */
  plain?: boolean;
  text: string;
  open: string;
  close: string;
  parts(state: State): string[];
}

const nothing = (): string[] => [];

function whole(text: string): Brand {
  return { whole: true, text, open: "", close: "", parts: nothing };
}

/** How objects with insides are shown; undefined for plain ones. */
function brandOf(value: object): Brand | undefined {
  if (typeof value === "function") return whole(showFunction(value as () => void));
  if (ErrorIsError(value)) return whole(showError(value));
  const prototype = ObjectGetPrototypeOf(value) as object | null;
  // Most objects are plain ones: no need to try them for everything else.
  if (prototype === null || ObjectGetPrototypeOf(prototype) === null || ArrayIsArray(value)) return undefined;
  return tryBrands(value);
}

function tryBrands(value: object): Brand | undefined {
  const array = TypedArrayName(value);
  if (array !== undefined) {
    const length = TypedArrayLength(value);
    const parts = (state: State) => items(value as Uint8Array, length, state);
    return { whole: false, text: `${array}(${length}) `, open: "[", close: "]", parts };
  }
  if (isArrayBuffer(value)) return whole(`ArrayBuffer { byteLength: ${ArrayBufferByteLength(value)} }`);
  return (
    attempt(() => mapBrand(value as Map<unknown, unknown>)) ??
    attempt(() => setBrand(value as Set<unknown>)) ??
    attempt(() => {
      const time = DateGetTime(value as Date);
      return whole(time === time ? DateToISOString(value as Date) : "Invalid Date");
    }) ??
    attempt(() => whole(`[Boolean: ${BooleanValue(value)}]`)) ??
    attempt(() => whole(`[Number: ${NumberValue(value)}]`)) ??
    attempt(() => ({ ...whole(`[String: ${quote(StringValue(value))}]`), plain: true })) ??
    attempt(() => whole(`[BigInt: ${BigIntToString(value as unknown as bigint)}n]`)) ??
    attempt(() => whole(`[Symbol: ${SymbolToString(value as unknown as symbol)}]`)) ??
    attempt(() => whole(`/${RegExpSource(value)}/${RegExpFlags(value)}`)) ??
    promiseBrand(value)
  );
}

function attempt(brand: () => Brand): Brand | undefined {
  try {
    return brand();
  } catch {
    return undefined;
  }
}

function promiseBrand(value: object): Brand | undefined {
  const name = className(value);
  return name === "Promise" || name === "WeakMap" || name === "WeakSet" ? whole(`${name} {}`) : undefined;
}

function mapBrand(map: Map<unknown, unknown>): Brand {
  const size = MapSize(map);
  const parts = (state: State) => {
    const out: string[] = [];
    MapForEach(map, (value, key) => {
      if (hasRoom(out, state)) append(out, `${show(key, state)} => ${show(value, state)}`);
    });
    return more(out, size);
  };
  return { whole: false, text: sized(map, "Map", size), open: "{", close: "}", parts };
}

function setBrand(set: Set<unknown>): Brand {
  const size = SetSize(set);
  const parts = (state: State) => {
    const out: string[] = [];
    SetForEach(set, (value) => {
      if (hasRoom(out, state)) append(out, show(value, state));
    });
    return more(out, size);
  };
  return { whole: false, text: sized(set, "Set", size), open: "{", close: "}", parts };
}

/** `Set(2) `, and what is built on a Set as `Names(2) [Set] `. */
function sized(value: object, kind: string, size: number): string {
  const name = className(value);
  return name === kind ? `${kind}(${size}) ` : `${name}(${size}) [${kind}] `;
}

function hasRoom(out: string[], state: State): boolean {
  return out.length < ITEMS && state.budget.left > 0;
}

function more(out: string[], all: number): string[] {
  const left = all - out.length;
  if (left > 0) append(out, `... ${left} more item${left === 1 ? "" : "s"}`);
  return out;
}

function showFunction(value: () => void): string {
  const name = nameOf(value);
  if (StringSlice(FunctionToString(value), 0, 5) === "class") {
    const parent = nameOf(ObjectGetPrototypeOf(value));
    return `[class ${name || "(anonymous)"}${parent && ` extends ${parent}`}]`;
  }
  return `[${className(value) || "Function"}${name ? `: ${name}` : " (anonymous)"}]`;
}

function nameOf(value: unknown): string {
  const { name } = (value ?? {}) as { name?: unknown };
  return typeof name === "string" ? name : "";
}

function showError(error: Error): string {
  const { stack } = error;
  const text = typeof stack === "string" && stack !== "" ? stack : `[${StringIntrinsic(error)}]`;
  if (!ObjectHasOwn(error, "cause")) return text;
  return `${text}\n  [cause]: ${ErrorIsError(error.cause) ? showError(error.cause) : inspect(error.cause, 1)}`;
}

/** Own properties beside what a value is anyway: `[Function: f] { extra: 1 }`. */
function withKeys(value: object, text: string, state: State): string {
  if (ObjectKeys(value).length === 0 || state.depth < 0) return text;
  const inside: State = { above: { value, next: state.above }, depth: state.depth - 1, budget: state.budget };
  return list(`${text} `, "{", properties(value, inside), "}");
}

function items(value: ArrayLike<unknown>, length: number, state: State): string[] {
  const out: string[] = [];
  let holes = 0;
  let i = 0;
  for (; i < length && hasRoom(out, state); i++) {
    if (ArrayIsArray(value) && !ObjectHasOwn(value, i)) {
      holes++;
      continue;
    }
    if (holes > 0) append(out, empty(holes));
    holes = 0;
    append(out, show(value[i], state));
  }
  if (holes > 0) append(out, empty(holes));
  if (i < length) append(out, `... ${length - i} more item${length - i === 1 ? "" : "s"}`);
  return out;
}

function empty(holes: number): string {
  return `<${holes} empty item${holes === 1 ? "" : "s"}>`;
}

/** The own properties, for an array without its items. */
function properties(value: object, state: State, out: string[] = []): string[] {
  const keys = ReflectOwnKeys(value);
  let i = ArrayIsArray(value) ? countIndices(keys) : 0;
  for (; i < keys.length && hasRoom(out, state); i++) {
    const key = keys[i] as PropertyKey;
    const property = ObjectGetOwnPropertyDescriptor(value, key);
    if (property?.enumerable) append(out, `${showKey(key)}: ${showProperty(property, state)}`);
  }
  if (i < keys.length) append(out, `... ${keys.length - i} more`);
  return out;
}

/** Indices come first among the keys of an object. */
function countIndices(keys: readonly PropertyKey[]): number {
  let count = 0;
  while (count < keys.length && RegExpExec(/^\d+$/, StringIntrinsic(keys[count])) !== null) count++;
  return count;
}

function showKey(key: PropertyKey): string {
  if (typeof key === "symbol") return `[${SymbolToString(key)}]`;
  const text = StringIntrinsic(key);
  if (text === "__proto__") return "['__proto__']"; // as it would have to be written
  return RegExpExec(/^[A-Za-z_]\w*$/, text) === null ? quote(text) : text;
}

/** Getters are not run: they are the script's code. */
function showProperty(property: PropertyDescriptor, state: State): string {
  if (ObjectHasOwn(property, "value")) return show(property.value, state);
  return property.get === undefined ? "[Setter]" : property.set === undefined ? "[Getter]" : "[Getter/Setter]";
}

/** On one line when that is short, else one part a line. */
function list(before: string, open: string, parts: string[], close: string): string {
  if (parts.length === 0) return `${before}${open}${close}`;
  let flat = "";
  let tall = false;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as string;
    tall ||= StringIndexOf(part, "\n") !== -1;
    flat += i === 0 ? part : `, ${part}`;
  }
  if (!tall && before.length + flat.length <= LINE) return `${before}${open} ${flat} ${close}`;
  let out = `${before}${open}`;
  for (let i = 0; i < parts.length; i++)
    out += `\n  ${indent(parts[i] as string, "  ")}${i < parts.length - 1 ? "," : ""}`;
  return `${out}\n${close}`;
}

/** `text` with `by` before every line but the first. */
export function indent(text: string, by: string): string {
  let out = "";
  let from = 0;
  for (let at = StringIndexOf(text, "\n"); at !== -1; at = StringIndexOf(text, "\n", from)) {
    out += StringSlice(text, from, at + 1) + by;
    from = at + 1;
  }
  return out + StringSlice(text, from);
}

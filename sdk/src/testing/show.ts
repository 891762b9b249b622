// A value as text of several lines, so that two can be compared line by line: one property a line, in order of
// their names.

const DEPTH = 12;
const LONGEST = 100_000;

export function show(value: unknown): string {
  const text = write(value, "", []);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function write(value: unknown, indent: string, above: unknown[]): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[Function ${value.name || "anonymous"}]`;
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value);
  if (value instanceof Date) return `Date ${Number.isNaN(+value) ? "invalid" : value.toISOString()}`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Error) return `[${value.name}: ${value.message}]`;
  if (above.includes(value)) return "[Circular]";
  if (above.length >= DEPTH) return "…";
  const inside = [...above, value];
  const deeper = `${indent}  `;
  const item = (inner: unknown): string => write(inner, deeper, inside);
  if (Array.isArray(value)) return lines("[", value.map(item), "]", indent);
  if (value instanceof Set) return lines("Set {", [...value].map(item), "}", indent);
  if (value instanceof Map) return lines("Map {", [...value].map(([k, v]) => `${item(k)} => ${item(v)}`), "}", indent);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} [${[...(value as Uint8Array)].join(", ")}]`;
  const known = Object.entries(value).filter(([, inner]) => inner !== undefined);
  const named = known.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => `${keyOf(key)}: ${item(inner)}`);
  const { name } = value.constructor ?? { name: "" };
  return lines(name === "Object" || name === "" ? "{" : `${name} {`, named, "}", indent);
}

function lines(open: string, items: string[], close: string, indent: string): string {
  if (items.length === 0) return open + close;
  return `${open}\n${items.map((text) => `${indent}  ${text},\n`).join("")}${indent}${close}`;
}

function keyOf(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
}

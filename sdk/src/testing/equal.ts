// Equality in depth.

type Bag = { readonly [key: string]: unknown };

/** Whether both are equal in depth; a property that is undefined counts as missing. */
export function equals(a: unknown, b: unknown): boolean {
  return compare(a, b, true, []);
}

/** Whether `value` has at least what `part` has, in depth; lists must be as long. */
export function has(value: unknown, part: unknown): boolean {
  return compare(value, part, false, []);
}

function compare(a: unknown, b: unknown, whole: boolean, above: [unknown, unknown][]): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (above.some(([x, y]) => x === a && y === b)) return true; // a cycle on both sides
  const inside: [unknown, unknown][] = [...above, [a, b]];
  if (a instanceof Date || b instanceof Date) return a instanceof Date && b instanceof Date && +a === +b;
  if (a instanceof RegExp || b instanceof RegExp) return String(a) === String(b);
  if (a instanceof Error || b instanceof Error) {
    return a instanceof Error && b instanceof Error && a.name === b.name && a.message === b.message;
  }
  const [left, right] = [listed(a), listed(b)];
  if (left !== undefined || right !== undefined) {
    if (left?.length !== right?.length) return false;
    return (left as unknown[]).every((item, i) => compare(item, (right as unknown[])[i], whole, inside));
  }
  const keys = Object.keys(whole ? { ...a, ...b } : b);
  return keys.every((key) => compare((a as Bag)[key], (b as Bag)[key], whole, inside));
}

function listed(value: object): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (value instanceof Map || value instanceof Set) return [...value];
  return ArrayBuffer.isView(value) ? [...(value as Uint8Array)] : undefined;
}

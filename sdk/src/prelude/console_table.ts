// console.table: rows and columns in a box.

import { inspect } from "./inspect.ts";
import { ObjectKeys, StringIntrinsic, StringRepeat, append, isObject } from "./primordials.ts";

const ROWS = 50;
const COLUMNS = 20;
const INDEX = "(index)";
const VALUES = "Values";

/** One row an item or property of `data`; `only` chooses and orders the columns. */
export function tableText(data: object, only?: readonly string[]): string {
  const rows = ObjectKeys(data);
  const names = only ?? columnsOf(data, rows);
  const columns = [column(INDEX, rows, (row) => row)];
  for (let i = 0; i < names.length && i < COLUMNS; i++) {
    const name = StringIntrinsic(names[i]);
    append(
      columns,
      column(name, rows, (row) => cellText(data, row, name)),
    );
  }
  return box(columns);
}

function cellText(data: object, row: string, name: string): string {
  const value = (data as Record<string, unknown>)[row];
  if (!isObject(value)) return name === VALUES ? inspect(value) : "";
  return name in value ? inspect((value as Record<string, unknown>)[name], 0) : "";
}

/** The keys of the rows, in the order they first come; `Values` when a row is no object. */
function columnsOf(data: object, rows: readonly string[]): string[] {
  const names: string[] = [];
  const seen = { __proto__: null } as unknown as Record<string, true>;
  let bare = false;
  for (let i = 0; i < rows.length && i < ROWS; i++) {
    const value = (data as Record<string, unknown>)[rows[i] as string];
    if (!isObject(value)) {
      bare = true;
      continue;
    }
    const keys = ObjectKeys(value);
    for (let j = 0; j < keys.length; j++) {
      const key = keys[j] as string;
      if (seen[key]) continue;
      seen[key] = true;
      append(names, key);
    }
  }
  if (bare) append(names, VALUES);
  return names;
}

interface Column {
  readonly cells: readonly string[];
  readonly width: number;
}

function column(name: string, rows: readonly string[], cell: (row: string) => string): Column {
  const cells = [name];
  let width = name.length;
  for (let i = 0; i < rows.length && i < ROWS; i++) {
    const text = cell(rows[i] as string);
    append(cells, text);
    if (text.length > width) width = text.length;
  }
  return { cells, width: width + 2 };
}

function box(columns: readonly Column[]): string {
  const first = columns[0] as Column;
  let out = rule(columns, "┌", "┬", "┐");
  for (let row = 0; row < first.cells.length; row++) {
    out += "\n";
    for (let i = 0; i < columns.length; i++) {
      const { cells, width } = columns[i] as Column;
      const text = cells[row] as string;
      out += `│ ${text}${StringRepeat(" ", width - 1 - text.length)}`;
    }
    out += "│";
    if (row === 0) out += `\n${rule(columns, "├", "┼", "┤")}`;
  }
  return `${out}\n${rule(columns, "└", "┴", "┘")}`;
}

function rule(columns: readonly Column[], left: string, middle: string, right: string): string {
  let out = left;
  for (let i = 0; i < columns.length; i++) {
    out += (i === 0 ? "" : middle) + StringRepeat("─", (columns[i] as Column).width);
  }
  return out + right;
}

// "Did you mean": the names nearest to a mistyped one.

import { MathMin, StringSlice, StringToLowerCase } from "../prelude/primordials.ts";

/** "did you mean …?" with the names that are nearest, when any is near; else the list of all. */
export function nearNames(typed: string, names: readonly string[]): string {
  const wanted = StringToLowerCase(typed);
  let nearest = Infinity;
  let near = "";
  let all = "";
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    all += `${all === "" ? "" : ", "}${name}`;
    const small = StringToLowerCase(name);
    // Other libraries say "guildMemberAdd" where flora says "memberAdd".
    const apart = StringSlice(wanted, -small.length) === small ? 0 : distance(wanted, small);
    if (apart > nearest || apart > name.length / 3) continue;
    near = apart < nearest ? `"${name}"` : `${near} or "${name}"`;
    nearest = apart;
  }
  return near === "" ? `the events are ${all}` : `did you mean ${near}?`;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row: number[] = [];
  for (let j = 0; j <= b.length; j++) row[j] = j;
  for (let i = 1; i <= a.length && i <= 40; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = MathMin((row[j] as number) + 1, (next[j - 1] as number) + 1, replaced);
    }
    row = next;
  }
  return row[b.length] as number;
}

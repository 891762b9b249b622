"""Projects that tests bundle and check, and that the bench measures."""

from __future__ import annotations

from flora_core.toolchain import Project

TSCONFIG = (
    '{\n  "compilerOptions": { "jsx": "react", "jsxFactory": "h", "paths": { "@/*": ["./src/*"] } }\n}\n'
)

_MODULE = """\
import {{ {imported} }} from "{specifier}";

export interface Options{n} {{
  name: string;
  limit?: number;
  tags: readonly string[];
}}

export enum Level{n} {{
  Low = {n},
  High = "high-{n}",
}}

type Handler{n}<T extends Options{n}> = (options: T, index: number) => Promise<T["name"]>;

const settings{n} = {{
  retries: {n},
  texts: {{ hello: "hello {n} \u2603", bye: `bye ${{{n} + 1}}` }},
}} satisfies Record<string, unknown>;

export class Command{n}<T extends Options{n} = Options{n}> {{
  readonly #seen = new Map<string, number>();
  static instances = 0;

  constructor(
    private readonly handler: Handler{n}<T>,
    protected level: Level{n} = Level{n}.Low,
  ) {{
    Command{n}.instances += 1;
  }}

  get count(): number {{
    return [...this.#seen.values()].reduce((sum, one) => sum + one, 0);
  }}

  async run(all: readonly T[]): Promise<string[]> {{
    const names: string[] = [];
    for (const [index, options] of all.entries()) {{
      if (options.tags.length > (options.limit ?? 10)) continue;
      const name = await this.handler(options, index);
      this.#seen.set(name, (this.#seen.get(name) ?? 0) + 1);
      names.push(name.toUpperCase());
    }}
    return names;
  }}

  describe(): string {{
    switch (this.level) {{
      case Level{n}.Low:
        return `low ${{settings{n}.retries}} ${{this.count}}`;
      case Level{n}.High:
        return settings{n}.texts.hello;
    }}
  }}
}}

export function fail{n}(depth: number): number {{
  if (depth > 0) return fail{n}(depth - 1);
  throw new RangeError("thrown in module {n}");
}}

export async function work{n}(): Promise<number> {{
  const command = new Command{n}(async (options) => options.name);
  const names = await command.run([{{ name: "a", tags: [] }}, {{ name: "b", tags: ["x"], limit: 3 }}]);
  return names.length + command.count + {used};
}}
"""


def twenty_files() -> Project:
    """20 TypeScript files of about 1,300 lines, in a chain of imports written in every way there is."""
    files = {"tsconfig.json": TSCONFIG, "src/data/limits.json": '{ "most": 20, "least": 1 }\n'}
    for n in range(1, 19):
        files[f"src/commands/command{n}.ts"] = _module(n)
    files["src/view/index.tsx"] = _VIEW
    files["src/main.ts"] = _MAIN
    return Project(files, "src/main.ts")


def _module(n: int) -> str:
    if n == 18:
        imported, specifier, used = "most", "../view", "most"
    else:
        ways = (
            f"./command{n + 1}",
            f"./command{n + 1}.js",
            f"./command{n + 1}.ts",
            f"@/commands/command{n + 1}",
        )
        imported, specifier, used = f"work{n + 1}", ways[n % len(ways)], f"(await work{n + 1}())"
    return _MODULE.format(n=n, imported=imported, specifier=specifier, used=used)


_VIEW = """\
import limits from "../data/limits.json";

declare global {
  namespace JSX {
    type Element = { tag: string; children: unknown[] };
    interface IntrinsicElements {
      row: { wide?: boolean };
    }
  }
}

export function h(tag: string, _properties: unknown, ...children: unknown[]): JSX.Element {
  return { tag, children };
}

export const most: number = limits.most;
export const row = <row wide>{most}</row>;
"""

_MAIN = """\
import { fail1, work1 } from "@/commands/command1";
import { row } from "./view";

const total = await work1();

export default { total, row, fail: () => fail1(2) };
"""


def one_file(code: str, **others: str) -> Project:
    """``src/main.ts`` with ``code``, and ``others`` beside it: ``b="…"`` is ``src/b.ts``."""
    return Project(
        {"src/main.ts": code} | {f"src/{name}.ts": text for name, text in others.items()}, "src/main.ts"
    )

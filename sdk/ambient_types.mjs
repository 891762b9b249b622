// The types of everything a script finds, as one file of declarations: `types/*.d.ts` one after another, and
// flora's names as globals.
import { readFile } from "node:fs/promises";

const FILES = ["events", "guild_events", "contexts", "messages", "components", "enums", "commands", "kv", "cron", "rest", "secrets", "web", "testing"];
/** Those that have no names of flora's own. */
const OTHERS = 2;

const HEAD = `// flora: what a guild's script finds without importing it. Needs "lib": ["ESNext"] and nothing else.
// Everything of flora's own is global, and also a member of "flora".
`;

const types = new URL("./types/", import.meta.url);

const NAME = /^  (?:interface|type|class|function|const) (\w+)/;

/** The names declared directly in the namespace that are not marked as internal, in the order they first come. */
function namesIn(text) {
  const names = new Set();
  let internal = false;
  for (const line of text.split("\n")) {
    const name = NAME.exec(line)?.[1];
    if (name && !internal) names.add(name);
    internal = line.includes("@internal");
  }
  return [...names];
}

export async function ambientTypes() {
  const texts = await Promise.all(FILES.map((name) => readFile(new URL(`${name}.d.ts`, types), "utf8")));
  const globals = namesIn(texts.slice(0, -OTHERS).join("\n")).map((name) => `import ${name} = flora.${name};`);
  return `${HEAD}\n${texts.join("\n")}\n// The same without "flora.".\n${globals.join("\n")}\n`;
}

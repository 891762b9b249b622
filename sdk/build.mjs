// Builds what the Python side carries as data of `flora_sdk`: the isolate's prelude, the scripts' ambient types,
// and the pinned JavaScript tools (esbuild-wasm, TypeScript, trace-mapping). Run by `make setup`.
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import * as esbuild from "esbuild-wasm";
import { ambientTypes } from "./ambient_types.mjs";
import { buildPrelude } from "./prelude.mjs";

const require = createRequire(import.meta.url);
const out = new URL("./flora_sdk/data/", import.meta.url).pathname;
const modules = new URL("./node_modules/", import.meta.url).pathname;

// What can fail comes first: a failed build leaves the last one in place.
const prelude = await buildPrelude();
const types = await ambientTypes();
const testing = await esbuild.build({
  entryPoints: [new URL("./src/testing/main.ts", import.meta.url).pathname],
  bundle: true,
  format: "esm",
  target: "es2024",
  legalComments: "none",
  write: false,
});

await rm(out, { recursive: true, force: true });
await mkdir(`${out}esbuild`, { recursive: true });
await mkdir(`${out}typescript/lib`, { recursive: true });

await writeFile(`${out}prelude.js`, prelude);
await writeFile(`${out}flora.d.ts`, types);
await writeFile(`${out}flora-test.js`, testing.outputFiles[0].text);

for (const file of ["browser.min.js", "LICENSE.md"]) {
  const from = file === "LICENSE.md" ? "" : "lib/";
  await cp(`${modules}esbuild-wasm/${from}${file}`, `${out}esbuild/${file}`);
}
await cp(`${modules}esbuild-wasm/esbuild.wasm`, `${out}esbuild/esbuild.wasm`);

const typescript = await readFile(require.resolve("typescript/lib/typescript.js"), "utf8");
const small = await esbuild.transform(typescript, { minify: true, legalComments: "none" });
await writeFile(`${out}typescript/typescript.js`, small.code);
const lib = `${modules}typescript/lib/`;
for (const file of await readdir(lib)) {
  if (/^lib\.(es|decorators)[\w.]*\.d\.ts$/.test(file)) await cp(lib + file, `${out}typescript/lib/${file}`);
}
for (const file of ["LICENSE.txt", "ThirdPartyNoticeText.txt"]) {
  await cp(`${modules}typescript/${file}`, `${out}typescript/${file}`);
}

await esbuild.build({
  stdin: {
    contents: `export { TraceMap, originalPositionFor } from "@jridgewell/trace-mapping";`,
    resolveDir: modules,
  },
  outfile: `${out}trace-mapping.js`,
  bundle: true,
  format: "iife",
  globalName: "traceMapping",
  minify: true,
});

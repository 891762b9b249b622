// Bundles the isolate's prelude.
//
// Modules in `src/lazy/` are run when a script first uses them, but esbuild alone would still lay all of
// their functions out when the isolate starts, and that is most of what they cost V8. So each of them is
// bundled by itself first, with what only it needs, and handed to the main bundle as a CommonJS module:
// those it keeps in a function of their own, which V8 hardly looks at before it is called. What the main
// bundle has anyway, and what two of them need, is imported from there.
import { readdir } from "node:fs/promises";
import { resolve } from "node:path";
import * as esbuild from "esbuild-wasm";

const src = new URL("./src/", import.meta.url).pathname;
const common = {
  bundle: true,
  target: "es2024",
  legalComments: "none",
  metafile: true,
  write: false,
  logLevel: "silent",
};

async function bundle(entry, outside) {
  const { metafile, outputFiles } = await esbuild.build({
    ...common,
    entryPoints: [entry],
    outfile: entry.replace(/ts$/, "js"), // imports of what is outside are relative to this
    format: "esm",
    external: [...outside],
  });
  const modules = Object.keys(metafile.inputs).map((path) => resolve(path));
  return { code: outputFiles[0].text, modules: modules.filter((path) => path !== entry) };
}

/** `export { a as b }` at the end of a bundle as `module.exports`. */
function asCommonJs({ code }) {
  const exports = /\nexport \{\n([^}]*)\};\s*$/;
  if (!exports.test(code)) throw new Error("a lazy module should end with its exports");
  return code.replace(exports, (_, names) => {
    const pairs = names
      .trim()
      .split(/,\s*/)
      .map((name) => name.split(" as "));
    return `\nmodule.exports = { ${pairs.map(([local, name = local]) => `${name}: ${local}`).join(", ")} };\n`;
  });
}

/** esbuild's result for the prelude, with `metafile`. */
export async function buildPrelude() {
  const files = (await readdir(`${src}lazy`)).map((name) => `${src}lazy/${name}`);
  const { modules: eager } = await bundle(`${src}prelude/main.ts`, files);
  const seen = new Set(eager);
  const shared = new Set(eager);
  for (const file of files) {
    for (const module of (await bundle(file, shared)).modules) {
      if (seen.has(module)) shared.add(module);
      seen.add(module);
    }
  }
  const lazy = new Map();
  for (const file of files) lazy.set(file, asCommonJs(await bundle(file, shared)));
  return esbuild.build({
    ...common,
    entryPoints: [`${src}prelude/main.ts`],
    format: "iife",
    minify: true,
    // Its frames in stacks can be told from the script's.
    footer: { js: "//# sourceURL=flora:prelude" },
    plugins: [
      {
        name: "lazy modules",
        setup(build) {
          // A namespace of their own: the nearest package.json would make ECMAScript modules of them.
          build.onResolve({ filter: /\/lazy\// }, (args) => ({
            path: resolve(args.resolveDir, args.path),
            namespace: "lazy",
          }));
          build.onLoad({ filter: /./, namespace: "lazy" }, ({ path }) => ({
            contents: lazy.get(path),
            loader: "js",
            resolveDir: `${src}lazy`,
          }));
        },
      },
    ],
  });
}

// Bundles the isolate's prelude.
//
// Modules in `src/lazy/` are run when a script first uses them, but esbuild alone would still lay all of
// their functions out when the isolate starts, and that is most of what they cost V8; the rest is their text.
// So each of them is bundled by itself first, with what only it needs, made a function of what it imports, and
// packed. What the main bundle has anyway, and what two of them need, is imported from there, by a CommonJS
// module which unpacks that function and calls it: those esbuild runs when they are first required.
import { readdir, readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import * as esbuild from "esbuild-wasm";
import { literal, pack } from "./pack.mjs";

const src = new URL("./src/", import.meta.url).pathname;
// Its frames in stacks can be told from the script's.
const sourceUrl = "//# sourceURL=flora:prelude";
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
  return { entry, code: outputFiles[0].text, modules: modules.filter((path) => path !== entry) };
}

/** `{ a as b, c }` as pairs of names: those outside the braces, then those inside. */
function pairs(names) {
  const list = names.split(",").map((pair) => pair.trim().split(" as "));
  return list.filter(([name]) => name !== "").map(([name, other = name]) => [name, other]);
}

/** Refuse what a lazy module must not import: what it gets by value when it is first used may not change later. */
async function checkConstant(name, from, entry) {
  const source = await readFile(from, "utf8");
  const variable = new RegExp(`^export (let|var) (.*\\W)?${name}\\b`, "m").test(source);
  const unclear = /^export (\{|\*)/m.test(source);
  if (!variable && !unclear) return;
  const why = `this ${variable ? "is" : "may be"} a variable`;
  throw new Error(`${entry} imports ${name} of ${from}: a lazy module gets values, and ${why}`);
}

/**
 * A bundled lazy module as a script: a function of what it imports, which returns what it exports. With the
 * imports, in order.
 */
export async function asFunction({ code, entry }) {
  const imports = [];
  const body = code.replace(/^import \{([^}]*)\} from "([^"]+)";$/gm, (_, names, from) => {
    for (const [name, local] of pairs(names)) imports.push({ name, local, from });
    return "";
  });
  for (const { name, from } of imports) await checkConstant(name, resolve(entry, "..", from), entry);
  const exports = /\nexport \{\n([^}]*)\};\s*$/;
  if (!exports.test(body) || /^import\b/m.test(body)) {
    throw new Error(`${entry} should have named imports only, and end with its exports`);
  }
  const returning = body.replace(exports, (_, names) => {
    const members = pairs(names).map(([local, name]) => `${name}: ${local}`);
    return `\nreturn { ${members.join(", ")} };`;
  });
  const locals = imports.map(({ local }) => local).join(", ");
  // As a value of something: esbuild leaves a function out that nobody uses.
  const whole = `it = function (${locals}) { "use strict"; ${returning}\n}`;
  const small = (await esbuild.transform(whole, { minify: true, target: common.target })).code;
  return { imports, script: `(${small.replace(/^it=/, "").replace(/;\s*$/, "")})\n${sourceUrl}` };
}

/** The lazy module `file` as the main bundle has it: `"@name@"` stands for the packed text. */
function asCommonJs(file, { imports, script }) {
  const lines = imports.map(({ name, from }, i) => `import { ${name} as i${i} } from "${from}";`);
  const values = imports.map((_, i) => `i${i}`);
  return `import { unpack } from "../prelude/unpack.ts";
${lines.join("\n")}
module.exports = unpack("${mark(file)}", ${script.length})(${values.join(", ")});`;
}

const mark = (file) => `@${basename(file)}@`;

/** `script` packed, after a look at whether the isolate will get it back. */
function packed(script, unpacked) {
  const text = pack(script);
  if (unpacked(text, script.length) !== script) throw new Error("what was packed does not come back");
  return text;
}

/** The function that unpacks in the isolate. */
async function unpacking() {
  const { code } = await bundle(`${src}prelude/unpack.ts`, []);
  return (await import(`data:text/javascript,${encodeURIComponent(code)}`)).unpacked;
}

/** The prelude's text, of Latin-1 characters. */
export async function buildPrelude() {
  const files = (await readdir(`${src}lazy`)).map((name) => `${src}lazy/${name}`);
  const shared = await sharedModules(files);
  const lazy = new Map();
  for (const file of files) lazy.set(file, await asFunction(await bundle(file, shared)));
  let prelude = await bundleMain((path) => asCommonJs(path, lazy.get(path)));
  const unpacked = await unpacking();
  for (const file of files) {
    const text = literal(packed(lazy.get(file).script, unpacked));
    const parts = prelude.split(`"${mark(file)}"`);
    if (parts.length !== 2) throw new Error(`${file} should be in the prelude once`);
    prelude = parts.join(text);
  }
  return prelude;
}

/** What the main bundle has anyway, and what two of the lazy modules in `files` need. */
async function sharedModules(files) {
  const { modules: eager } = await bundle(`${src}prelude/main.ts`, files);
  const seen = new Set(eager);
  const shared = new Set(eager);
  for (const file of files) {
    for (const module of (await bundle(file, shared)).modules) {
      if (seen.has(module)) shared.add(module);
      seen.add(module);
    }
  }
  return shared;
}

/** The main bundle; `contents` gives the text of a lazy module. */
async function bundleMain(contents) {
  const { outputFiles } = await esbuild.build({
    ...common,
    entryPoints: [`${src}prelude/main.ts`],
    format: "iife",
    minify: true,
    footer: { js: sourceUrl },
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
            contents: contents(path),
            loader: "js",
            resolveDir: `${src}lazy`,
          }));
        },
      },
    ],
  });
  return outputFiles[0].text;
}

// Runs esbuild on one project at a time: `run(request JSON) -> Promise<answer JSON>`.
"use strict";

{
  const ROOT = "/project/";
  const ENTRY = "<entry>"; // the virtual module that imports the author's entrypoint
  const OUTFILE = `${ROOT}bundle.js`;
  const { MOST, TEXT, cut, excerpt } = messages;

  // `wasm` is the ArrayBuffer that the child process filled.
  globalThis.boot = () => {
    const wasmModule = new WebAssembly.Module(globalThis.wasm);
    delete globalThis.wasm;
    return esbuild.initialize({ wasmModule, worker: false });
  };

  // When Go's runtime exits, the build that was running never settles by itself.
  let died;
  const death = new Promise((_, reject) => {
    died = reject;
  });
  globalThis.onExit = () => died(new Error(`esbuild died: ${globalThis.printed}`));

  globalThis.run = (text) => Promise.race([bundle(JSON.parse(text)), death]);

  async function bundle(request) {
    mount(tree(request));
    try {
      const result = await esbuild.build(options(request.entrypoint));
      return JSON.stringify(built(result, request));
    } catch (error) {
      if (!Array.isArray(error.errors)) throw error;
      return JSON.stringify({ errors: list(error.errors, "error"), warnings: list(error.warnings, "warning") });
    } finally {
      mount([]);
    }
  }

  function tree({ files, dependencies }) {
    const own = Object.entries(files).map(([path, text]) => [ROOT + path, asApplication(path, text)]);
    return own.concat(Object.entries(dependencies).map(([path, text]) => [ROOT + path, text]));
  }

  // `"sideEffects": false` is a library's promise. Of an application esbuild would drop everything.
  function asApplication(path, text) {
    if (!/(^|\/)package\.json$/.test(path) || !text.includes('"sideEffects"')) return text;
    try {
      return JSON.stringify({ ...JSON.parse(text), sideEffects: undefined });
    } catch {
      return text; // esbuild will say what is wrong with it
    }
  }

  const options = (entrypoint) => ({
    // Not an entry point of its own: its exports would end up as an `export` statement in the bundle.
    stdin: { contents: `import ${JSON.stringify(`./${entrypoint}`)}`, resolveDir: ROOT, sourcefile: ENTRY },
    absWorkingDir: ROOT,
    outfile: OUTFILE,
    bundle: true,
    write: false,
    metafile: true,
    logLevel: "silent",
    legalComments: "none",
    // Modules are strict, and top-level await needs the module format; the script around it is ours.
    format: "esm",
    banner: { js: '(async () => {\n"use strict";' },
    footer: { js: "})();\n//# sourceURL=bundle.js" },
    sourcemap: "external",
    sourcesContent: false,
    // V8 14.4: all of ESNext but decorators, and no module to have metadata about.
    target: "esnext",
    supported: { decorators: false, "import-meta": false },
    // The nearest that packages know to an isolate without Node: a browser's worker, in production.
    platform: "browser",
    conditions: ["worker"],
    define: { "process.env.NODE_ENV": '"production"' },
    loader: { ".css": "text", ".module.css": "text", ".txt": "text" },
    plugins: [{ name: "flora", setup: refuseAddresses }],
  });

  // esbuild would leave imports of addresses in the bundle, for a browser to load.
  function refuseAddresses(build) {
    build.onResolve({ filter: /^([a-z]+:)?\/\// }, ({ path }) => ({
      errors: [{ text: `Cannot import ${JSON.stringify(cut(path, 200))}: nothing is loaded from the network` }],
    }));
  }

  function built(result, { code_limit, map_limit }) {
    const outputs = new Map(result.outputFiles.map((file) => [file.path, file]));
    const code = outputs.get(OUTFILE);
    const map = outputs.get(`${OUTFILE}.map`);
    const warnings = list(result.warnings, "warning");
    const left = result.metafile.outputs["bundle.js"].imports.filter(isLeft);
    if (left.length > 0) return { errors: list(left.map(notBundled), "error"), warnings };
    const size = { code_size: code.contents.length, map_size: map.contents.length };
    if (size.code_size > code_limit || size.map_size > map_limit) return { ...size, warnings };
    return { ...size, code: code.text, source_map: sourceMap(map.text), warnings };
  }

  const isLeft = ({ external, path }) => external === true && path !== "<runtime>";
  const notBundled = ({ path }) => ({
    text: `Cannot import ${JSON.stringify(cut(path, 200))}: it is not part of the project`,
    location: null,
    notes: [],
  });

  // esbuild writes sources as URLs; ours are the author's paths.
  function sourceMap(text) {
    const { version, sources, names, mappings } = JSON.parse(text);
    return JSON.stringify({ version, sources: sources.map(asPath), names, mappings });
  }

  function asPath(source) {
    try {
      return decodeURIComponent(source);
    } catch {
      return source; // a data: URL
    }
  }

  const list = (found, severity) => found.slice(0, MOST).map((message) => diagnostic(message, severity));

  function diagnostic({ id, text, location, notes }, severity) {
    return {
      severity,
      code: id ?? "",
      text: cut(text, TEXT),
      notes: notes.slice(0, 10).map(note),
      ...place(location),
    };
  }

  function note({ text, location }) {
    const at = place(location);
    return cut(at.file === "" ? text : `${at.file}:${at.line}:${at.column}: ${text}`, TEXT);
  }

  function place(location) {
    if (location === null || location.file === ENTRY) return { file: "" };
    const { file, line, lineText } = location;
    const column = units(lineText, location.column);
    const length = units(lineText, location.column + location.length) - column;
    return { file: file.toWellFormed(), line, column: column + 1, ...excerpt(lineText, column, length) };
  }

  // How many UTF-16 units the first `bytes` bytes of `line` are; esbuild counts bytes.
  function units(line, bytes) {
    let at = 0;
    for (let seen = 0; at < line.length && seen < bytes; at++) {
      const code = line.codePointAt(at);
      seen += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      if (code > 0xffff) at++;
    }
    return at;
  }
}

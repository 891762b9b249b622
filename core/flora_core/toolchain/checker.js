// Type-checks one project at a time with TypeScript: `run(request JSON) -> answer JSON`.
"use strict";

{
  const ROOT = "/project";
  const LIBS = "/lib/";
  const TYPES = "/flora/flora.d.ts";
  const { MOST, TEXT, cut, excerpt } = messages;
  const { JsxEmit, ModuleDetectionKind, ModuleKind, ModuleResolutionKind, ScriptTarget } = ts;

  // What holds unless the author's tsconfig.json says otherwise.
  const DEFAULTS = {
    strict: true,
    target: ScriptTarget.ESNext,
    lib: ["lib.esnext.d.ts"],
    types: [],
    module: ModuleKind.Preserve,
    moduleResolution: ModuleResolutionKind.Bundler,
    moduleDetection: ModuleDetectionKind.Force, // the bundler, too, takes every file for a module
    allowImportingTsExtensions: true,
    allowJs: true,
    jsx: JsxEmit.React,
    skipLibCheck: true,
    ignoreDeprecations: "6.0",
  };
  // What is about output has no say where nothing is put out.
  const OUTPUT = ["composite", "declaration", "declarationDir", "declarationMap", "emitDeclarationOnly",
    "incremental", "inlineSourceMap", "inlineSources", "isolatedDeclarations", "outDir", "outFile", "rootDir",
    "sourceMap", "tsBuildInfoFile"];
  const NO_INPUTS = 18003; // "No inputs were found": the entrypoint always is one

  const libs = new Map(); // absolute path -> text of what comes with TypeScript and flora
  const parsedLibs = new Map(); // kept from check to check: parsing them is most of a cold one

  // `assets` is JSON: { libs: { "lib.esnext.d.ts": text }, types: text or null }.
  globalThis.boot = (assets) => {
    const { libs: texts, types } = JSON.parse(assets);
    for (const [name, text] of Object.entries(texts)) libs.set(LIBS + name, text);
    if (types !== null) libs.set(TYPES, types);
  };

  globalThis.run = (text) => {
    const { entrypoint, files, dependencies } = JSON.parse(text);
    const tree = new Map();
    for (const [path, source] of Object.entries({ ...dependencies, ...files })) {
      tree.set(`${ROOT}/${path}`, source.replace(/^\ufeff/, "")); // a byte order mark would count as a column
    }
    const found = check(hostOf(tree), `${ROOT}/${entrypoint}`);
    return JSON.stringify({ diagnostics: found });
  };

  function check(host, entrypoint) {
    const { options, fileNames, errors, warnings } = configure(host);
    const roots = new Set([entrypoint, ...fileNames]);
    if (libs.has(TYPES)) roots.add(TYPES);
    const program = ts.createProgram({ rootNames: [...roots], options, host });
    const found = [...errors, ...ts.getPreEmitDiagnostics(program)].filter(isAuthors);
    return [...warnings, ...ts.sortAndDeduplicateDiagnostics(found).slice(0, MOST).map(diagnostic)];
  }

  // Dependencies are as their authors left them.
  const isAuthors = ({ file }) =>
    file === undefined || (file.fileName.startsWith(`${ROOT}/`) && !file.fileName.includes("/node_modules/"));

  function configure(host) {
    const path = `${ROOT}/tsconfig.json`;
    const text = host.readFile(path) ?? "{}";
    const source = ts.readJsonConfigFile(path, () => text);
    const configHost = { ...host, useCaseSensitiveFileNames: true };
    const parsed = ts.parseJsonSourceFileConfigFileContent(source, configHost, ROOT, undefined, path);
    const own = parsed.options;
    const options = { ...DEFAULTS, ...own, noEmit: true };
    for (const name of OUTPUT) delete options[name];
    // One of the two decides what the other may be.
    if (own.module !== undefined && own.moduleResolution === undefined) delete options.moduleResolution;
    if (own.moduleResolution !== undefined && own.module === undefined) delete options.module;
    options.lib = options.lib.filter((name) => libs.has(LIBS + name));
    const missing = (own.lib ?? []).filter((name) => !libs.has(LIBS + name));
    const errors = [...source.parseDiagnostics, ...parsed.errors].filter(({ code }) => code !== NO_INPUTS);
    return { options, fileNames: parsed.fileNames, errors, warnings: missing.map(noSuchLib) };
  }

  const noSuchLib = (name) => ({
    file: "tsconfig.json",
    severity: "warning",
    text: `There is no ${JSON.stringify(cut(name.replace(/^lib\.|\.d\.ts$/g, ""), 100))} library here: ` +
      "scripts run in V8 without a browser or Node.js",
  });

  function hostOf(tree) {
    const folders = foldersOf(tree);
    const readFile = (path) => tree.get(path) ?? libs.get(path);
    const entries = (path) => folders.get(path.replace(/(.)\/$/, "$1")) ?? { files: [], directories: [] };
    return {
      readFile,
      fileExists: (path) => tree.has(path) || libs.has(path),
      directoryExists: (path) => folders.has(path),
      getDirectories: (path) => entries(path).directories,
      readDirectory: (path, extensions, excludes, includes, depth) =>
        ts.matchFiles(path, extensions, excludes, includes, true, ROOT, depth, entries, (same) => same),
      getSourceFile(path, options) {
        const text = readFile(path);
        if (text === undefined) return undefined;
        return libs.has(path) ? parsedLib(path, text) : ts.createSourceFile(path, text, options);
      },
      getCurrentDirectory: () => ROOT,
      getDefaultLibLocation: () => LIBS,
      getDefaultLibFileName: () => `${LIBS}lib.esnext.d.ts`,
      getCanonicalFileName: (path) => path,
      useCaseSensitiveFileNames: () => true,
      getNewLine: () => "\n",
      realpath: (path) => path,
      writeFile() {},
    };
  }

  function parsedLib(path, text) {
    let file = parsedLibs.get(path);
    if (file === undefined) parsedLibs.set(path, (file = ts.createSourceFile(path, text, ScriptTarget.ESNext)));
    return file;
  }

  function foldersOf(tree) {
    const folders = new Map([["/", { files: [], directories: [] }]]);
    const folder = (path) => {
      if (!folders.has(path)) {
        folders.set(path, { files: [], directories: [] });
        const cut = path.lastIndexOf("/");
        folder(path.slice(0, cut) || "/").directories.push(path.slice(cut + 1));
      }
      return folders.get(path);
    };
    for (const path of tree.keys()) {
      const cut = path.lastIndexOf("/");
      folder(path.slice(0, cut)).files.push(path.slice(cut + 1));
    }
    return folders;
  }

  function diagnostic({ code, category, messageText, relatedInformation, ...span }) {
    return {
      code: `TS${code}`,
      severity: category === ts.DiagnosticCategory.Error ? "error" : "warning",
      text: cut(withoutBrowser(ts.flattenDiagnosticMessageText(messageText, "\n")), TEXT),
      notes: (relatedInformation ?? []).slice(0, 10).map(note),
      ...place(span),
    };
  }

  // There is no "dom" library to include.
  const withoutBrowser = (text) => text.replace(/ Do you need to change your target library\?.*'dom'\.$/, "");

  function note({ messageText, ...span }) {
    const text = ts.flattenDiagnosticMessageText(messageText, "\n");
    const at = place(span);
    return cut(at.file === "" ? text : `${at.file}:${at.line}:${at.column}: ${text}`, TEXT);
  }

  function place({ file, start = 0, length = 0 }) {
    if (file === undefined) return { file: "" };
    const { line, character } = file.getLineAndCharacterOfPosition(start);
    const starts = file.getLineStarts();
    const text = file.text.slice(starts[line], starts[line + 1]).replace(/[\r\n\u2028\u2029]+$/, "");
    const name = file.fileName.replace(/^\/(project|flora|lib)\//, "");
    return { file: name.toWellFormed(), line: line + 1, column: character + 1, ...excerpt(text, character, length) };
  }
}

// The examples of the guides: compiled here, run by `tests/sdk`. Every ```ts block is a script of its own.
// With --print, their JavaScript goes to standard output as JSON: [{name, code}].
import { readFileSync } from "node:fs";
import ts from "typescript";

const GUIDES = ["sdk", "events", "fetch", "secrets"];

const root = new URL("../../", import.meta.url).pathname;
const options = {
  ...ts.parseConfigFileTextToJson("", readFileSync(`${root}sdk/tsconfig.json`, "utf8")).config.compilerOptions,
  moduleDetection: "force",
};
const { options: parsed } = ts.convertCompilerOptionsFromJson(options, root);

const examples = new Map();
for (const guide of GUIDES) {
  const text = readFileSync(`${root}docs/${guide}.md`, "utf8");
  for (const { 1: code, index } of text.matchAll(/^```ts\n(.*?)^```$/gms)) {
    const line = text.slice(0, index).split("\n").length + 1;
    examples.set(`${root}docs/${guide}.md:${line}.ts`, code);
  }
}

const host = ts.createCompilerHost(parsed);
const { fileExists, readFile, getSourceFile } = host;
host.fileExists = (path) => examples.has(path) || fileExists(path);
host.readFile = (path) => examples.get(path) ?? readFile(path);
host.getSourceFile = (path, version, ...rest) =>
  examples.has(path) ? ts.createSourceFile(path, examples.get(path), version) : getSourceFile(path, version, ...rest);

const types = `${root}sdk/flora_sdk/data/flora.d.ts`;
const program = ts.createProgram([types, ...examples.keys()], parsed, host);
const diagnostics = ts.getPreEmitDiagnostics(program);
if (diagnostics.length > 0) {
  process.stderr.write(ts.formatDiagnostics(diagnostics, host));
  process.exit(1);
}
if (process.argv.includes("--print")) {
  const compiled = [...examples].map(([path, code]) => ({
    name: path.slice(root.length, -3),
    code: ts.transpileModule(code, { compilerOptions: { ...parsed, noEmit: false } }).outputText,
  }));
  process.stdout.write(JSON.stringify(compiled));
}

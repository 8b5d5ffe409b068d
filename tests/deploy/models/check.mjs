// Checks objects of Istio and of the Prometheus operator, a JSON array on standard input, against
// models that were generated from what those two publish. Prints one list of faults per object.
//
// The validators know values (enumerations, patterns, required fields) but let unknown fields pass,
// as the published definitions do; so does the API server, which drops them. The types refuse those.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const ts = require("typescript");

const PACKAGES = {
  "extensions.istio.io": "@kubernetes-models/istio",
  "networking.istio.io": "@kubernetes-models/istio",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};
const OPTIONS = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};

function model({ apiVersion, kind }) {
  const name = PACKAGES[apiVersion.split("/")[0]];
  if (!name) throw new Error(`no model of ${apiVersion} ${kind}`);
  return `${name}/${apiVersion}/${kind}`;
}

// The objects as literals of a source file, which the compiler takes from memory.
function typeFaults(objects) {
  const path = join(folder, "objects.ts");
  const lines = objects.map((it, index) =>
    `import type { I${it.kind} as T${index} } from "${model(it)}"; export const o${index}: T${index} = ${JSON.stringify(it)};`);
  const host = ts.createCompilerHost(OPTIONS);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.getSourceFile = (name, ...rest) => name === path
    ? ts.createSourceFile(name, lines.join("\n"), OPTIONS.target)
    : getSourceFile(name, ...rest);
  const program = ts.createProgram([path], OPTIONS, host);
  const faults = objects.map(() => []);
  for (const it of ts.getPreEmitDiagnostics(program)) {
    const text = ts.flattenDiagnosticMessageText(it.messageText, " ");
    if (it.file?.fileName !== path) throw new Error(text);
    faults[it.file.getLineAndCharacterOfPosition(it.start).line].push(text);
  }
  return faults;
}

async function valueFaults(it) {
  const module = await import(pathToFileURL(join(folder, "node_modules", `${model(it)}.js`)));
  try {
    new module[it.kind](it).validate();
    return [];
  } catch (error) {
    return [error.message];
  }
}

const objects = JSON.parse(readFileSync(0, "utf8"));
const types = typeFaults(objects);
const values = await Promise.all(objects.map(valueFaults));
console.log(JSON.stringify(objects.map((_, index) => [...types[index], ...values[index]])));

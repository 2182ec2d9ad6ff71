// Writes the declarations of the library, as JSR makes them for npm, into the project that this runs in.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";

// The one of the project: no other test needs it.
const ts = createRequire(import.meta.url)("typescript");
const root = process.argv[2];
const target = resolve("node_modules/@larder/larder");
const { version, exports } = JSON.parse(readFileSync(`${root}deno.json`, "utf8"));
const program = ts.createProgram({
  rootNames: Object.values(exports).map((path) => resolve(root, path)),
  options: {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.NodeNext,
    moduleDetection: ts.ModuleDetectionKind.Force,
    allowImportingTsExtensions: true,
    noCheck: true, // the tests of types do that
    declaration: true,
    isolatedDeclarations: true,
    emitDeclarationOnly: true,
    types: [],
    rootDir: root,
    outDir: target,
  },
});
program.emit(undefined, (path, text) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text.replace(/(from\s*|import\()"(\.[^"]*)\.ts"/g, '$1"$2.js"'));
});
const entries = Object.entries(exports).map(([name, path]) => [name, { types: path.replace(/ts$/, "d.ts") }]);
writeFileSync(
  `${target}/package.json`,
  JSON.stringify({ name: "@larder/larder", version, type: "module", exports: Object.fromEntries(entries) }),
);

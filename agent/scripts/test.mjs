// Builds the Worker and the tests, and runs them with Node's own runner. Arguments are passed on to it.

import { spawnSync } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { ensureWorker } from "./lib/build.mjs";
import { DIST, ROOT } from "./lib/paths.mjs";

const source = path.join(ROOT, "test");
const built = path.join(DIST, "test");

await ensureWorker();
await rm(built, { recursive: true, force: true });
await build({
  entryPoints: (await readdir(source)).filter((name) => name.endsWith(".test.ts")).map((name) => path.join(source, name)),
  bundle: true,
  outdir: built,
  outExtension: { ".js": ".mjs" },
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  // The scripts find their files by where they are themselves.
  external: [path.join(ROOT, "scripts/*")],
  sourcemap: "inline",
  logLevel: "warning",
});
const files = (await readdir(built)).map((name) => path.join(built, name));
const options = ["--enable-source-maps", "--test", "--test-concurrency=2", "--test-reporter=spec"];
const { status } = spawnSync(process.execPath, [...options, ...process.argv.slice(2), ...files], { stdio: "inherit" });
process.exit(status ?? 1);

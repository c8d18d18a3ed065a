// The Worker in one file, as the runtime takes it.

import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { DIST, ROOT, WORKER } from "./paths.mjs";
import { options } from "./worker.mjs";

const STAMP = path.join(DIST, "worker.stamp");

/** Builds the Worker unless the one that is there was made of the very same files. */
export async function ensureWorker() {
  const wanted = await fingerprint();
  const built = await readFile(STAMP, "utf8").catch(() => "");
  const exists = await readFile(WORKER).then(() => true, () => false);
  if (built !== wanted || !exists) await buildWorker(wanted);
  return WORKER;
}

/** @param {string} stamp */
async function buildWorker(stamp) {
  // Loaded only here: a start without a build is quicker.
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    ...options,
    entryPoints: [path.join(ROOT, "src/index.ts")],
    write: false,
    outfile: WORKER,
    minifySyntax: true,
    legalComments: "none",
    logLevel: "warning",
  });
  await mkdir(DIST, { recursive: true });
  for (const { contents } of outputFiles) await replace(WORKER, contents);
  await replace(STAMP, stamp);
}

/**
 * Written aside and moved, so that a start in another terminal never reads half a file.
 * @param {string} file
 * @param {string | Uint8Array} contents
 */
async function replace(file, contents) {
  const aside = `${file}.${process.pid}`;
  await writeFile(aside, contents);
  await rename(aside, file);
}

/** What the Worker is made of: its source, the packages, and how it is built. */
async function fingerprint() {
  const sources = (await readdir(path.join(ROOT, "src"), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
  const hash = createHash("sha256");
  for (const file of [...sources, ...["package-lock.json", "scripts/lib/build.mjs", "scripts/lib/worker.mjs"].map((file) => path.join(ROOT, file))]) {
    hash.update(`${path.relative(ROOT, file)}\0`).update(await readFile(file));
  }
  return hash.digest("hex");
}

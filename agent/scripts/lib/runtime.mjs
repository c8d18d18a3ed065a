// The agent on a local Workers runtime: no account, no network.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ensureWorker } from "./build.mjs";
import { configuration } from "./config.mjs";

/** How long the runtime may take to listen and to answer. */
const START_MS = 30_000;
/** How long it may finish what it does. It waits for open sockets for ever, so it is not asked twice. */
const GRACE_MS = 300;

/**
 * @typedef {object} Options
 * @property {Record<string, string>} vars variables of the Worker
 * @property {string[]} [fromEnvironment] names of variables that hold secrets
 * @property {number} [port] any free one, if none is given
 * @property {string} [state] where conversations are kept; without it they end with the agent
 * @property {(line: string) => void} [log]
 *
 * @typedef {object} Agent
 * @property {string} origin
 * @property {number} pid
 * @property {Promise<number | null>} ended with the exit code, when the runtime is gone
 * @property {() => Promise<void>} stop
 */

/**
 * Starts the agent; it answers when the promise resolves.
 * @param {Options} options
 * @returns {Promise<Agent>}
 */
export async function startAgent({ vars, fromEnvironment = [], port = 0, state, log = console.log }) {
  const worker = await ensureWorker();
  const folder = await mkdtemp(path.join(tmpdir(), "callbox-agent-"));
  const kept = path.resolve(state ?? path.join(folder, "state"));
  await mkdir(kept, { recursive: true });
  await copyFile(worker, path.join(folder, "worker.js"));
  const config = path.join(folder, "agent.capnp");
  await writeFile(config, configuration({ port, state: kept, vars, fromEnvironment }));

  const runtime = spawn(binary(), ["serve", config, "--experimental", "--control-fd=3"], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: environment(fromEnvironment),
    windowsHide: true,
  });
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => {
    runtime.once("exit", (code) => resolve(code));
    runtime.once("error", () => resolve(null));
  });
  const watchdog = watch(runtime.pid, folder);
  for (const stream of [runtime.stdout, runtime.stderr]) if (stream) createInterface({ input: stream }).on("line", log);

  const stop = async () => {
    runtime.kill("SIGTERM");
    if (!(await within(GRACE_MS, ended))) runtime.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    watchdog.done();
  };
  try {
    const listening = await within(START_MS, Promise.race([listeningPort(runtime), ended.then(() => undefined)]));
    if (typeof listening?.value !== "number") throw new Error("The runtime did not start.");
    const origin = `http://127.0.0.1:${listening.value}`;
    const health = await fetch(`${origin}/health`, { signal: AbortSignal.timeout(START_MS) });
    if (!health.ok) throw new Error(`The agent answers with status ${health.status}.`);
    return { origin, pid: runtime.pid ?? 0, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function binary() {
  const require = createRequire(import.meta.url);
  /** @type {{ default: string }} */
  const { default: file } = require("workerd");
  return file;
}

/**
 * Nothing but what the runtime needs, and what it was told to read.
 * @param {string[]} names
 */
function environment(names) {
  const usual = ["PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SystemRoot", "SSL_CERT_FILE", "SSL_CERT_DIR"];
  return Object.fromEntries([...usual, ...names].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}

/**
 * The port that the runtime got, from its control messages.
 * @param {import("node:child_process").ChildProcess} runtime
 * @returns {Promise<number>}
 */
function listeningPort(runtime) {
  return new Promise((resolve) => {
    const control = /** @type {import("node:stream").Readable} */ (runtime.stdio[3]);
    createInterface({ input: control }).on("line", (line) => {
      const message = JSON.parse(line);
      if (message.event === "listen" && message.socket === "http") resolve(message.port);
    });
  });
}

/**
 * A process that ends the runtime when this one is gone without having done so, however it ended.
 * @param {number | undefined} pid
 * @param {string} folder
 */
function watch(pid, folder) {
  if (pid === undefined) return { done: () => {} };
  const script = fileURLToPath(new URL("./watchdog.mjs", import.meta.url));
  const dog = spawn(process.execPath, [script, String(pid), folder], { stdio: ["pipe", "ignore", "ignore"], detached: true, windowsHide: true });
  dog.on("error", () => {});
  dog.stdin.on("error", () => {});
  dog.unref();
  return { done: () => dog.stdin.end("done") };
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<{ value: T } | undefined>}
 */
async function within(ms, promise) {
  const timer = new AbortController();
  const late = once(timer.signal, "abort").then(() => undefined);
  const timeout = setTimeout(() => timer.abort(), ms);
  try {
    return await Promise.race([promise.then((value) => ({ value })), late]);
  } finally {
    clearTimeout(timeout);
  }
}

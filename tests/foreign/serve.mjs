// Builds a Worker and runs it on the Workers runtime: `node serve.mjs worker.mjs`, or another file, with variables for it behind, `NAME=value`.
// Prints `READY ORIGIN BOOKS`: where it listens, and where its storage can be looked at.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import workerd from "workerd";
import { options } from "../../agent/scripts/lib/worker.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const [entry, ...variables] = process.argv.slice(2);
const texts = variables.map((text) => text.split(/=(.*)/s)).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)}),`);
const folder = mkdtempSync(path.join(tmpdir(), "callbox-foreign-"));

await build({ ...options, entryPoints: [path.join(here, entry)], outfile: path.join(folder, "worker.js"), logLevel: "error" });
writeFileSync(path.join(folder, "kv.js"), readFileSync(path.join(here, "kv.mjs")));
writeFileSync(
  path.join(folder, "agent.capnp"),
  `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "agent", worker = .agent),
    (name = "kv", worker = .kv),
    (name = "state", disk = (path = "${folder}", writable = true)),
    (name = "internet", network = (allow = ["local"])),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:0", http = (), service = "agent"),
    (name = "books", address = "127.0.0.1:0", http = (), service = "kv"),
  ],
  # The SDK can receive e-mail; the module for that exists on Cloudflare only.
  extensions = [(modules = [
    (name = "cloudflare-internal:email", internal = true, esModule = "export class EmailMessage {} export default { EmailMessage };"),
  ])],
);

const agent :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-10-15",
  bindings = [
    (name = "ChatAgent", durableObjectNamespace = "ChatAgent"),
    (name = "OAUTH_KV", kvNamespace = "kv"),
    ${texts.join(" ")}
  ],
  durableObjectNamespaces = [(className = "ChatAgent", uniqueKey = "foreign-ChatAgent", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
);

const kv :Workerd.Worker = (
  modules = [(name = "kv.js", esModule = embed "kv.js")],
  compatibilityDate = "2026-10-15",
);
`,
);

const runtime = spawn(workerd.default, ["serve", path.join(folder, "agent.capnp"), "--experimental", "--control-fd=3"], {
  stdio: ["ignore", "inherit", "inherit", "pipe"],
});
runtime.on("exit", (code) => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(code ?? 1);
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => runtime.kill("SIGKILL"));

const ports = {};
createInterface({ input: runtime.stdio[3] }).on("line", (line) => {
  const { event, socket, port } = JSON.parse(line);
  if (event !== "listen") return;
  ports[socket] = port;
  if (ports.http && ports.books) console.log(`READY http://127.0.0.1:${ports.http} http://127.0.0.1:${ports.books}`);
});

// Builds the agent of one release and the SDK's client, `node build.mjs newest`, into its `dist`: each in one file, and the runtime's configuration.

import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { options } from "../../agent/scripts/lib/worker.mjs";

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), process.argv[2] ?? "newest");
const require = createRequire(path.join(folder, "package.json"));
const { build } = await import(pathToFileURL(require.resolve("esbuild")).href).then((module) => module.default ?? module);
const dist = path.join(folder, "dist");

/** A shell for skills, which is a package of its own; nobody here has any. */
const noShell = {
  name: "no-shell",
  setup(builder) {
    builder.onResolve({ filter: /^just-bash$/ }, ({ path: name }) => ({ path: name, namespace: "nothing" }));
    builder.onLoad({ filter: /.*/, namespace: "nothing" }, () => ({ contents: "export const Bash = undefined, defineCommand = undefined;" }));
  },
};

await mkdir(dist, { recursive: true });
const { metafile } = await build({
  ...options,
  metafile: true,
  entryPoints: [path.join(folder, "worker.mjs")],
  outfile: path.join(dist, "worker.js"),
  plugins: [...options.plugins, noShell],
  logLevel: "error",
});
// Node takes a second to find all of the client's modules by itself.
await build({
  entryPoints: [path.join(folder, "client.mjs")],
  bundle: true,
  outfile: path.join(dist, "client.cjs"),
  platform: "node",
  target: "node20",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "error",
});
// Every class of agents that the Worker exports is one of its namespaces.
const [{ exports }] = Object.values(metafile.outputs);
const classes = exports.filter((name) => name !== "default");
await writeFile(
  path.join(dist, "agent.capnp"),
  `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "agent", worker = .agent),
    (name = "state", disk = (writable = true)),
    # Nothing but this machine: the agent asks its own Worker for tools.
    (name = "internet", network = (allow = ["local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "agent")],
  # The SDK can receive e-mail; the module for that exists on Cloudflare only.
  extensions = [(modules = [
    (name = "cloudflare-internal:email", internal = true, esModule = "export class EmailMessage {} export default { EmailMessage };"),
  ])],
);

const agent :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-10-15",
  bindings = [${classes.map((name) => `(name = "${name}", durableObjectNamespace = "${name}")`)}],
  durableObjectNamespaces = [${classes.map((name) => `(className = "${name}", uniqueKey = "interop-${name}", enableSql = true)`)}],
  durableObjectStorage = (localDisk = "state"),
);
`,
);
await writeFile(path.join(dist, "runtime"), require("workerd").default);

// Builds the agent of one release, `node build.mjs newest`, into its `dist`: the Worker in one file, and the runtime's configuration.

import { mkdir, writeFile } from "node:fs/promises";
import { createRequire, builtinModules } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), process.argv[2] ?? "newest");
const require = createRequire(path.join(folder, "package.json"));
const { build } = await import(pathToFileURL(require.resolve("esbuild")).href).then((module) => module.default ?? module);
const dist = path.join(folder, "dist");

/** Node's own modules come with the runtime, as ES modules and under their full names. */
const nodeModules = {
  name: "node-modules",
  setup(builder) {
    const filter = new RegExp(`^(node:.*|${builtinModules.join("|")})$`);
    builder.onResolve({ filter }, ({ path: name, namespace }) => {
      const full = name.startsWith("node:") ? name : `node:${name}`;
      return namespace === "builtin" ? { path: full, external: true } : { path: full, namespace: "builtin" };
    });
    builder.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path: name }) => ({
      contents: `export * from ${JSON.stringify(name)}; export { default } from ${JSON.stringify(name)};`,
    }));
  },
};

await mkdir(dist, { recursive: true });
await build({
  entryPoints: [path.join(folder, "worker.mjs")],
  bundle: true,
  outfile: path.join(dist, "worker.js"),
  format: "esm",
  target: "es2024",
  conditions: ["workerd", "worker", "browser"],
  mainFields: ["browser", "module", "main"],
  external: ["cloudflare:*"],
  plugins: [nodeModules],
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "error",
});
await writeFile(
  path.join(dist, "agent.capnp"),
  `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "agent", worker = .agent), (name = "state", disk = (writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "agent")],
  # The SDK can receive e-mail; the module for that exists on Cloudflare only.
  extensions = [(modules = [
    (name = "cloudflare-internal:email", internal = true, esModule = "export class EmailMessage {} export default { EmailMessage };"),
  ])],
);

const agent :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-10-15",
  bindings = [(name = "ChatAgent", durableObjectNamespace = "ChatAgent")],
  durableObjectNamespaces = [(className = "ChatAgent", uniqueKey = "interop-ChatAgent", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
);
`,
);
await writeFile(path.join(dist, "runtime"), require("workerd").default);

// How a Worker becomes one file that the runtime takes: the same code of each package as in a bundle of Wrangler's.

import { builtinModules } from "node:module";

/**
 * Node's own modules come with the runtime, as ES modules and under their full names. Some packages still `require` them by the short one.
 * @type {import("esbuild").Plugin}
 */
const nodeModules = {
  name: "node-modules",
  setup(build) {
    const filter = new RegExp(`^(node:.*|${builtinModules.join("|")})$`);
    build.onResolve({ filter }, ({ path: name, namespace }) => {
      const full = name.startsWith("node:") ? name : `node:${name}`;
      return namespace === "builtin" ? { path: full, external: true } : { path: full, namespace: "builtin" };
    });
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path: name }) => ({
      contents: `export * from ${JSON.stringify(name)}; export { default } from ${JSON.stringify(name)};`,
    }));
  },
};

/**
 * What esbuild is told, beside what to build and where to.
 * @satisfies {import("esbuild").BuildOptions}
 */
export const options = {
  bundle: true,
  format: /** @type {const} */ ("esm"),
  target: "es2024",
  conditions: ["workerd", "worker", "browser"],
  mainFields: ["browser", "module", "main"],
  external: ["cloudflare:*"],
  plugins: [nodeModules],
  define: { "process.env.NODE_ENV": '"production"' },
};

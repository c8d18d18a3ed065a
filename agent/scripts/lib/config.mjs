// What the runtime is told: the same bindings and flags as wrangler.jsonc has for Cloudflare.

/**
 * @typedef {object} Setup
 * @property {number} port 0 for any free one
 * @property {string} state the folder for conversations
 * @property {Record<string, string>} vars variables of the Worker
 * @property {string[]} fromEnvironment variables that the runtime reads from its own environment: secrets never reach a file
 */

/** In step with wrangler.jsonc. From this date on the runtime has Node's modules without being told so. */
export const COMPATIBILITY_DATE = "2026-10-15";

/**
 * A configuration in Cap'n Proto's text form. It expects the Worker as `worker.js` beside itself.
 * @param {Setup} setup
 */
export function configuration({ port, state, vars, fromEnvironment }) {
  const bindings = [
    `(name = "ChatAgent", durableObjectNamespace = "ChatAgent")`,
    ...Object.entries(vars).map(([name, value]) => `(name = ${quote(name)}, text = ${quote(value)})`),
    ...fromEnvironment.map((name) => `(name = ${quote(name)}, fromEnvironment = ${quote(name)})`),
  ];
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "agent", worker = .agent),
    (name = "state", disk = (path = ${quote(state)}, writable = true)),
    # The tenant and the model may be on this machine.
    (name = "internet", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "agent")],
  # The SDK can receive e-mail; the module for that exists on Cloudflare only.
  extensions = [(modules = [
    (name = "cloudflare-internal:email", internal = true, esModule = "export class EmailMessage {} export default { EmailMessage };"),
  ])],
);

const agent :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [
    ${bindings.join(",\n    ")},
  ],
  durableObjectNamespaces = [(className = "ChatAgent", uniqueKey = "callbox-ChatAgent", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
);
`;
}

/** @param {string} text */
function quote(text) {
  const hex = (/** @type {string} */ character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return `"${text.replace(/[\\"]/g, "\\$&").replace(/[\x00-\x1f\x7f]/g, hex)}"`;
}

// Starts the agent on this machine and prints `READY ADDRESS` when it answers. See README.md.

import { parseArgs } from "node:util";
import { startAgent } from "./lib/runtime.mjs";

/** The tenant inside the app, where it was told to listen on this port: `callbox --sandbox-port 4180`. */
const DEFAULT_ISSUER = "http://127.0.0.1:4180/";
/** What the tokens of that tenant are made out to. */
const DEFAULT_AUDIENCE = "https://sandbox.callbox.dev/api";
/** How often to look whether whoever started us is still there. */
const PARENT_MS = 1_000;

const values = options();
const parent = process.ppid;
const agent = await startAgent({
  vars: { ISSUER: values.issuer, AUDIENCE: values.audience, ...modelVariables() },
  fromEnvironment: ["OPENAI_API_KEY"].filter((name) => process.env[name]),
  port: values.port,
  ...(values.state !== undefined && { state: values.state }),
}).catch((error) => fail(1, error));

let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  await agent.stop();
  process.exit(0);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => void stop());
setInterval(() => {
  if (!isAlive(parent)) void stop();
}, PARENT_MS);
void agent.ended.then((code) => {
  if (stopping) return;
  console.error(`The runtime ended by itself with code ${code}.`);
  process.exit(1);
});

console.log(`The model is ${modelVariables().MODEL}; tokens come from ${values.issuer}`);
console.log(`READY ${agent.origin}/agents/chat-agent`);

function options() {
  try {
    const { issuer, audience, port, state } = parseArgs({
      options: {
        issuer: { type: "string", default: DEFAULT_ISSUER },
        audience: { type: "string", default: DEFAULT_AUDIENCE },
        port: { type: "string", default: "0" },
        state: { type: "string" },
      },
    }).values;
    new URL(issuer);
    if (!/^\d{1,5}$/.test(port)) throw new Error(`${port} is no port.`);
    return { issuer, audience, port: Number(port), state };
  } catch (error) {
    return fail(2, error);
  }
}

/**
 * @param {number} code
 * @param {unknown} error
 * @returns {never}
 */
function fail(code, error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(code);
}

/** The script, unless the environment names an endpoint. */
function modelVariables() {
  const { MODEL, OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL, ALLOWED_ORIGINS, SCRIPT_PACE_MS } = process.env;
  const model = MODEL || (OPENAI_BASE_URL && OPENAI_API_KEY ? "openai-compatible" : "scripted");
  const others = Object.entries({ OPENAI_BASE_URL, OPENAI_MODEL, ALLOWED_ORIGINS, SCRIPT_PACE_MS });
  return { MODEL: model, ...Object.fromEntries(others.flatMap(([name, value]) => (value ? [[name, value]] : []))) };
}

/** @param {number} pid */
function isAlive(pid) {
  // Where a parent ends, its children get another one; Windows keeps the number, so it is asked for.
  if (process.platform !== "win32") return process.ppid === pid;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { COMPATIBILITY_DATE } from "../scripts/lib/config.mjs";
import { ROOT } from "../scripts/lib/paths.mjs";
import { newConversation, startPair } from "./support/agent";
import { Client, messages, textOf, toolsOf } from "./support/client";
import { AUDIENCE, Tenant } from "./support/tenant";

interface Served {
  readonly process: ChildProcess;
  readonly url: URL;
  readonly lines: string[];
}

/** The command that everybody else starts the agent with. */
async function serve(...options: string[]): Promise<Served> {
  const child = spawn(process.execPath, ["scripts/serve.mjs", ...options], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout });
  for await (const line of output) {
    lines.push(line);
    if (line.startsWith("READY ")) return { process: child, url: new URL(line.slice(6)), lines };
  }
  throw new Error(`The agent did not get ready:\n${lines.join("\n")}`);
}

/** Resolves when nothing listens there any more. */
async function isGone(url: URL): Promise<boolean> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const answers = await fetch(new URL("/health", url)).then(() => true, () => false);
    if (!answers) return true;
  }
  return false;
}

test("one line says where the agent is when it answers, and SIGTERM ends all of it at once", async () => {
  const tenant = await Tenant.start();
  const { process: child, url, lines } = await serve("--issuer", tenant.issuer, "--audience", AUDIENCE);
  assert.equal(lines.filter((line) => line.startsWith("READY ")).length, 1);
  assert.match(url.href, /^http:\/\/127\.0\.0\.1:\d+\/agents\/chat-agent$/);
  // The runtime would wait for an open socket for ever.
  const client = await Client.connect(url.origin, newConversation(), { token: await tenant.token() });
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  // On Windows there is no such signal: the command is killed, and the rest cleans up after it.
  if (process.platform !== "win32") assert.equal(code, 0);
  assert.equal(await isGone(url), true);
  assert.equal((await client.closed).code, 1006);
  await tenant.stop();
});

test("where the command is killed, the runtime ends too", async () => {
  const { process: child, url } = await serve();
  child.kill("SIGKILL");
  assert.equal(await isGone(url), true);
});

test("where whoever started the command is gone, it ends too", { skip: process.platform === "win32" }, async () => {
  const script = "node scripts/serve.mjs & echo started; wait";
  const shell = spawn("sh", ["-c", script], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: shell.stdout })) {
    if (!line.startsWith("READY ")) continue;
    shell.kill("SIGKILL");
    assert.equal(await isGone(new URL(line.slice(6))), true);
    return;
  }
  assert.fail("The agent did not get ready.");
});

test("with a folder for its state, conversations, their owner and open questions outlive the agent", async () => {
  const state = await mkdtemp(path.join(tmpdir(), "callbox-agent-test-"));
  const tenant = await Tenant.start();
  const token = await tenant.token();
  const conversation = newConversation();
  const first = await startPair({ tenant, state });
  const asking = await Client.connect(first.agent.origin, conversation, { token });
  const id = asking.ask("weather in Lima");
  await asking.done(id);
  const history = await messages(first.agent.origin, conversation, token);
  await first.agent.stop();

  const second = await startPair({ tenant, state });
  try {
    const { origin } = second.agent;
    assert.deepEqual(await messages(origin, conversation, token), history);
    await assert.rejects(messages(origin, conversation, await tenant.token({ sub: "test|grace" })), /403/);
    const client = await Client.connect(origin, conversation, { token });
    client.decide(toolsOf(history[1])[0].toolCallId, true);
    await client.continuation();
    assert.match(textOf((await messages(origin, conversation, token)).at(-1)), /\*\*Lima\*\*/);
    await client.close();
  } finally {
    await second.stop();
    await rm(state, { recursive: true, force: true });
  }
});

test("what runs here is what is deployed", async () => {
  const settings = await readFile(path.join(ROOT, "wrangler.jsonc"), "utf8");
  assert.ok(settings.includes(`"compatibility_date": "${COMPATIBILITY_DATE}"`));
});

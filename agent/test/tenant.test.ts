import assert from "node:assert/strict";
import { test } from "node:test";
import { newConversation, startPair } from "./support/agent";
import { Client, getMessages, messages, refused } from "./support/client";
import { Tenant, newKey } from "./support/tenant";

/** Asks again for as long as the agent says that the tenant is away. */
async function admitted(origin: string, token: string): Promise<number> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { status, headers } = await getMessages(origin, "c", token);
    if (status !== 503 || Date.now() > deadline) return status;
    await new Promise((resume) => setTimeout(resume, Number(headers.get("Retry-After")) * 1000));
  }
}

test("the tenant may start after the agent; until then nobody is sent away for good", async () => {
  const tenant = await Tenant.planned();
  const pair = await startPair({ tenant });
  try {
    const token = await tenant.token();
    const { status, challenge } = await refused(pair.agent.origin, newConversation(), { token });
    assert.deepEqual([status, challenge], [503, ""], "no challenge: the token is not to be thrown away");
    assert.equal((await refused(pair.agent.origin, newConversation())).status, 401, "no token needs no tenant");
    await tenant.start();
    assert.equal(await admitted(pair.agent.origin, token), 200);
  } finally {
    await pair.stop();
  }
});

test("rotated keys are found, and the old ones no longer count", async () => {
  const pair = await startPair();
  try {
    const { tenant, agent } = pair;
    const old = await tenant.token();
    assert.deepEqual(await messages(agent.origin, "c", old), []);
    tenant.rotateTo(await newKey("second"));
    assert.deepEqual(await messages(agent.origin, "c", await tenant.token()), []);
    assert.equal(tenant.fetches, 2);
    assert.equal((await getMessages(agent.origin, "c", old)).status, 401);
  } finally {
    await pair.stop();
  }
});

test("keys are kept while the tenant is away", async () => {
  const pair = await startPair();
  try {
    const token = await pair.tenant.token();
    assert.deepEqual(await messages(pair.agent.origin, "c", token), []);
    await pair.tenant.stop();
    assert.deepEqual(await messages(pair.agent.origin, "c", token), []);
  } finally {
    await pair.stop();
  }
});

test("invented key ids do not make the agent ask the tenant for ever", async () => {
  const pair = await startPair();
  try {
    const { tenant, agent } = pair;
    assert.deepEqual(await messages(agent.origin, "c", await tenant.token()), []);
    const begun = Date.now();
    const invented = await tenant.token({}, await newKey("invented"));
    for (let n = 0; n < 40; n += 1) assert.equal((await getMessages(agent.origin, "c", invented)).status, 401);
    // Once for the good token, five times in a row, and once more every twelve seconds.
    const most = 7 + Math.floor((Date.now() - begun) / 12_000);
    assert.ok(tenant.fetches <= most, `the key set was fetched ${tenant.fetches} times`);
  } finally {
    await pair.stop();
  }
});

test("a socket that outlives its token is closed at its next message, and the running answer goes on", async () => {
  const pair = await startPair({ vars: { SCRIPT_PACE_MS: "10" } });
  try {
    const { tenant, agent } = pair;
    const conversation = newConversation();
    // The agent allows five seconds more, for clocks that differ: this one is good for about six, and the answer takes twelve.
    const exp = Math.floor(Date.now() / 1000) + 1;
    const old = await Client.connect(agent.origin, conversation, { token: await tenant.token({ exp }) });
    const id = old.ask("stream 1200");
    await old.next((frame) => frame.type === "cf_agent_use_chat_response" && Date.now() / 1000 > exp + 5.1);
    const late = old.ask("what time is it");
    assert.deepEqual(await old.closed, { code: 1008, reason: "The access token has expired." });

    const client = await Client.connect(agent.origin, conversation, { token: await tenant.token() });
    await client.next((frame) => frame.type === "cf_agent_stream_resuming" && frame["id"] === id);
    client.send({ type: "cf_agent_stream_resume_ack", id });
    assert.equal(await client.done(id), "completed");
    assert.match(client.text(id), /^w0 .*w1199\.\s*$/s);
    assert.equal((await messages(agent.origin, conversation, await tenant.token())).length, 2, "the late message was not looked at");
    assert.deepEqual(client.chunks(late), []);
    await client.close();
  } finally {
    await pair.stop();
  }
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Pair, newConversation, startPair } from "./support/agent";
import { Client, messages, textOf } from "./support/client";

let pair: Pair;
let origin: string;
let token: string;

before(async () => {
  pair = await startPair({ vars: { SCRIPT_PACE_MS: "4" } });
  origin = pair.agent.origin;
  token = await pair.tenant.token();
});
after(() => pair.stop());

const words = (count: number) => Array.from({ length: count }, (_, n) => (n % 40 === 39 ? `w${n}.\n\n` : `w${n} `)).join("");
const isText = (frame: { type: string; body?: string }) => frame.type === "cf_agent_use_chat_response" && frame.body?.includes("text-delta") === true;

test("identity comes first, then an answer that says it is scripted", async () => {
  const conversation = newConversation();
  const client = await Client.connect(origin, conversation, { token });
  const id = client.ask("Hello");
  assert.equal(await client.done(id), "completed");
  assert.equal(client.frames[0]?.type, "cf_agent_identity");
  assert.equal(client.frames[0]?.["name"], conversation);
  assert.match(client.text(id), /scripted model/);
  await client.close();
});

test("an answer arrives in exactly as many pieces as the model has", async () => {
  const conversation = newConversation();
  const client = await Client.connect(origin, conversation, { token });
  const id = client.ask("stream 120");
  await client.done(id);
  assert.equal(client.chunks(id).filter(({ type }) => type === "text-delta").length, 120);
  assert.equal(client.text(id), words(120));
  await client.close();
});

test("get-messages has what was streamed", async () => {
  const conversation = newConversation();
  const client = await Client.connect(origin, conversation, { token });
  const first = client.ask("a tour, please");
  await client.done(first);
  const second = client.ask("thank you");
  await client.done(second);
  const history = await messages(origin, conversation, token);
  assert.deepEqual(history.map(({ role }) => role), ["user", "assistant", "user", "assistant"]);
  assert.deepEqual(history.map(textOf), ["a tour, please", client.text(first), "thank you", client.text(second)]);
  assert.equal(client.text(second), "You are welcome.");
  const { messageId } = client.chunks(first).find(({ type }) => type === "start");
  assert.match(messageId, /^assistant_/);
  assert.equal(history[1].id, messageId);
  await client.close();
});

test("a running answer is resumed after the network was gone, with nothing missing and nothing twice", async () => {
  const conversation = newConversation();
  const lost = await Client.connect(origin, conversation, { token });
  // It takes some seconds: longer than whatever is between the two sockets.
  const id = lost.ask("stream 2000");
  await lost.next(isText);
  lost.drop();

  const client = await Client.connect(origin, conversation, { token });
  await client.next((frame) => frame.type === "cf_agent_stream_resuming" && frame["id"] === id);
  client.send({ type: "cf_agent_stream_resume_ack", id });
  await client.next((frame) => frame["replayComplete"] === true);
  assert.equal(await client.done(id), "completed");
  assert.equal(client.text(id), words(2000));
  const history = await messages(origin, conversation, token);
  assert.equal(textOf(history[1]), words(2000));
  await client.close();
});

test("an answer that is stopped keeps what was said", async () => {
  const conversation = newConversation();
  const client = await Client.connect(origin, conversation, { token });
  const id = client.ask("stream 5000");
  await client.next(isText);
  client.send({ type: "cf_agent_chat_request_cancel", id });
  assert.equal(await client.done(id), "aborted");
  const [, answer] = await messages(origin, conversation, token);
  assert.ok(textOf(answer).startsWith("w0 "));
  assert.ok(textOf(answer).length < words(5000).length);
  await client.close();
});

test("two windows of one person see the same", async () => {
  const conversation = newConversation();
  const one = await Client.connect(origin, conversation, { token, pk: "one" });
  const two = await Client.connect(origin, conversation, { token, pk: "two" });
  const id = one.ask("stream 20");
  await Promise.all([one.done(id), two.done(id)]);
  assert.equal(two.text(id), one.text(id));
  await Promise.all([one.close(), two.close()]);
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Pair, newConversation, startPair } from "./support/agent";
import { Client, messages, textOf, toolsOf } from "./support/client";

let pair: Pair;
let origin: string;
let token: string;

before(async () => {
  pair = await startPair();
  origin = pair.agent.origin;
  token = await pair.tenant.token();
});
after(() => pair.stop());

/** Asks for the weather and stops where the agent asks back. */
async function askForWeather(conversation: string, text = "weather in Paris") {
  const client = await Client.connect(origin, conversation, { token });
  const id = client.ask(text);
  await client.done(id);
  const chunks = client.chunks(id);
  const calls = chunks.filter(({ type }) => type === "tool-input-available");
  assert.equal(chunks.filter(({ type }) => type === "tool-approval-request").length, calls.length);
  assert.ok(!chunks.some(({ type }) => type === "tool-output-available"), "nothing has run");
  return { client, calls: calls as { toolCallId: string; toolName: string; input: unknown }[] };
}

async function lastMessage(conversation: string): Promise<any> {
  return (await messages(origin, conversation, token)).at(-1);
}

test("the clock just runs", async () => {
  const conversation = newConversation();
  const client = await Client.connect(origin, conversation, { token });
  const id = client.ask("What time is it?");
  await client.done(id);
  const output = client.chunks(id).find(({ type }) => type === "tool-output-available").output;
  assert.match(output.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(output.timeZone, "UTC");
  assert.match(client.text(id), new RegExp(`\\*\\*${output.time.slice(11, 16)} UTC\\*\\*`));
  assert.ok(!client.chunks(id).some(({ type }) => type === "tool-approval-request"));
  const [tool] = toolsOf(await lastMessage(conversation));
  assert.deepEqual([tool.type, tool.state, tool.output], ["tool-getTime", "output-available", output]);
  await client.close();
});

test("the weather asks first; denied, it does not run, and the model is told", async () => {
  const conversation = newConversation();
  const { client, calls } = await askForWeather(conversation);
  assert.deepEqual(calls.map(({ toolName, input }) => [toolName, input]), [["getWeather", { city: "Paris", unit: "celsius" }]]);
  client.decide(calls[0]!.toolCallId, false);
  await client.continuation();
  const answer = await lastMessage(conversation);
  assert.match(textOf(answer), /did not look up the weather in Paris/);
  const [tool] = toolsOf(answer);
  assert.equal(tool.state, "output-denied");
  assert.equal(tool.output, undefined);
  await client.close();
});

test("the weather asks first; approved, it runs as it was asked, and says that it is made up", async () => {
  const conversation = newConversation();
  const { client, calls } = await askForWeather(conversation);
  client.decide(calls[0]!.toolCallId, true);
  await client.continuation();
  const answer = await lastMessage(conversation);
  assert.match(textOf(answer), /\*\*Paris\*\*: -?\d+ °C, .*made up/s);
  const [tool] = toolsOf(answer);
  assert.equal(tool.state, "output-available");
  assert.equal(tool.output.city, "Paris");
  assert.match(tool.output.note, /Made up/);
  await client.close();
});

test("two calls wait for two decisions", async () => {
  const conversation = newConversation();
  const { client, calls } = await askForWeather(conversation, "weather in New York and São Paulo, in Fahrenheit");
  assert.deepEqual(calls.map(({ input }) => input), [
    { city: "New York", unit: "fahrenheit" },
    { city: "São Paulo", unit: "fahrenheit" },
  ]);
  client.decide(calls[0]!.toolCallId, true);
  client.decide(calls[1]!.toolCallId, false);
  await client.continuation();
  assert.match(textOf(await lastMessage(conversation)), /\*\*New York\*\*: -?\d+ °F.*did not look up the weather in São Paulo/s);
  await client.close();
});

test("an approval waits over a reconnect", async () => {
  const conversation = newConversation();
  const { client: before, calls } = await askForWeather(conversation, "weather in Oslo");
  before.drop();
  const client = await Client.connect(origin, conversation, { token, pk: "another" });
  const [tool] = toolsOf(await lastMessage(conversation));
  assert.deepEqual([tool.state, tool.toolCallId], ["approval-requested", calls[0]!.toolCallId]);
  client.decide(tool.toolCallId, true);
  await client.continuation();
  assert.match(textOf(await lastMessage(conversation)), /\*\*Oslo\*\*/);
  await client.close();
});

test("the first decision counts", async () => {
  const conversation = newConversation();
  const { client, calls } = await askForWeather(conversation);
  client.decide(calls[0]!.toolCallId, false);
  client.decide(calls[0]!.toolCallId, true);
  await client.continuation();
  const [tool] = toolsOf(await lastMessage(conversation));
  assert.equal(tool.state, "output-denied");
  await client.close();
});

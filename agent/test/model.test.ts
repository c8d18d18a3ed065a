import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { type Pair, newConversation, startPair } from "./support/agent";
import { Client, messages, textOf } from "./support/client";

/** A model behind an OpenAI-compatible endpoint, as far as the agent needs one. */
const asked: { path: string; headers: IncomingHttpHeaders; body: any }[] = [];
const endpoint = createServer(async (request, response) => {
  let text = "";
  for await (const bytes of request) text += String(bytes);
  const body = JSON.parse(text);
  asked.push({ path: request.url ?? "", headers: request.headers, body });
  const last = body.messages.at(-1);
  if (last.content === "fail") {
    response.writeHead(401, { "Content-Type": "application/json" }).end(JSON.stringify({ error: { message: "the key sk-secret is wrong" } }));
    return;
  }
  const call = { index: 0, id: "call_1", type: "function", function: { name: "getWeather", arguments: '{"city":"Bern"}' } };
  const choices =
    last.role === "tool"
      ? [{ delta: { content: `It said: ${last.content}` } }, { delta: {}, finish_reason: "stop" }]
      : [{ delta: { tool_calls: [call] } }, { delta: {}, finish_reason: "tool_calls" }];
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  for (const choice of choices) {
    const chunk = { id: "x", object: "chat.completion.chunk", choices: [{ index: 0, ...choice }] };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  }
  response.end("data: [DONE]\n\n");
});

let pair: Pair;
let token: string;

before(async () => {
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  const { port } = endpoint.address() as AddressInfo;
  process.env["OPENAI_API_KEY"] = "sk-secret";
  pair = await startPair({
    vars: { MODEL: "openai-compatible", OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`, OPENAI_MODEL: "small" },
    fromEnvironment: ["OPENAI_API_KEY"],
  });
  token = await pair.tenant.token();
});
after(async () => {
  await pair.stop();
  endpoint.close();
});

test("a model behind an OpenAI-compatible endpoint calls the tools, and a person decides", async () => {
  const conversation = newConversation();
  const client = await Client.connect(pair.agent.origin, conversation, { token });
  await client.done(client.ask("weather?"));
  const [request] = asked;
  assert.equal(request?.path, "/v1/chat/completions");
  assert.equal(request?.headers.authorization, "Bearer sk-secret");
  assert.equal(request?.body.model, "small");
  assert.equal(request?.body.messages[0].role, "system");
  assert.deepEqual(request?.body.tools.map((tool: any) => tool.function.name), ["getTime", "getWeather"]);
  assert.equal(asked.length, 1, "it waits for the person");

  client.decide("call_1", true);
  await client.continuation();
  assert.match(textOf((await messages(pair.agent.origin, conversation, token)).at(-1)), /^It said: .*"city":"Bern".*Made up/);
  await client.close();
});

test("what a failing endpoint says is not passed on", async () => {
  const conversation = newConversation();
  const client = await Client.connect(pair.agent.origin, conversation, { token });
  const id = client.ask("fail");
  assert.equal(await client.done(id), "error");
  const frame = client.frames.find((frame) => frame["error"] === true);
  assert.equal(frame?.["body"], "The model answered with status 401.");
  assert.ok(!JSON.stringify(await messages(pair.agent.origin, conversation, token)).includes("sk-secret"));
  await client.close();
});

test("a model that is not set up is told as an error, and not as silence", async () => {
  const other = await startPair({ vars: { MODEL: "workers-ai" } });
  try {
    const client = await Client.connect(other.agent.origin, newConversation(), { token: await other.tenant.token() });
    const id = client.ask("hello");
    assert.equal(await client.done(id), "error");
    assert.match(client.frames.find((frame) => frame["error"] === true)?.["body"], /no binding AI/);
    await client.close();
  } finally {
    await other.stop();
  }
});

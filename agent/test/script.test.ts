import assert from "node:assert/strict";
import { test } from "node:test";
import type { LanguageModelV4Message, LanguageModelV4Prompt, LanguageModelV4ToolResultOutput } from "@ai-sdk/provider";
import { answerTo } from "../src/model/script";
import { ScriptedModel } from "../src/model/scripted";
import { inventWeather } from "../src/weather";

const asks = (text: string): LanguageModelV4Message => ({ role: "user", content: [{ type: "text", text }] });
const says = (text: string): LanguageModelV4Message => ({ role: "assistant", content: [{ type: "text", text }] });

function said(prompt: LanguageModelV4Prompt): string {
  const saying = answerTo(prompt);
  assert.equal(saying.kind, "text");
  return saying.kind === "text" ? saying.pieces.join("") : "";
}

function called(...prompt: LanguageModelV4Prompt): [string, unknown][] {
  const saying = answerTo(prompt);
  return saying.kind === "calls" ? saying.calls.map(({ name, input }) => [name, input]) : [];
}

function afterWeather(output: LanguageModelV4ToolResultOutput): LanguageModelV4Prompt {
  return [
    asks("weather in Oslo"),
    { role: "assistant", content: [{ type: "tool-call", toolCallId: "c", toolName: "getWeather", input: { city: "Oslo" } }] },
    { role: "tool", content: [{ type: "tool-result", toolCallId: "c", toolName: "getWeather", output }] },
  ];
}

test("the first answer says that it is a script and what to ask", () => {
  for (const question of ["hello", "a tour, please", "something long"]) {
    const first = said([asks(question)]);
    assert.match(first, /script.*weather in Paris/s, question);
    assert.notEqual(first, said([asks("hi"), says("Hello."), asks(question)]), question);
  }
});

test("questions become tool calls", () => {
  assert.deepEqual(called(asks("What time is it?")), [["getTime", {}]]);
  const paris = ["getWeather", { city: "Paris", unit: "celsius" }];
  assert.deepEqual(called(asks("weather in Paris")), [paris]);
  assert.deepEqual(called(asks("weather please")), [paris]);
  assert.deepEqual(called(asks("What is the weather in New York and São Paulo today, in Fahrenheit?")), [
    ["getWeather", { city: "New York", unit: "fahrenheit" }],
    ["getWeather", { city: "São Paulo", unit: "fahrenheit" }],
  ]);
});

test("a tool of the client's is called when its name is said, and its result is told", () => {
  const asked = asks("use getTimeZone");
  const saying = answerTo([asked], ["getTime", "getTimeZone"]);
  assert.deepEqual(saying, { kind: "calls", calls: [{ name: "getTimeZone", input: {} }] });
  const told = said([
    asked,
    { role: "assistant", content: [{ type: "tool-call", toolCallId: "c", toolName: "getTimeZone", input: {} }] },
    {
      role: "tool",
      content: [{ type: "tool-result", toolCallId: "c", toolName: "getTimeZone", output: { type: "json", value: { timeZone: "Asia/Tokyo" } } }],
    },
  ]);
  assert.match(told, /getTimeZone.*Asia\/Tokyo/s);
});

test("a denial is taken politely, an error is told", () => {
  assert.match(said(afterWeather({ type: "execution-denied" })), /not look up the weather in Oslo/);
  assert.match(said(afterWeather({ type: "error-text", value: "no sky" })), /did not work: no sky/);
});

test("what ran before an earlier question is not told again", () => {
  const ran = afterWeather({ type: "json", value: { city: "Oslo", temperature: 3, unit: "celsius", condition: "fog" } });
  assert.match(said(ran), /\*\*Oslo\*\*: 3 °C, fog/);
  assert.match(said([...ran, says("3 °C"), asks("thanks")]), /welcome/);
});

test("the pieces of an answer are the answer", () => {
  const saying = answerTo([asks("a tour")]);
  assert.ok(saying.kind === "text" && saying.pieces.length > 50);
  assert.equal(answerTo([asks("stream 300 rate 150")]).kind === "text" && said([asks("stream 300")]).split("w").length - 1, 300);
});

test("the scripted model can answer in one go too", async () => {
  const model = new ScriptedModel(0);
  const { content, finishReason } = await model.doGenerate({ prompt: [asks("what time is it")] });
  assert.equal(finishReason.unified, "tool-calls");
  assert.deepEqual(content.map((part) => part.type === "tool-call" && [part.toolName, part.input]), [["getTime", "{}"]]);
});

test("a city has its weather in either unit", () => {
  const celsius = inventWeather("Paris", "celsius");
  assert.deepEqual(celsius, inventWeather(" Paris ", "celsius"));
  const fahrenheit = inventWeather("paris", "fahrenheit");
  assert.equal(fahrenheit.condition, celsius.condition);
  assert.equal(fahrenheit.temperature, Math.trunc((celsius.temperature * 9) / 5) + 32);
  assert.throws(() => inventWeather(" ", "celsius"));
});

import type {
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4ToolCallPart,
  LanguageModelV4ToolResultOutput,
} from "@ai-sdk/provider";
import { TIME, WEATHER } from "../tools";
import * as answers from "./answers";

/** What the model does in one step. */
export type Saying = { kind: "text"; pieces: string[] } | { kind: "calls"; calls: Call[] };

interface Call {
  readonly name: string;
  readonly input: Record<string, string>;
}

/** More would be no test of anything. */
const MAX_PIECES = 100_000;
const MAX_CITIES = 4;

/** One step of the script: what a few words in the question decide. `tools`: the names of all there are. */
export function answerTo(prompt: LanguageModelV4Prompt, tools: string[] = [TIME, WEATHER]): Saying {
  const sinceUser = prompt.slice(prompt.findLastIndex(({ role }) => role === "user") + 1);
  const isFirst = !prompt.some((message) => message.role === "assistant" && textOf(message) !== "");
  const told = sinceUser.flatMap(calls).flatMap((call) => sentence(call, outputOf(call.toolCallId, sinceUser)) ?? []);
  if (told.length > 0) return say(withNote(told.join("\n\n"), isFirst));

  const last = prompt.findLast(({ role }) => role === "user");
  return last === undefined ? say(answers.INTRODUCTION) : reply(textOf(last), isFirst, tools);
}

function reply(asked: string, isFirst: boolean, tools: string[]): Saying {
  const words = asked.toLowerCase();
  const has = (...any: string[]) => any.some((word) => words.includes(word));

  const count = /^stream (\d+)(\s|$)/.exec(words)?.[1];
  if (count !== undefined) return { kind: "text", pieces: countUp(Math.min(Number(count), MAX_PIECES)) };
  // A tool of the client's is called when its name is said.
  const offered = tools.find((name) => name !== TIME && name !== WEATHER && has(name.toLowerCase()));
  if (offered !== undefined) return { kind: "calls", calls: [{ name: offered, input: {} }] };
  if (has("weather", "wetter", "forecast")) {
    const unit = has("fahrenheit", "°f") ? "fahrenheit" : "celsius";
    return { kind: "calls", calls: citiesOf(asked).map((city) => ({ name: WEATHER, input: { city, unit } })) };
  }
  if (has("time", "clock", "o'clock", "what day", "date")) return { kind: "calls", calls: [{ name: TIME, input: {} }] };

  if (has("tour", "markdown", "show")) return say(withNote(answers.TOUR, isFirst));
  if (has("long", "essay", "story")) return say(withNote(answers.LONG, isFirst));
  if (isFirst || has("help", "what can you")) return say(answers.INTRODUCTION);
  return say(has("thank") ? "You are welcome." : answers.shrug(asked));
}

function withNote(answer: string, isFirst: boolean): string {
  return isFirst ? `${answer}\n\n${answers.NOTE}` : answer;
}

function calls(message: LanguageModelV4Message): LanguageModelV4ToolCallPart[] {
  return message.role === "assistant" ? message.content.filter((part) => part.type === "tool-call") : [];
}

/** What came of a call. */
function outputOf(id: string, messages: LanguageModelV4Prompt): LanguageModelV4ToolResultOutput | undefined {
  for (const message of messages) {
    if (message.role !== "tool") continue;
    for (const part of message.content) if (part.type === "tool-result" && part.toolCallId === id) return part.output;
  }
  return undefined;
}

/** What to say when a tool has run, or was not allowed to. */
function sentence(call: LanguageModelV4ToolCallPart, output: LanguageModelV4ToolResultOutput | undefined): string | undefined {
  const input = isObject(call.input) ? call.input : {};
  switch (output?.type) {
    case undefined:
      return undefined;
    case "execution-denied":
      return answers.denied(String(input["city"] ?? "that city"));
    case "error-text":
      // Without a reason the AI SDK gives a model these words in place of the type.
      if (output.value === "Tool call execution denied.") return answers.denied(String(input["city"] ?? "that city"));
      return `That did not work: ${output.value}`;
    case "json":
      if (!isObject(output.value)) break;
      if (call.toolName === TIME) return answers.time(String(output.value["time"]));
      if (call.toolName === WEATHER) return answers.weather(output.value);
      return answers.clientTool(call.toolName, output.value);
  }
  return "The tool gave no result.";
}

/** The cities of a question: after "in", separated by commas or "and". Paris, if there is none. */
function citiesOf(asked: string): string[] {
  const named = /\s(?:in|for|at)\s(.*)/is.exec(asked)?.[1] ?? "";
  const cities = named.split(/,|\sand\s/i).map(cityIn).filter((city) => city !== "");
  return cities.length > 0 ? cities.slice(0, MAX_CITIES) : ["Paris"];
}

function cityIn(text: string): string {
  const city = text.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
  if (/^(in\s|fahrenheit$|celsius$)/i.test(city)) return "";
  return city.replace(/\s(today|tomorrow|now|please|right|in)(\s.*)?$/is, "").trim();
}

/** Word by word. */
function say(text: string): Saying {
  return { kind: "text", pieces: text.match(/[^ \n]*[ \n]|[^ \n]+$/g) ?? [] };
}

/** `stream 300`: exactly so many pieces, for tests and for measuring. */
function countUp(count: number): string[] {
  return Array.from({ length: count }, (_, n) => (n % 40 === 39 ? `w${n}.\n\n` : `w${n} `));
}

function textOf(message: LanguageModelV4Message): string {
  if (typeof message.content === "string") return message.content;
  return message.content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

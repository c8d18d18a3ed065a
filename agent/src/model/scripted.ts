import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { type Saying, answerTo } from "./script";

/** Pieces of a call's input, as a real model sends it bit by bit. */
const INPUT_PIECE = 8;

const USAGE: LanguageModelV4Usage = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};

/** A language model for the AI SDK that follows a script: for tests, and for trying the agent without any account. */
export class ScriptedModel implements LanguageModelV4 {
  readonly specificationVersion = "v4";
  readonly provider = "callbox";
  readonly modelId = "scripted";
  readonly supportedUrls = {};
  readonly #pace: number;

  /** `pace`: milliseconds between two pieces. */
  constructor(pace: number) {
    this.#pace = pace;
  }

  async doStream({ prompt, tools, abortSignal }: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const parts = streamParts(answerTo(prompt, namesOf(tools)));
    return {
      stream: new ReadableStream<LanguageModelV4StreamPart>({
        pull: async (controller) => {
          abortSignal?.throwIfAborted();
          const { value, done } = parts.next();
          if (done === true) return controller.close();
          if (this.#pace > 0 && (value.type === "text-delta" || value.type === "tool-input-delta")) {
            await new Promise((resume) => setTimeout(resume, this.#pace));
          }
          controller.enqueue(value);
        },
      }),
    };
  }

  async doGenerate({ prompt, tools }: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const saying = answerTo(prompt, namesOf(tools));
    const content: LanguageModelV4Content[] =
      saying.kind === "text"
        ? [{ type: "text", text: saying.pieces.join("") }]
        : saying.calls.map(({ name, input }) => ({ type: "tool-call", toolCallId: newCallId(), toolName: name, input: JSON.stringify(input) }));
    return { content, finishReason: finishReason(saying), usage: USAGE, warnings: [] };
  }
}

function namesOf(tools: LanguageModelV4CallOptions["tools"]): string[] {
  return (tools ?? []).map(({ name }) => name);
}

function* streamParts(saying: Saying): Generator<LanguageModelV4StreamPart, undefined> {
  yield { type: "stream-start", warnings: [] };
  if (saying.kind === "text") {
    const id = "txt-0";
    yield { type: "text-start", id };
    for (const delta of saying.pieces) yield { type: "text-delta", id, delta };
    yield { type: "text-end", id };
  } else {
    for (const { name, input } of saying.calls) yield* callParts(name, JSON.stringify(input));
  }
  yield { type: "finish", finishReason: finishReason(saying), usage: USAGE };
  return undefined;
}

function* callParts(toolName: string, input: string): Generator<LanguageModelV4StreamPart> {
  const id = newCallId();
  yield { type: "tool-input-start", id, toolName };
  const characters = Array.from(input);
  for (let at = 0; at < characters.length; at += INPUT_PIECE) {
    yield { type: "tool-input-delta", id, delta: characters.slice(at, at + INPUT_PIECE).join("") };
  }
  yield { type: "tool-input-end", id };
  yield { type: "tool-call", toolCallId: id, toolName, input };
}

function finishReason(saying: Saying): LanguageModelV4FinishReason {
  const unified = saying.kind === "text" ? "stop" : "tool-calls";
  return { unified, raw: unified };
}

function newCallId(): string {
  return `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModel } from "ai";
import { createWorkersAI } from "workers-ai-provider";
import { ConfigurationError, type Env } from "../env";
import { ScriptedModel } from "./scripted";

export const INSTRUCTIONS =
  "You are a friendly assistant that answers in Markdown. You have a clock and a weather tool. The weather is made up; say so when you " +
  "use it. When the person denies a tool call, accept it politely.";

const DEFAULT_WORKERS_AI_MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast";
const DEFAULT_OPENAI_MODEL = "gpt-4o-mini";
const DEFAULT_PACE_MS = 14;

/** Who answers, by the variable MODEL. */
export function chooseModel(env: Env): LanguageModel {
  switch (env.MODEL) {
    case "scripted":
      return new ScriptedModel(Number(env.SCRIPT_PACE_MS || DEFAULT_PACE_MS));
    case "workers-ai":
      if (env.AI === undefined) throw new ConfigurationError("MODEL is workers-ai, and there is no binding AI.");
      return createWorkersAI({ binding: env.AI })(env.WORKERS_AI_MODEL || DEFAULT_WORKERS_AI_MODEL);
    case "openai-compatible":
      return openAiCompatible(env);
    default:
      throw new ConfigurationError("MODEL has to be scripted, workers-ai or openai-compatible.");
  }
}

function openAiCompatible(env: Env): LanguageModel {
  if (!env.OPENAI_BASE_URL) throw new ConfigurationError("MODEL is openai-compatible, and OPENAI_BASE_URL is not set.");
  const provider = createOpenAICompatible({
    name: "openai-compatible",
    baseURL: env.OPENAI_BASE_URL,
    ...(env.OPENAI_API_KEY && { apiKey: env.OPENAI_API_KEY }),
  });
  return provider.chatModel(env.OPENAI_MODEL || DEFAULT_OPENAI_MODEL);
}

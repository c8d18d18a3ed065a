// The agent of the suite: nothing but the SDK and a scripted model.

import { AIChatAgent } from "@cloudflare/ai-chat";
import { routeAgentRequest } from "agents";
import { convertToModelMessages, createUIMessageStream, createUIMessageStreamResponse, isStepCount, streamText, tool } from "ai";
import { z } from "zod";
import { Gates, Script, extras } from "../script.mjs";

const inputSchema = z.looseObject({});
const tools = {
  echo: tool({ inputSchema, execute: (input) => ({ echo: input }) }),
  broken: tool({
    inputSchema,
    execute: () => {
      throw new Error("The tool is broken.");
    },
  }),
  ask: tool({ inputSchema, execute: (input) => ({ done: input }) }),
  here: tool({ inputSchema }),
};

export class ChatAgent extends AIChatAgent {
  gates = new Gates();

  async onRequest(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.endsWith("/open")) this.gates.open(searchParams.get("gate"));
    else if (pathname.endsWith("/state")) this.setState({ n: Number(searchParams.get("n")) });
    // The object is gone from memory; its storage stays.
    else if (pathname.endsWith("/abort")) this.ctx.abort("asked to");
    else return new Response("Not found", { status: 404 });
    return new Response("ok");
  }

  async onChatMessage(_onFinish, options) {
    const messages = await convertToModelMessages(this.messages, { tools });
    const stream = createUIMessageStream({
      execute: ({ writer }) => {
        for (const part of extras(this.messages)) writer.write(part);
        const result = streamText({
          model: new Script("v4", this.gates),
          messages,
          tools,
          toolApproval: { ask: "user-approval" },
          stopWhen: isStepCount(10),
          maxRetries: 0,
          abortSignal: options?.abortSignal,
          onError: () => {},
        });
        writer.merge(result.toUIMessageStream({ onError: say, sendSources: true, sendReasoning: true }));
      },
      onError: say,
    });
    return createUIMessageStreamResponse({ stream });
  }
}

const say = (error) => (error instanceof Error ? error.message : "Something went wrong.");

export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname === "/health") return new Response("ok");
    return (await routeAgentRequest(request, env)) ?? new Response("Not found", { status: 404 });
  },
};

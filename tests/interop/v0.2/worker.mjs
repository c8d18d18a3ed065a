// The agent of the suite: nothing but the SDK and a scripted model.

import { routeAgentRequest } from "agents";
import { AIChatAgent } from "agents/ai-chat-agent";
import { convertToModelMessages, createUIMessageStream, createUIMessageStreamResponse, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { Gates, Script, extras } from "../script.mjs";

const inputSchema = z.object({}).passthrough();
const tools = {
  echo: tool({ inputSchema, execute: (input) => ({ echo: input }) }),
  broken: tool({
    inputSchema,
    execute: () => {
      throw new Error("The tool is broken.");
    },
  }),
  here: tool({ inputSchema }),
};

export class ChatAgent extends AIChatAgent {
  gates = new Gates();

  async onRequest(request) {
    const { pathname, searchParams } = new URL(request.url);
    // What the SDK itself answers in front of this is `get-messages`.
    if (pathname.endsWith("/open")) this.gates.open(searchParams.get("gate"));
    else if (pathname.endsWith("/state")) this.setState({ n: Number(searchParams.get("n")) });
    else return super.onRequest(request);
    return new Response("ok");
  }

  async onChatMessage(onFinish, options) {
    const stream = createUIMessageStream({
      execute: ({ writer }) => {
        for (const part of extras(this.messages)) writer.write(part);
        const result = streamText({
          model: new Script("v2", this.gates),
          messages: convertToModelMessages(this.messages, { tools }),
          tools,
          stopWhen: stepCountIs(10),
          maxRetries: 0,
          abortSignal: options?.abortSignal,
          onFinish,
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

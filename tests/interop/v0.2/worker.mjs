// The agent of the suite: nothing but the SDK and a scripted model.

import { callable, routeAgentRequest } from "agents";
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
  // The client's to run.
  here: tool({ inputSchema }),
  // Run when the client's result says so.
  pay: tool({ inputSchema }),
};

/** The messages for the model: a call that the user has confirmed has been run by then, one that was denied says so. */
function confirmed(messages) {
  const result = (part) => (part.output === "Yes, confirmed." ? { paid: part.input } : "Error: User denied access to tool execution");
  const parts = (message) => message.parts.map((part) => (part.type === "tool-pay" && part.output ? { ...part, output: result(part) } : part));
  return messages.map((message) => ({ ...message, parts: parts(message) }));
}

export class ChatAgent extends AIChatAgent {
  gates = new Gates();

  async onRequest(request) {
    const { pathname, searchParams } = new URL(request.url);
    // What the SDK itself answers in front of this is `get-messages`.
    if (pathname.endsWith("/open")) this.gates.open(searchParams.get("gate"));
    else if (pathname.endsWith("/state")) this.setState({ n: Number(searchParams.get("n")) });
    // The object is gone from memory; its storage stays.
    else if (pathname.endsWith("/abort")) this.ctx.abort("asked to");
    else return super.onRequest(request);
    return new Response("ok");
  }

  @callable()
  add(a, b) {
    return a + b;
  }

  async onChatMessage(onFinish, options) {
    const stream = createUIMessageStream({
      execute: ({ writer }) => {
        for (const part of extras(this.messages)) writer.write(part);
        const result = streamText({
          model: new Script("v2", this.gates),
          messages: convertToModelMessages(confirmed(this.messages), { tools }),
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

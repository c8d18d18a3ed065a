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

const words = { "Yes, confirmed.": true, "No, denied.": false };

export class ChatAgent extends AIChatAgent {
  gates = new Gates();
  /** How often money was paid. */
  paid = 0;

  /** The messages for the model: a call of the last one that the user has confirmed has been run by then, one that was denied says so. */
  confirmed() {
    const run = (part) => {
      if (part.type !== "tool-pay" || !(part.output in words)) return part;
      if (!words[part.output]) return { ...part, output: "Error: User denied access to tool execution" };
      this.paid += 1;
      return { ...part, output: { paid: part.input } };
    };
    const last = this.messages.at(-1);
    return last?.role === "assistant" ? [...this.messages.slice(0, -1), { ...last, parts: last.parts.map(run) }] : this.messages;
  }

  async onRequest(request) {
    const { pathname, searchParams } = new URL(request.url);
    // What the SDK itself answers in front of this is `get-messages`.
    if (pathname.endsWith("/open")) this.gates.open(searchParams.get("gate"));
    else if (pathname.endsWith("/paid")) return new Response(this.paid);
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
          messages: convertToModelMessages(this.confirmed(), { tools }),
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

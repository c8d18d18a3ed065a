// The agent behind each door.

import { AIChatAgent } from "@cloudflare/ai-chat";
import { routeAgentRequest } from "agents";
import { createUIMessageStream, createUIMessageStreamResponse } from "ai";

/** Says back what it was told, in pieces. */
export class ChatAgent extends AIChatAgent {
  async onChatMessage() {
    const said = this.messages.at(-1).parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
    const stream = createUIMessageStream({
      execute: ({ writer }) => {
        writer.write({ type: "text-start", id: "echo" });
        for (const word of `You said: ${said}`.split(/(?<= )/)) writer.write({ type: "text-delta", id: "echo", delta: word });
        writer.write({ type: "text-end", id: "echo" });
      },
    });
    return createUIMessageStreamResponse({ stream });
  }
}

/** Hands a request that has been let in to its conversation. */
export const route = async (request, env) => (await routeAgentRequest(request, env)) ?? new Response("Not found", { status: 404 });

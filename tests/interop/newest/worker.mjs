// The agents of the suite: nothing but the SDK and a scripted model.

import { AIChatAgent, createToolsFromClientSchemas } from "@cloudflare/ai-chat";
import { Think } from "@cloudflare/think";
import { McpServer } from "@modelcontextprotocol/server";
import { callable, getAgentByName, routeAgentRequest } from "agents";
import { agentTool } from "agents/agent-tools";
import { createMcpHandler } from "agents/mcp/server";
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
  // The client's to run.
  here: tool({ inputSchema }),
};

/** What the suite asks of every agent over HTTP, and a method for clients. */
const asked = (Agent) =>
  class extends Agent {
    gates = new Gates();
    /** Another one for each life of the object in memory. */
    life = crypto.randomUUID();

    async onRequest(request) {
      const { pathname, searchParams, origin } = new URL(request.url);
      if (pathname.endsWith("/open")) this.gates.open(searchParams.get("gate"));
      else if (pathname.endsWith("/state")) this.setState({ n: Number(searchParams.get("n")) });
      else if (pathname.endsWith("/tools")) await this.addMcpServer("weather", `${origin}/mcp`, { callbackHost: origin });
      else if (pathname.endsWith("/life")) return new Response(this.life);
      // The object is gone from memory; its storage stays.
      else if (pathname.endsWith("/abort")) this.ctx.abort("asked to");
      else return new Response("Not found", { status: 404 });
      return new Response("ok");
    }

    @callable()
    add(a, b) {
      return a + b;
    }
  };

class Scripted extends asked(AIChatAgent) {
  tools(options) {
    return { ...tools, ...createToolsFromClientSchemas(options?.clientTools) };
  }

  async onChatMessage(_onFinish, options) {
    const tools = this.tools(options);
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

/** Runs inside another agent: for a call of its model, or at an address of its own. */
export class HelperAgent extends Scripted {
  formatAgentToolInput(input, { runId }) {
    return { id: `input-${runId}`, role: "user", parts: [{ type: "text", text: JSON.stringify(input) }] };
  }
}

export class ChatAgent extends Scripted {
  tools(options) {
    return { ...super.tools(options), delegate: agentTool(HelperAgent, { description: "Somebody else does it.", inputSchema }) };
  }
}

export class LatestAgent extends Scripted {
  messageConcurrency = "latest";
}

export class MergeAgent extends Scripted {
  messageConcurrency = "merge";
}

export class DropAgent extends Scripted {
  messageConcurrency = "drop";
}

export class DebounceAgent extends Scripted {
  messageConcurrency = { strategy: "debounce", debounceMs: 50 };
}

/** The SDK's other agent that speaks chat. */
export class ThinkAgent extends asked(Think) {
  getModel() {
    return new Script("v4", this.gates);
  }

  getSystemPrompt() {
    return "Say what you are told to.";
  }

  getTools() {
    return { ...tools, ask: tool({ inputSchema, needsApproval: true, execute: (input) => ({ done: input }) }) };
  }
}

const mcp = createMcpHandler(() => {
  const server = new McpServer({ name: "weather", version: "1.0.0" });
  const text = async () => ({ content: [{ type: "text", text: "Sunny." }] });
  server.registerTool("forecast", { description: "The weather", inputSchema: { city: z.string() } }, text);
  return server;
});

/** Which conversation an address leads to that names none. */
const moved = new Map();

/** `/own/{address}`: the Worker chooses the conversation. */
async function own(request, env) {
  const { pathname, searchParams } = new URL(request.url);
  const [, , address, below] = pathname.split("/");
  if (below === "move") {
    moved.set(address, searchParams.get("to"));
    return new Response("ok");
  }
  return (await getAgentByName(env.ChatAgent, moved.get(address) ?? `of-${address}`)).fetch(request);
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/mcp") return mcp(request, env, ctx);
    if (pathname.startsWith("/own/")) return own(request, env);
    const prefix = pathname.startsWith("/some/where/") ? "some/where" : "agents";
    return (await routeAgentRequest(request, env, { prefix })) ?? new Response("Not found", { status: 404 });
  },
};

import { AIChatAgent, type OnChatMessageOptions, createToolsFromClientSchemas } from "@cloudflare/ai-chat";
import type { Connection, ConnectionContext } from "agents";
import { APICallError, convertToModelMessages, createUIMessageStream, createUIMessageStreamResponse, isStepCount, streamText } from "ai";
import { notYours, plain } from "./challenge";
import type { Env } from "./env";
import { INSTRUCTIONS, chooseModel } from "./model";
import { hasExpired } from "./token";
import { approvals, tools } from "./tools";
import { type Visitor, visitorOf } from "./visitor";

/** A model that calls tools for ever is stopped here. */
const MAX_STEPS = 10;
/** Whose the conversation is, in its storage. */
const OWNER = "owner";
/** The tag of a socket that says when its token runs out. A tag, because it is still there after hibernation. */
const EXPIRES = "expires:";

/** What the runtime reports where a close frame had no code (RFC 6455, section 7.4.1). */
const NO_CODE = 1005;

/** One conversation. It belongs to the first person who connects to it. */
export class ChatAgent extends AIChatAgent<Env> {
  override async fetch(request: Request): Promise<Response> {
    const visitor = visitorOf(request);
    if (visitor === undefined || !this.#admits(visitor)) return notYours();
    const isUpgrade = request.headers.get("Upgrade")?.toLowerCase() === "websocket";
    // Looking at a conversation that is nobody's does not make it one's own.
    if (isUpgrade && this.#owner() === undefined) this.ctx.storage.kv.put(OWNER, identityOf(visitor));
    return super.fetch(request);
  }

  /** There are no agents inside this one; the SDK would make some on request. */
  override async onBeforeSubAgent(): Promise<Response> {
    return plain(404, "Not found");
  }

  override getConnectionTags(_connection: Connection, { request }: ConnectionContext): string[] {
    return [`${EXPIRES}${visitorOf(request)?.expires ?? 0}`];
  }

  /**
   * The runtime's own entry for a message, in front of all that the SDK does with one. A socket that has outlived its token is closed
   * and its message not looked at; an answer that is running goes on, and can be resumed with a new token.
   */
  override async webSocketMessage(socket: WebSocket, message: ArrayBuffer | string): Promise<void> {
    const tag = this.ctx.getTags(socket).find((tag) => tag.startsWith(EXPIRES));
    if (hasExpired(Number(tag?.slice(EXPIRES.length) ?? 0))) {
      socket.close(1008, "The access token has expired.");
      return;
    }
    await this.lifecycle.webSocketMessage(socket, message);
  }

  /** The SDK leaves a goodbye without a code unanswered, and the client would wait for the answer. */
  override async webSocketClose(socket: WebSocket, code: number, reason: string, wasClean: boolean): Promise<void> {
    await this.lifecycle.webSocketClose(socket, code, reason, wasClean);
    if (code === NO_CODE && wasClean) socket.close();
  }

  override async onChatMessage(_onFinish: unknown, options?: OnChatMessageOptions): Promise<Response> {
    try {
      // What the client offers runs at the client, and takes the place of nothing that runs here.
      const all = { ...createToolsFromClientSchemas(options?.clientTools), ...tools };
      const result = streamText({
        model: chooseModel(this.env),
        instructions: INSTRUCTIONS,
        messages: await convertToModelMessages(this.messages, { tools: all }),
        tools: all,
        toolApproval: approvals,
        stopWhen: isStepCount(MAX_STEPS),
        ...(options?.abortSignal && { abortSignal: options.abortSignal }),
        onError: ({ error }) => console.error(describe(error)),
      });
      return result.toUIMessageStreamResponse({ onError: describe });
    } catch (error) {
      // What is thrown from here, the SDK tells nobody: the person would wait for ever.
      const stream = createUIMessageStream({ execute: () => Promise.reject(error), onError: describe });
      return createUIMessageStreamResponse({ stream });
    }
  }

  #admits(visitor: Visitor): boolean {
    const owner = this.#owner();
    return owner === undefined || owner === identityOf(visitor);
  }

  #owner(): string | undefined {
    return this.ctx.storage.kv.get<string>(OWNER);
  }
}

/** A subject is only unique at its issuer. */
function identityOf({ issuer, subject }: Visitor): string {
  return JSON.stringify([issuer, subject]);
}

/** What a person is told when a model or a tool fails: no address, no header, no body of somebody else's answer. */
function describe(error: unknown): string {
  if (APICallError.isInstance(error)) {
    return error.statusCode === undefined ? "The model could not be reached." : `The model answered with status ${error.statusCode}.`;
  }
  return error instanceof Error ? error.message : "Something went wrong.";
}

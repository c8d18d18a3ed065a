import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";

/** What a test waits for comes within this time, on a machine that is busy with something else too, or the test fails. */
const PATIENCE_MS = 120_000;

export interface Frame {
  readonly type: string;
  readonly [member: string]: any;
}

export interface Refused {
  readonly status: number;
  readonly challenge: string;
  readonly body: string;
}

interface Handshake {
  readonly token?: string;
  readonly headers?: Record<string, string>;
  readonly query?: string;
  readonly pk?: string;
}

function address(origin: string, conversation: string): string {
  return `${origin}/agents/chat-agent/${conversation}`;
}

function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

function handshake(origin: string, conversation: string, { token, headers, query = "", pk = "pk" }: Handshake): WebSocket {
  const url = `${address(origin, conversation).replace("http", "ws")}?_pk=${pk}${query}`;
  return new WebSocket(url, { headers: { ...authorization(token), ...headers } });
}

/** A handshake that has to be refused. */
export async function refused(origin: string, conversation: string, options: Handshake = {}): Promise<Refused> {
  const socket = handshake(origin, conversation, options);
  socket.on("error", () => {});
  const [, response] = (await Promise.race([
    once(socket, "unexpected-response"),
    once(socket, "open").then(() => Promise.reject(new Error("The handshake was not refused."))),
  ])) as [unknown, IncomingMessage];
  let body = "";
  for await (const bytes of response) body += String(bytes);
  return { status: response.statusCode ?? 0, challenge: response.headers["www-authenticate"] ?? "", body };
}

export async function getMessages(origin: string, conversation: string, token?: string): Promise<Response> {
  return fetch(`${address(origin, conversation)}/get-messages`, { headers: authorization(token) });
}

/** The conversation as the agent itself has it. */
export async function messages(origin: string, conversation: string, token: string): Promise<any[]> {
  const answer = await getMessages(origin, conversation, token);
  if (!answer.ok) throw new Error(`get-messages was answered with ${answer.status}`);
  return (await answer.json()) as any[];
}

export function textOf(message: any): string {
  return message.parts.flatMap((part: any) => (part.type === "text" ? [part.text] : [])).join("");
}

export function toolsOf(message: any): any[] {
  return message.parts.filter(({ type }: { type: string }) => type.startsWith("tool-"));
}

/** One socket to a conversation, as the app has one. */
export class Client {
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #read = 0;
  #news: () => void = () => {};

  private constructor(readonly socket: WebSocket) {
    socket.on("message", (data) => {
      this.frames.push(JSON.parse(String(data)) as Frame);
      this.#news();
    });
    this.closed = once(socket, "close").then(([code, reason]) => ({ code: code as number, reason: String(reason) }));
  }

  static async connect(origin: string, conversation: string, options: Handshake): Promise<Client> {
    const socket = handshake(origin, conversation, options);
    const client = new Client(socket);
    await once(socket, "open");
    return client;
  }

  send(frame: Frame): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Sends a message of the person. Its request id comes back. */
  ask(text: string): string {
    const id = crypto.randomUUID();
    const message = { id: crypto.randomUUID(), role: "user", parts: [{ type: "text", text }] };
    const body = JSON.stringify({ messages: [message], trigger: "submit-message" });
    this.send({ type: "cf_agent_use_chat_request", id, init: { method: "POST", body } });
    return id;
  }

  decide(toolCallId: string, approved: boolean): void {
    this.send({ type: "cf_agent_tool_approval", toolCallId, approved, autoContinue: true });
  }

  /** The next frame that is wanted; frames before it are skipped. */
  async next(wanted: (frame: Frame) => boolean): Promise<Frame> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      for (; this.#read < this.frames.length; this.#read += 1) {
        const frame = this.frames[this.#read];
        if (frame !== undefined && wanted(frame)) {
          this.#read += 1;
          return frame;
        }
      }
      await this.#arrival(deadline);
    }
  }

  /** How a request's answer ended. The agent names only what is out of the ordinary. */
  async done(id: string): Promise<string> {
    const isAnswer = (frame: Frame) => frame.type === "cf_agent_use_chat_response" && frame["id"] === id;
    const { outcome } = await this.next((frame) => isAnswer(frame) && frame["done"] === true);
    return outcome ?? (this.frames.some((frame) => isAnswer(frame) && frame["error"] === true) ? "error" : "completed");
  }

  /**
   * Takes up what the agent goes on with after a decision, until it has ended. Where that was quicker than we are, its pieces are not
   * sent any more: what was said is in the conversation.
   */
  async continuation(): Promise<void> {
    const { id } = (await this.next(({ type }) => type === "cf_agent_stream_resuming")) as Frame & { id: string };
    this.send({ type: "cf_agent_stream_resume_ack", id });
    await this.done(id);
  }

  /** The pieces of an answer, in order and each once. */
  chunks(id: string): any[] {
    const bodies = new Map<number, any>();
    for (const frame of this.frames) {
      if (frame.type !== "cf_agent_use_chat_response" || frame["id"] !== id || frame["seq"] === undefined) continue;
      bodies.set(frame["seq"], JSON.parse(frame["body"]));
    }
    return [...bodies].sort(([a], [b]) => a - b).map(([, body]) => body);
  }

  text(id: string): string {
    return this.chunks(id).flatMap((chunk) => (chunk.type === "text-delta" ? [chunk.delta] : [])).join("");
  }

  /** As when the network is gone: no goodbye. */
  drop(): void {
    this.socket.terminate();
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }

  async #arrival(deadline: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#news = resolve;
      timer = setTimeout(() => {
        const last = this.frames.slice(-5).map((frame) => JSON.stringify(frame).slice(0, 300));
        reject(new Error(`The frame did not come. The last ones were:\n${last.join("\n")}`));
      }, deadline - Date.now());
    });
    clearTimeout(timer);
  }
}

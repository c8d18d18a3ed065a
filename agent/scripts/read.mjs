// How fast the SDK's own client reads an answer: its agent client, its transport and the AI SDK's chat, put together as its hooks do it, from the
// text of a frame to a message in a list. Without what the hooks and React add to that, and without a network: the frames are there.
//
// Run by `cargo xtask bench`. A line of JSON comes in, another goes out:
// {"load": FILE} -> {"messages": [what comes of the frames]}, a recording of one client;
// {"measure": "read" | "parse"} -> {"nanoseconds": one pass over all frames}; `parse` is JSON.parse of each frame and of the chunk in it.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setImmediate as otherTasks } from "node:timers/promises";
import { WebSocketChatTransport } from "agents/chat/transport";
import { AgentClient } from "agents/client";
import { AbstractChat } from "ai";

/** A measurement takes so long at least, in nanoseconds. */
const LONG_ENOUGH = 10_000_000;
/** Measurements before the first that counts. */
const WARM_UP = 20;
/** Frames that are handed over at once; a socket hands over one. More at once is quicker, until the queues of the streams grow long. */
const BURST = 64;

/** @import { ChatState, ChatTransport, UIMessage } from "ai" */

/**
 * Frames that belong together: those that follow a request of ours, an offer to resume, or nothing of the kind.
 * @typedef {object} Stretch
 * @property {{ id: string, message: UIMessage } | undefined} request
 * @property {string | undefined} resumed
 * @property {string[]} frames
 * @property {boolean} closed
 */

/**
 * A list of messages that nobody watches.
 * @implements {ChatState<UIMessage>}
 */
class Messages {
  /** @type {ChatState<UIMessage>["status"]} */
  status = "ready";
  /** @type {Error | undefined} */
  error = undefined;
  /** @type {UIMessage[]} */
  messages = [];
  pushMessage = (/** @type {UIMessage} */ message) => void this.messages.push(message);
  popMessage = () => void this.messages.pop();
  replaceMessage = (/** @type {number} */ index, /** @type {UIMessage} */ message) => void (this.messages[index] = message);
  /** @type {ChatState<UIMessage>["snapshot"]} */
  snapshot = (thing) => structuredClone(thing);
}

/** @extends {AbstractChat<UIMessage>} */
class Chat extends AbstractChat {}

/** The socket below the client, without a network: what comes is told by hand. */
class Socket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  /** @type {Socket | undefined} */
  static current;
  /** The last frame of ours. */
  static sent = "";

  binaryType = "blob";
  readyState = Socket.CONNECTING;
  /** @type {((event: Event) => void)[]} */
  hearers = [];

  constructor() {
    super();
    Socket.current = this;
    setImmediate(() => {
      this.readyState = Socket.OPEN;
      this.dispatchEvent(new Event("open"));
    });
  }

  /** @param {string} frame */
  send(frame) {
    Socket.sent = frame;
  }

  close() {
    this.readyState = Socket.CLOSED;
  }

  /**
   * What hears of frames is called as it is: a socket of the browser costs a page nothing but that.
   * @override
   * @param {string} type
   * @param {(event: Event) => void} listener
   */
  addEventListener(type, listener) {
    if (type === "message") this.hearers.push(listener);
    else super.addEventListener(type, listener);
  }

  /** @param {MessageEvent} event */
  tell(event) {
    for (const hearer of this.hearers) hearer(event);
  }

  lose() {
    this.readyState = Socket.CLOSED;
    this.dispatchEvent(Object.assign(new Event("close"), { code: 1006, reason: "", wasClean: false }));
  }
}

/**
 * The socket of a client, when it is open.
 * @param {AgentClient} agent
 */
async function open(agent) {
  while (agent.readyState !== Socket.OPEN) await otherTasks();
  if (!Socket.current) throw new Error("the client has opened no socket");
  return Socket.current;
}

/**
 * @param {string} path
 * @returns {Stretch[]}
 */
function read(path) {
  /** @type {Stretch[]} */
  const stretches = [];
  const begin = (/** @type {Partial<Stretch>} */ stretch) =>
    stretches.push({ request: undefined, resumed: undefined, frames: [], closed: false, ...stretch });
  begin({});
  for (const text of readFileSync(path, "utf8").trim().split("\n")) {
    const line = JSON.parse(text);
    const frame = line.raw === undefined ? {} : JSON.parse(line.raw);
    const current = stretches.at(-1);
    if (line.dir === "out" && frame.type === "cf_agent_use_chat_request") {
      begin({ request: { id: frame.id, message: JSON.parse(frame.init.body).messages.at(-1) } });
    } else if (line.dir === "in" && frame.type === "cf_agent_stream_resuming") {
      begin({ resumed: frame.id });
    } else if (line.dir === "in") {
      current?.frames.push(line.raw);
    } else if (line.dir === "meta" && line.text.startsWith("socket closed") && current) {
      current.closed = true;
    }
  }
  return stretches;
}

/**
 * All frames; what comes of them, and how long it took.
 * @param {Stretch[]} stretches
 */
async function pass(stretches) {
  const agent = new AgentClient({
    agent: "chat-agent",
    name: "bench",
    host: "agent.invalid",
    WebSocket: Socket,
    minReconnectionDelay: 0,
    onIdentityChange() {},
  });
  const transport = new WebSocketChatTransport({ agent });
  const state = new Messages();
  // The two packages write the same options differently, as to what may be undefined.
  const chat = new Chat({ transport: /** @type {ChatTransport<UIMessage>} */ (/** @type {unknown} */ (transport)), state });
  let nanoseconds = 0;
  for (const { request, resumed, frames, closed } of stretches) {
    const socket = await open(agent);
    let answer;
    let told = frames;
    if (request) {
      answer = chat.sendMessage(request.message);
      // The transport makes up the id of a request.
      const [recorded, id] = [request.id, JSON.parse(Socket.sent).id].map((id) => `"id":${JSON.stringify(id)}`);
      told = frames.map((frame) => flat(frame.replace(recorded ?? "", id ?? "")));
    } else if (resumed !== undefined) {
      answer = chat.resumeStream();
      if (!transport.handleStreamResuming({ id: resumed })) throw new Error("the transport does not wait for an offer to resume");
      await otherTasks();
    }
    const events = told.map((data) => new MessageEvent("message", { data }));
    const started = process.hrtime.bigint();
    for (const [index, event] of events.entries()) {
      socket.tell(event);
      if (index % BURST === BURST - 1) await otherTasks();
    }
    if (closed) socket.lose();
    await answer;
    nanoseconds += Number(process.hrtime.bigint() - started);
    if (state.error && !closed) throw state.error;
  }
  agent.close();
  return { nanoseconds, messages: state.messages };
}

/**
 * The same text in one piece, as a socket brings it.
 * @param {string} text
 */
function flat(text) {
  return Buffer.from(text).toString();
}

/**
 * Nothing but parsing.
 * @param {Stretch[]} stretches
 */
function parse(stretches) {
  const started = process.hrtime.bigint();
  let objects = 0;
  for (const { frames } of stretches) {
    for (const raw of frames) {
      const frame = JSON.parse(raw);
      if (typeof frame.body === "string" && frame.body.startsWith("{") && JSON.parse(frame.body)) objects++;
    }
  }
  if (objects === 0) throw new Error("no frame has a chunk");
  return { nanoseconds: Number(process.hrtime.bigint() - started) };
}

/**
 * Nanoseconds of one pass, over as many as take long enough.
 * @param {() => Promise<{ nanoseconds: number }> | { nanoseconds: number }} work
 */
async function measure(work) {
  let [all, passes] = [0, 0];
  while (all < LONG_ENOUGH) {
    all += (await work()).nanoseconds;
    passes++;
  }
  return { nanoseconds: all / passes };
}

/** @type {Stretch[]} */
let stretches = [];
for await (const line of createInterface({ input: process.stdin })) {
  const { load, measure: what } = JSON.parse(line);
  if (load !== undefined) {
    stretches = read(load);
    const { messages } = await pass(stretches);
    // The compiler needs to have seen it often.
    for (let round = 0; round < WARM_UP; round++) {
      await measure(() => pass(stretches));
      await measure(() => parse(stretches));
    }
    console.log(JSON.stringify({ messages }));
  } else {
    console.log(JSON.stringify(await measure(what === "read" ? () => pass(stretches) : () => parse(stretches))));
  }
}

// The model of the suite: it says what the user's message tells it to say, a step for each time it is asked.
//
// A message is `{"steps": [[PIECE, …], …]}`. A piece is one of
//   {"text": ["…", …]}           deltas of a text
//   {"count": n}                 n deltas of a text, `w0 `, `w1 ` and so on
//   {"size": n}                  n bytes of a text in deltas of 30,000
//   {"reasoning": ["…", …]}      deltas of reasoning
//   {"source": "https://…"}      a source
//   {"file": "BASE64"}           a picture
//   {"call": NAME, "input": {}}  a call of a tool
//   {"gate": NAME}               waits until somebody opens the gate
//   {"fail": "…"}                the model breaks

const SIZE = 30_000;

/** Gates of one conversation: where the model waits until it is told to go on. */
export class Gates {
  #open = new Set();
  #waiting = new Map();

  open(name) {
    this.#open.add(name);
    this.#waiting.get(name)?.();
  }

  async pass(name, signal) {
    if (this.#open.delete(name)) return;
    await new Promise((resolve, reject) => {
      this.#waiting.set(name, resolve);
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
    this.#waiting.delete(name);
    this.#open.delete(name);
  }
}

/** A language model as the AI SDK takes one; `specification` is `v2` or `v4`. */
export class Script {
  provider = "callbox";
  modelId = "script";
  supportedUrls = {};

  constructor(specification, gates) {
    this.specificationVersion = specification;
    this.gates = gates;
  }

  async doStream({ prompt, abortSignal }) {
    const parts = this.#parts(stepOf(prompt), abortSignal);
    return {
      stream: new ReadableStream({
        async pull(controller) {
          abortSignal?.throwIfAborted();
          const { value, done } = await parts.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
      }),
    };
  }

  async *#parts(pieces, signal) {
    yield { type: "stream-start", warnings: [] };
    let calls = false;
    for (const [at, piece] of pieces.entries()) {
      const id = `p${at}`;
      if (piece.gate) await this.gates.pass(piece.gate, signal);
      else if (piece.fail) throw new Error(piece.fail);
      else if (piece.source) yield { type: "source", sourceType: "url", id, url: piece.source, title: "A source" };
      else if (piece.file) yield { type: "file", mediaType: "image/png", data: this.#file(piece.file) };
      else if (piece.call) {
        calls = true;
        yield* call(`call_${crypto.randomUUID().slice(0, 8)}`, piece.call, JSON.stringify(piece.input ?? {}));
      } else {
        const kind = piece.reasoning ? "reasoning" : "text";
        yield { type: `${kind}-start`, id };
        for (const delta of deltas(piece)) yield { type: `${kind}-delta`, id, delta };
        yield { type: `${kind}-end`, id };
      }
    }
    yield { type: "finish", ...this.#end(calls ? "tool-calls" : "stop") };
  }

  #file(data) {
    return this.specificationVersion === "v2" ? data : { type: "data", data };
  }

  #end(reason) {
    if (this.specificationVersion === "v2") return { finishReason: reason, usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0 } };
    const usage = { inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 0, text: 0, reasoning: 0 } };
    return { finishReason: { unified: reason, raw: reason }, usage };
  }
}

/** What the application itself adds to the answer: parts for `writer.write`. */
export function extras(messages) {
  const last = messages.findLast(({ role }) => role === "user");
  return parse(last?.parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("") ?? "").extras ?? [];
}

function* deltas({ text, reasoning, count, size }) {
  if (count !== undefined) for (let n = 0; n < count; n += 1) yield `w${n} `;
  else if (size !== undefined) for (let left = size; left > 0; left -= SIZE) yield "x".repeat(Math.min(SIZE, left));
  else yield* text ?? reasoning;
}

function* call(id, toolName, input) {
  yield { type: "tool-input-start", id, toolName };
  for (let at = 0; at < input.length; at += 8) yield { type: "tool-input-delta", id, delta: input.slice(at, at + 8) };
  yield { type: "tool-input-end", id };
  yield { type: "tool-call", toolCallId: id, toolName, input };
}

/** The step that is due: one further for each result of a tool since the user's last message. */
function stepOf(prompt) {
  const from = prompt.findLastIndex(({ role }) => role === "user");
  const said = prompt[from]?.content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("") ?? "";
  const done = prompt.slice(from + 1).filter(({ role }) => role === "tool").length;
  const { steps } = parse(said);
  return steps[done] ?? [{ text: ["That was all."] }];
}

function parse(said) {
  try {
    return { steps: [], ...JSON.parse(said) };
  } catch {
    return { steps: [[{ text: ["Hello", ", ", "world", "."] }]] };
  }
}

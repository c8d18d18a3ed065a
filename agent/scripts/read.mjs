// How fast the SDK's own reader is: what its client does with each frame of a recording, without React and without a socket.
//
// Run by `cargo xtask bench`. Arguments: recordings. One line of JSON on the output for each: nanoseconds for one pass over all frames, the
// median of the passes, and the messages that come of it.

import { readFileSync } from "node:fs";
import { readUIMessageStream } from "ai";

const PASSES = 9;
const LONG_ENOUGH = 200_000_000;

/** @import { UIMessage, UIMessageChunk } from "ai" */

/**
 * The frames that came, oldest first.
 * @param {string} path
 * @returns {string[]}
 */
function frames(path) {
    const lines = readFileSync(path, "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line)).filter((line) => line.dir === "in").map((line) => line.raw);
}

/**
 * Reads one stream of chunks as the SDK's chat does: a message after each, the last of which is the answer.
 * @param {ReadableStream<UIMessageChunk>} stream
 * @param {Map<string, UIMessage>} messages
 */
async function read(stream, messages) {
    let last;
    for await (const message of readUIMessageStream({ stream, terminateOnError: true })) last = message;
    if (last) messages.set(last.id, last);
}

/**
 * All frames; the messages that come of them.
 * @param {string[]} raws
 */
async function pass(raws) {
    /** @type {Map<string, UIMessage>} */
    const messages = new Map();
    /** @type {Map<string, ReadableStreamDefaultController<UIMessageChunk>>} */
    const open = new Map();
    /** @type {Promise<void>[]} */
    const reading = [];
    const begin = (/** @type {string} */ id) => {
        /** @type {ReadableStream<UIMessageChunk>} */
        const stream = new ReadableStream({ start: (controller) => void open.set(id, controller) });
        reading.push(read(stream, messages).catch(() => {}));
        return open.get(id);
    };
    for (const raw of raws) {
        const frame = JSON.parse(raw);
        if (frame.type === "cf_agent_stream_resuming") {
            // The transport of the SDK reads a resumed answer from its beginning, into a new stream.
            open.get(frame.id)?.close();
            open.delete(frame.id);
        }
        if (frame.type !== "cf_agent_use_chat_response") continue;
        const controller = open.get(frame.id) ?? begin(frame.id);
        if (frame.body?.trim()) controller?.enqueue(JSON.parse(frame.body));
        if (frame.done) {
            controller?.close();
            open.delete(frame.id);
        }
    }
    for (const controller of open.values()) controller.close();
    await Promise.all(reading);
    return [...messages.values()];
}

/**
 * Nanoseconds of one pass.
 * @param {string[]} raws
 * @param {number} times
 */
async function time(raws, times) {
    const started = process.hrtime.bigint();
    for (let n = 0; n < times; n++) await pass(raws);
    return Number(process.hrtime.bigint() - started) / times;
}

for (const path of process.argv.slice(2)) {
    const raws = frames(path);
    const messages = await pass(raws);
    const times = Math.max(1, Math.ceil(LONG_ENOUGH / (await time(raws, 2))));
    /** @type {number[]} */
    const passes = [];
    for (let n = 0; n < PASSES; n++) passes.push(await time(raws, times));
    passes.sort((one, other) => one - other);
    console.log(JSON.stringify({ file: path, read: passes[PASSES >> 1], messages }));
}

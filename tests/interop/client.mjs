// The SDK's own client, its React hooks in a page that nobody sees. One command a line comes in, news go out:
// `changed` once after the page was drawn anew, until somebody asks `{"show": n}` what it shows.

import { createInterface } from "node:readline";

/** @param sdk React, its renderer, the SDK's two hooks, and a WebSocket for a Node that has none. */
export function run({ React, render, useAgent, useAgentChat, WebSocket }) {
  globalThis.WebSocket ??= WebSocket;
  const [host, name] = process.argv.slice(2);
  let chat;
  let socket;
  let told = false;

  function Page() {
    const agent = useAgent({ agent: "chat-agent", name, host, minReconnectionDelay: 20, maxReconnectionDelay: 100 });
    chat = useAgentChat({ agent });
    socket = agent;
    React.useEffect(() => {
      if (told) return;
      told = true;
      say({ changed: true });
    });
    return null;
  }

  render(React.createElement(React.Suspense, { fallback: null }, React.createElement(Page)));

  // Connected, and nothing goes on.
  const isReady = () => socket?.readyState === 1 && (chat?.status === "ready" || chat?.status === "error") && !chat.isStreaming;

  const commands = {
    show: (number) => {
      told = false;
      say({ number, ready: isReady(), messages: chat?.messages ?? [] });
    },
    send: (text) => void chat.sendMessage({ role: "user", parts: [{ type: "text", text }] }),
    regenerate: () => void chat.regenerate(),
    stop: () => void chat.stop(),
    clear: () => chat.clearHistory(),
    approve: ({ id, approved }) => void chat.addToolApprovalResponse({ id, approved }),
    result: ({ tool, toolCallId, output }) => void (chat.addToolOutput ?? chat.addToolResult)({ tool, toolName: tool, toolCallId, output }),
  };
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    for (const [command, value] of Object.entries(JSON.parse(line))) commands[command](value);
  });
  input.on("close", () => process.exit(0));
}

// Only answers go to the output.
console.log = console.info = console.warn = console.debug = console.error;
process.on("unhandledRejection", (error) => console.error(error));

function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

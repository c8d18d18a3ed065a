// The SDK's own client, its React hooks in a page that nobody sees. One command a line comes in, news go out:
// `changed` once after the page was drawn anew, until somebody asks `{"show": n}` what it shows.

import { createInterface } from "node:readline";

/** A tool that this client runs. */
const tools = {
  clock: {
    description: "What time it is here",
    parameters: { type: "object", properties: { zone: { type: "string" } } },
    execute: ({ zone }) => ({ time: "12:00", zone }),
  },
};

function onToolCall({ toolCall: { toolName, toolCallId, input }, addToolOutput }) {
  if (toolName in tools) addToolOutput({ toolCallId, output: tools[toolName].execute(input) });
}

/** @param sdk React, its renderer, the SDK's hook for the socket, its hook for other agents at work, where there is one, its hooks for chats by agent, and a WebSocket for a Node that has none. */
export function run({ React, render, useAgent, useAgentToolEvents, useAgentChat, useThinkChat, WebSocket }) {
  globalThis.WebSocket ??= WebSocket;
  const where = JSON.parse(process.argv[2]);
  const useChat = where.agent === "think-agent" ? useThinkChat : useAgentChat;
  let chat;
  let socket;
  let runs;
  let told = false;
  const states = [];

  function Page() {
    const onStateUpdate = (state) => void states.push(state);
    const agent = useAgent({ ...where, minReconnectionDelay: 20, maxReconnectionDelay: 100, onStateUpdate });
    chat = useChat({ agent, ...(where.runs && { tools, onToolCall }), ...(where.confirms && { toolsRequiringConfirmation: where.confirms }) });
    runs = useAgentToolEvents?.({ agent });
    socket = agent;
    React.useEffect(changed);
    React.useEffect(() => {
      for (const event of ["open", "close"]) agent.addEventListener(event, changed);
    }, [agent]);
    return null;
  }

  function changed() {
    if (told) return;
    told = true;
    say({ changed: true });
  }

  render(React.createElement(React.Suspense, { fallback: null }, React.createElement(Page)));

  // Connected, and nothing goes on.
  const isReady = () => socket?.readyState === 1 && (chat?.status === "ready" || chat?.status === "error") && !chat.isStreaming;

  const commands = {
    show: (number) => {
      told = false;
      say({ number, ready: isReady(), messages: chat?.messages ?? [], error: chat?.error?.message ?? null, states, runs: Object.values(runs?.runsById ?? {}) });
    },
    send: (text) => void chat.sendMessage({ role: "user", parts: [{ type: "text", text }] }),
    edit: ({ id, text }) => void chat.sendMessage({ messageId: id, role: "user", parts: [{ type: "text", text }] }),
    regenerate: () => void chat.regenerate(),
    stop: () => void chat.stop(),
    clear: () => chat.clearHistory(),
    approve: ({ id, approved }) => void chat.addToolApprovalResponse({ id, approved }),
    result: ({ tool, toolCallId, output }) => void (where.confirms ? chat.addToolResult : chat.addToolOutput)({ tool, toolName: tool, toolCallId, output }),
    state: (state) => socket.setState(state),
    // The answer counts as news.
    call: ([method, ...args]) => void socket.call(method, args).then((result) => say({ result })),
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

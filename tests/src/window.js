const named = (name, within = document) => within.querySelector(`[data-testid="${name}"]`);
const all = (name, within = document) => [...within.querySelectorAll(`[data-testid="${name}"]`)];
const text = (element) => (element ? element.innerText.trim() : null);

const tool = (card) => ({
  call: card.dataset.call,
  name: card.dataset.tool,
  state: card.dataset.state,
  asks: named("approval-card", card) !== null,
  armed: named("approval-card", card)?.dataset.armed === "true",
  input: text(named("tool-input", card) ?? card.querySelector(".approval-arguments")),
  output: text(named("tool-output", card)),
});

const message = (entry) => ({
  id: entry.dataset.id,
  role: entry.dataset.role,
  delivery: entry.dataset.delivery ?? null,
  text: [...entry.querySelector(".content").children]
    .filter((part) => part.dataset.testid !== "tool-card")
    .map(text)
    .filter((part) => part)
    .join("\n\n"),
  tools: all("tool-card", entry).map(tool),
});

return {
  screen: named("window")?.dataset.screen ?? null,
  conversation: named("conversation")?.dataset.conversation ?? null,
  conversations: all("conversation-item").map((item) => item.dataset.conversation),
  turn: named("conversation")?.dataset.turn ?? null,
  connection: named("connection")?.dataset.state ?? null,
  reason: named("connection")?.dataset.reason ?? null,
  messages: all("message").map(message),
  notices: all("notice").map((notice) => notice.dataset.code),
  errors: all("error").map((error) => error.dataset.code),
};

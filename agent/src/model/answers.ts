/** Under the first answer of a conversation, where the answer itself does not say so. */
export const NOTE =
  "---\n\n*I am this agent's scripted model: a script, not a language model.* You can ask me **what time is it**, **weather in Paris**, " +
  "for **a tour** or for **something long**.";

export const INTRODUCTION = `Hello! I am this agent's **scripted model**: a script, not a language model. You can ask me:

- **what time is it**: the clock tool simply runs
- **weather in Paris**: the weather tool asks you first, and you decide
- **show me a tour**: headings, lists, a table and code, as an answer can have them
- **tell me something long**: to watch an answer arrive, stop it, or lose the network in the middle

To talk to a real model here, start the agent with another \`MODEL\`.`;

export function shrug(asked: string): string {
  const quoted = Array.from(asked.replace(/[\p{Cc}`]/gu, "")).slice(0, 200).join("");
  return `You said: “${quoted}”\n\nThat is not in my script. I know **what time is it**, **weather in Paris**, **a tour** and **something long**.`;
}

/** From `2026-01-02T03:04:05Z`. */
export function time(rfc3339: string): string {
  const [date, clock] = rfc3339.split("T");
  return `It is **${clock?.slice(0, 5)} UTC** on ${date}, by the clock of the agent.`;
}

export function weather(output: Record<string, unknown>): string {
  const unit = output["unit"] === "fahrenheit" ? "°F" : "°C";
  return `**${output["city"]}**: ${output["temperature"]} ${unit}, ${output["condition"]}.\n\nThat is made up: no weather service was asked.`;
}

export function denied(city: string): string {
  return `All right, I did not look up the weather in ${city}. Nothing was run. Ask again whenever you like.`;
}

export const TOUR = `# What an answer can look like

Answers are **Markdown**, drawn while they arrive. A paragraph can be *emphatic*, can name a \`function()\`, and can [link somewhere](https://example.com/); Callbox shows where a link goes before it opens it.

## Lists

1. Sign in, in your own browser
2. Ask for something
3. Decide what the agent may do
   - approve it, this once
   - or deny it, and say so

## A table

| Tool | Asks first | What it does |
|:--|:-:|--:|
| \`getTime\` | no | reads the clock |
| \`getWeather\` | yes | invents the weather |

## Code

\`\`\`rust
/// A call that waits for you.
fn buzz(call: &Call, decision: Decision) -> Answer {
    match decision {
        Decision::Approve => call.run(),
        Decision::Deny => Answer::polite("Then I won't."),
    }
}
\`\`\`

> An agent at the door is a guest. It comes in when you press the button.

That is the tour. Ask for the **weather in Paris** to see an approval.
`;

export const LONG = `## How a message travels

You press Enter. Before anything is sent, Callbox writes your message down, so that a crash, a dead battery or a closed lid cannot lose it. Only then does it go to the agent, over a connection that was opened with your access token in its first request and nowhere else. The token is not in the address, not in a log, and not in the window that you are looking at: the window has never seen it.

## How an answer comes back

The agent answers in small pieces, a word or two at a time. Each piece has a number. Callbox puts them together once per frame, so that a fast model does not make a slow window, and paragraphs that are finished are never drawn again. What you see growing here is only the last few lines; everything above them is at rest.

## When the network goes away

Suppose the connection breaks in the middle of this sentence. The conversation stays where it is, readable, and tells you that it is out of touch. In the meantime the agent goes on talking to nobody in particular, and keeps what it says. When the network returns, Callbox first makes sure that your token is still good, then opens a new connection, and asks whether an answer is still under way. The agent offers it; Callbox accepts; the pieces arrive from the beginning, numbered as before. The ones that you have already read are recognised and put aside. Nothing is shown twice, and nothing is missing.

## When the agent wants to act

Talking is harmless. Acting is not, so a tool that does something can ask first. The question appears in the conversation itself and not in a box that covers it, with the name of the tool and with every argument in full. It waits as long as you like: over a restart, over a night, over a change of networks. The first decision counts. If you say no, the agent is told so and can answer; if you say yes, the call runs exactly as it was shown to you, and its result is part of the conversation.

## When you leave

Signing out is more than hiding the conversation. The long-lived token is revoked where it came from, then deleted from the keychain of this computer, then every connection is closed. If the network is away at that moment, you are told which part could not be done.

## And this?

This text is not the work of a model. It is a script, sent to you word by word so that there is something to watch. You can stop it with the stop button, and you can pull the plug on it too: it resumes.
`;

/** What a tool at the client has given. */
export function clientTool(name: string, output: unknown): string {
  return `\`${name}\` ran at your side and gave:\n\n\`\`\`json\n${JSON.stringify(output, null, 2)}\n\`\`\``;
}

//! What the scripted model says.

use serde_json::Value;

/// Under the first answer of a conversation, where the answer itself does not say so.
pub(super) const NOTE: &str = "---\n\n*I am the sandbox's scripted model: a script inside Callbox, not a language model.* You can ask me **what time is it**, \
**weather in Paris**, for **a tour** or for **something long**.";

pub(super) fn introduction() -> String {
    "Hello! I am the sandbox's **scripted model**: a script inside Callbox, not a language model. Nothing you write here leaves this \
     computer. You can ask me:\n\n\
     - **what time is it**: the clock tool simply runs\n\
     - **weather in Paris**: the weather tool asks you first, and you decide\n\
     - **what is in my calendar**: the tool needs an account that you connect first\n\
     - **order oranges**: needs your approval on a phone, which is the page `/phone` of the sign-in server\n\
     - **show me a tour**: headings, lists, a table and code, as an answer can have them\n\
     - **tell me something long**: to watch an answer arrive, stop it, or lose the network in the middle\n\n\
     To talk to a real model here, start Callbox with `OPENAI_BASE_URL` and `OPENAI_API_KEY` set."
        .to_owned()
}

pub(super) fn shrug(asked: &str) -> String {
    let quoted: String = asked.chars().take(200).filter(|character| !character.is_control() && *character != '`').collect();
    format!(
        "You said: “{quoted}”\n\nThat is not in my script. I know **what time is it**, **weather in Paris**, **a tour** and \
         **something long**."
    )
}

/// From `2026-01-02T03:04:05Z`.
pub(super) fn time(rfc3339: &str) -> String {
    let (date, clock) = rfc3339.split_once('T').unwrap_or((rfc3339, ""));
    let clock = clock.get(..5).unwrap_or(clock);
    format!("It is **{clock} UTC** on {date}, by the clock of this computer.")
}

pub(super) fn weather(output: &Value) -> String {
    let city = output["city"].as_str().unwrap_or("That city");
    let condition = output["condition"].as_str().unwrap_or("unknown");
    let unit = if output["unit"] == "fahrenheit" { "°F" } else { "°C" };
    format!(
        "**{city}**: {} {unit}, {condition}.\n\nThat is made up, like everything in the sandbox: no weather service was asked.",
        output["temperature"]
    )
}

/// A list of what a service has told.
pub(super) fn list(what: &str, entries: &Value) -> String {
    let entries: String = entries.as_array().into_iter().flatten().filter_map(Value::as_str).map(|entry| format!("\n- {entry}")).collect();
    format!("{what}:\n{entries}\n\nThat is made up, like everything in the sandbox: no service was asked.")
}

pub(super) fn ordered(item: &Value) -> String {
    format!(
        "You have approved it, so {} are on their way. No, they are not: nothing in the sandbox is real.",
        item.as_str().unwrap_or("they")
    )
}

/// What a tool at the client has given.
pub(super) fn client_tool(name: &str, output: &Value) -> String {
    format!("`{name}` ran at your side and gave:\n\n```json\n{output:#}\n```")
}

pub(super) fn denied(city: &str) -> String {
    format!("All right, I did not look up the weather in {city}. Nothing was run. Ask again whenever you like.")
}

pub(super) const TOUR: &str = r#"# What an answer can look like

Answers are **Markdown**, drawn while they arrive. A paragraph can be *emphatic*, can name a `function()`, and can [link somewhere](https://example.com/); Callbox shows where a link goes before it opens it.

## Lists

1. Sign in, in your own browser
2. Ask for something
3. Decide what the agent may do
   - approve it, this once
   - or deny it, and say so

## A table

| Tool | Asks first | What it does |
|:--|:-:|--:|
| `getTime` | no | reads the clock |
| `getWeather` | yes | invents the weather |

## Code

```rust
/// A call that waits for you.
fn buzz(call: &Call, decision: Decision) -> Answer {
    match decision {
        Decision::Approve => call.run(),
        Decision::Deny => Answer::polite("Then I won't."),
    }
}
```

> An agent at the door is a guest. It comes in when you press the button.

That is the tour. Ask for the **weather in Paris** to see an approval.
"#;

pub(super) const LONG: &str = r#"## How a message travels

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
"#;

//! Messages of the scenes.

use callbox_ipc::{AgentToolView, LinkView, RunPhase, ThreadStatus, ThreadView};
use callbox_protocol::UiMessage;
use serde_json::{Value, json};

/// An answer that is long enough to be watched.
pub(super) const LONG: &str = "## A walk through the harbour\n\nThe pilot boards at **05:40**, an hour before the tide turns. Until then:\n\n1. Check \
    the lines on berth *seven*.\n2. Ask the [harbour office](https://office.harbour.example/berths) about the crane.\n3. Write it down:\n\n\
    ```rust\nfn berth(draught: f64) -> Option<u8> {\n    match draught {\n        d if d < 4.5 => Some(7),\n        d if d < 9.0 => Some(2),\n        \
    _ => None,\n    }\n}\n```\n\n| Berth | Depth | Free from |\n|:------|------:|-----------|\n| 7 | 4.8 m | 05:10 |\n| 2 | 9.4 m | 07:30 |\n| 11 | 12.1 m \
    | tomorrow |\n\n> The crane on berth two is slow before seven.\n\nThat is all. ~~No~~ fog is expected.\n";

/// A conversation that is connected and at rest.
pub(super) fn thread(messages: Vec<UiMessage>) -> ThreadView {
    ThreadView { messages, status: ThreadStatus { link: LinkView::Online, ..ThreadStatus::default() } }
}

pub(super) fn messages(value: Value) -> Vec<UiMessage> {
    serde_json::from_value(value).unwrap_or_default()
}

pub(super) fn user(id: &str, text: &str) -> Value {
    json!({ "id": id, "role": "user", "parts": [{ "type": "text", "text": text }] })
}

pub(super) fn agent(id: &str, parts: Value) -> Value {
    json!({ "id": id, "role": "assistant", "parts": parts })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text, "state": "done" })
}

fn weather(state: &str, more: Value) -> Value {
    let mut part =
        json!({ "type": "tool-getWeather", "toolCallId": "call-1", "state": state, "input": { "city": "Paris", "unit": "celsius" } });
    if let (Some(part), Some(more)) = (part.as_object_mut(), more.as_object()) {
        part.extend(more.clone());
    }
    part
}

pub(super) fn conversation() -> Vec<UiMessage> {
    let clock = json!({
        "type": "tool-getTime", "toolCallId": "call-0", "state": "output-available", "input": { "timeZone": "Europe/Paris" },
        "output": { "time": "09:41", "timeZone": "Europe/Paris" }
    });
    messages(json!([
        user("u1", "What time is it in Paris?"),
        agent("a1", json!([clock, text("It is **09:41** in Paris.")])),
        user("u2", "What’s the weather in Paris?\nI have to leave in an hour."),
        agent(
            "a2",
            json!([
                text("I can look that up."),
                weather(
                    "output-available",
                    json!({ "approval": { "id": "ap-1", "approved": true }, "output": { "temperature": 14, "sky": "light rain", "wind": { "speed": 18, "unit": "km/h" } } })
                ),
                text(
                    "It is **14 °C** with light rain and some wind. Take a jacket; the rain should stop around noon.\n\nIf you walk, the covered passages on the right bank keep you dry most of the way."
                )
            ])
        ),
    ]))
}

pub(super) fn markdown() -> Vec<UiMessage> {
    let more = "\n### Links and signs\n\nA good link to [the manual](https://docs.example.com/a/b), one that pretends: \
        [https://bank.example.com/login](https://evil.example/login), one that stays shut: [run me](javascript:alert(1)), and a bare one: https://example.com/path?q=1.\n\n\
        ![A harbour at dawn](https://pictures.example/dawn.jpg)\n\n- [x] moor the boat\n- [ ] pay the harbour master\n  - in cash\n  - or by card\n\n\
        Hidden: pass\u{202E}drow and zero\u{200B}width. <b onclick=\"x\">No HTML</b>.\n\n日本語の段落です。東京タワーの高さは三百三十三メートルで、`getWeather` を呼び出すと天気が分かります。\n\n---\n\n#### The end\n";
    let answer = format!("{LONG}{more}");
    messages(json!([user("u1", "Show me some Markdown"), agent("a1", json!([text(&answer)]))]))
}

pub(super) fn question() -> Vec<UiMessage> {
    messages(json!([user("u1", "What’s the weather in Paris?")]))
}

pub(super) fn streaming() -> Vec<UiMessage> {
    let thought = "The user wants a plan for the morning. I should check the berths first, then the tide.\n\nThe tide turns at 06:40.";
    let part = &LONG[..LONG.len() * 6 / 10];
    messages(json!([
        user("u1", "Plan the morning for me, please."),
        agent(
            "a1",
            json!([
                { "type": "reasoning", "text": thought, "state": "done" },
                { "type": "text", "text": part, "state": "streaming" }
            ])
        ),
    ]))
}

pub(super) fn tools() -> Vec<UiMessage> {
    let tool = |id: &str, state: &str, more: Value| {
        let mut part = weather(state, more);
        part["toolCallId"] = json!(id);
        part
    };
    messages(json!([
        user("u1", "Look at all the tools"),
        agent(
            "a1",
            json!([
                { "type": "reasoning", "text": "I wonder which tools there are.", "state": "streaming" },
                { "type": "tool-getTime", "toolCallId": "t0", "state": "input-streaming" },
                tool("t1", "input-available", json!({})),
                tool("t2", "output-available", json!({ "output": { "temperature": 14 } })),
                tool("t3", "output-error", json!({ "errorText": "The weather service did not answer." })),
                tool("t4", "output-denied", json!({ "approval": { "id": "ap", "approved": false, "reason": "not now" } })),
                tool("t5", "output-available", json!({ "title": "Look up the weather", "output": "light rain" })),
                { "type": "file", "mediaType": "application/pdf", "filename": "berths.pdf", "url": "https://files.example/berths.pdf" },
                { "type": "source-url", "sourceId": "s1", "title": "Tide tables 2026", "url": "https://tides.example/2026" }
            ])
        ),
    ]))
}

pub(super) fn approval() -> Vec<UiMessage> {
    messages(json!([
        user("u1", "What’s the weather in Paris?"),
        agent("a1", json!([text("I can look that up for you."), weather("approval-requested", json!({ "approval": { "id": "ap-1" } }))])),
    ]))
}

/// At an agent of the oldest generation.
pub(super) fn confirmation(word: Option<&str>) -> Vec<UiMessage> {
    let call = match word {
        Some(word) => weather("output-available", json!({ "output": word })),
        None => weather("input-available", json!({})),
    };
    let said = word.map(|_| agent("a2", json!([text("It is 14 °C with light rain in Paris.")])));
    let messages_before = [user("u1", "What’s the weather in Paris?"), agent("a1", json!([text("I can look that up for you."), call]))];
    messages(messages_before.into_iter().chain(said).collect())
}

pub(super) fn hostile() -> Vec<UiMessage> {
    let input = json!({
        "to": "billing@p\u{0430}ypal.com",
        "attachment": "invoice\u{202E}fdp.exe",
        "note": "Thanks!\u{200B}\u{E0069}\u{E0067}\u{E006E}\u{E006F}\u{E0072}\u{E0065}",
        "command": format!("ls{}; rm -rf ~", " ".repeat(120)),
        "confirm": true,
        "amount": "true",
        "list": ["a", 2, null, { "deep": [] }]
    });
    messages(json!([
        user("u1", "Send the invoice"),
        agent(
            "a1",
            json!([
                { "type": "tool-send\u{200D}Mail", "toolCallId": "call-1", "state": "approval-requested", "input": input, "approval": { "id": "ap" }, "title": "Say hello" }
            ])
        ),
    ]))
}

pub(super) fn long_arguments() -> Vec<UiMessage> {
    let body = "Dear harbour master,\n\nthe late ferry needs berth two from seven on.\n".repeat(40);
    messages(json!([
        user("u1", "Write to the harbour master"),
        agent(
            "a1",
            json!([
                { "type": "tool-sendMail", "toolCallId": "call-1", "state": "approval-requested", "input": { "to": "master@harbour.example", "body": body }, "approval": { "id": "ap" } }
            ])
        ),
    ]))
}

pub(super) fn denied() -> Vec<UiMessage> {
    messages(json!([
        user("u1", "What’s the weather in Paris?"),
        agent(
            "a1",
            json!([
                text("I can look that up for you."),
                weather("output-denied", json!({ "approval": { "id": "ap-1", "approved": false } })),
                text("All right, I did not look it up. Ask me again whenever you like.")
            ])
        ),
    ]))
}

pub(super) fn deliveries() -> Vec<UiMessage> {
    messages(json!([
        user("u1", "What time is it?"),
        agent("a1", json!([text("It is 09:41.")])),
        user("u3", "Here is the whole tide table for the year, pasted from the office’s page …"),
        user("u4", "And what about tomorrow?"),
        user("u5", "One more thing, for when the train is out of the tunnel."),
    ]))
}

pub(super) fn long_conversation() -> Vec<UiMessage> {
    let turn = |number: usize| {
        [user(&format!("u{number}"), &format!("Question number {number}")), agent(&format!("a{number}"), json!([text(LONG)]))]
    };
    messages(Value::Array((0..40).flat_map(turn).collect()))
}

/// What does not fit, comes from the other side, or goes on for ever.
pub(super) fn stress() -> Vec<UiMessage> {
    let word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft".repeat(2);
    let line = "let everything = on_one_line(that, never, ends, and, so, has, to, be, scrolled, by, itself, instead, of, pushing, the, page, aside);";
    let code: String = (1..=200).map(|number| format!("    step({number}); // {}\n", "·".repeat(number % 40))).collect();
    let columns = 14;
    let row = |cell: &str| format!("|{}\n", format!(" {cell} |").repeat(columns));
    let table = format!("{}{}{}{}", row("A heading"), row("---"), row("some words in a cell"), row("1 234 567.89"));
    let answer = format!(
        "One long word: {word}\n\nAnd as code: `{word}`\n\nhttps://docs.example.com/{}\n\n{table}\n\
        هذا نص عربي مع كلمة English و`code` داخل الجملة. הפגישה בשעה 09:41 ברציף 7.\n\n- שלום עולם\n- مرحبا\n- hello\n\n\
        > 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇯🇵 ☂️ and 𝔘𝔫𝔦𝔠𝔬𝔡𝔢\n\n1. one\n   1. two\n      1. three\n         - four\n           > five\n\n```rust\n{line}\n```\n\n```\n{code}```\n\nThe end.\n",
        "very/long/path/".repeat(12)
    );
    let own = format!("{word}\n\nשלום, what is 👩‍👩‍👧‍👦?\n{line}");
    messages(json!([user("u1", &own), agent("a1", json!([text(&answer)]))]))
}

/// Two questions at once, the second with much to show.
pub(super) fn two_questions() -> Vec<UiMessage> {
    let deep = json!({
        "path": "/srv/harbour/berths/2026/11/plan-for-thursday-with-a-name-that-goes-on-and-on-and-on-until-it-has-to-be-broken.csv",
        "options": { "overwrite": true, "mode": null, "owner": { "id": 9_007_199_254_740_993_u64, "groups": ["pilots", "crane", "office"] } },
        "rows": [["7", 4.8, "05:10"], ["2", 9.4, "07:30"]],
        "הערה": "טקסט מימין לשמאל",
        "empty": ""
    });
    messages(json!([
        user("u1", "Write the plan, and look at the weather"),
        agent(
            "a1",
            json!([
                weather("approval-requested", json!({ "approval": { "id": "ap-1" } })),
                { "type": "tool-writeFile", "toolCallId": "call-2", "state": "approval-requested", "input": deep, "approval": { "id": "ap-2" }, "title": "Write a file" }
            ])
        ),
    ]))
}

/// Calls for which other agents work.
pub(super) fn delegated() -> Vec<UiMessage> {
    let call = |id: &str, name: &str, state: &str, input: Value| {
        let output = (state == "output-available").then(|| json!("Spring tides on the 3rd and the 17th."));
        json!({ "type": format!("tool-{name}"), "toolCallId": id, "state": state, "input": input, "output": output })
    };
    let parts = json!([
        { "type": "text", "text": "I will have this looked up from two sides.", "state": "done" },
        call("call-1", "readTideTables", "output-available", json!({ "month": "March" })),
        call("call-2", "research", "input-available", json!({ "question": "Which harbours can take the barge at low water?" })),
        call("call-3", "compareOffers", "input-available", json!({ "count": 3 })),
    ]);
    messages(json!([user("u1", "When can the barge come in, and who can take it?"), agent("a1", parts)]))
}

/// What those agents are at.
pub(super) fn delegates() -> Vec<AgentToolView> {
    let run = |call: &str, name: &str, phase, line: &str, percent| AgentToolView {
        run: format!("{call} {name}"),
        tool_call: call.into(),
        name: name.into(),
        phase,
        line: Some(line.into()),
        percent,
    };
    vec![
        run(
            "call-2",
            "Harbour researcher",
            RunPhase::Running,
            "Reading the pilot book, chapter 4: the approach from the east, with depths at low water springs",
            Some(43),
        ),
        run("call-2", "Translator", RunPhase::Failed, "The source is in a language that I cannot read.", None),
        run("call-3", "Buyer", RunPhase::Running, "getOffer", None),
    ]
}

use callbox_ipc::TurnView;
use callbox_protocol::MessageOp;
use serde_json::json;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::Element;

use crate::stage::{Stage, frames, messages, press, turn};

const BEGIN: &str = "# Title\n\nFirst paragraph.\n\n- one\n- two\n\n";

async fn streaming(text: &str) -> Stage {
    let part = json!({ "type": "text", "text": text, "state": "streaming" });
    let stage = Stage::open(messages(json!([
        { "id": "u", "role": "user", "parts": [{ "type": "text", "text": "go" }] },
        { "id": "a", "role": "assistant", "parts": [part] },
    ])))
    .await;
    stage.thread(turn(TurnView::Streaming));
    stage.until("it is drawn", || !stage.all(".markdown > *").is_empty()).await;
    stage
}

fn append(delta: &str) -> MessageOp {
    MessageOp::AppendText { message: 1, part: 0, delta: delta.into() }
}

/// A page of which every node has been given a number that only the page itself keeps.
fn mark(elements: &[Element]) {
    for (index, element) in elements.iter().enumerate() {
        js_sys::Reflect::set(element, &"callboxMark".into(), &(index as f64).into()).unwrap();
    }
}

fn marks(elements: &[Element]) -> Vec<Option<f64>> {
    elements.iter().map(|element| js_sys::Reflect::get(element, &"callboxMark".into()).unwrap().as_f64()).collect()
}

#[wasm_bindgen_test]
async fn a_thousand_deltas_leave_the_nodes_of_closed_blocks_alone() {
    let stage = streaming(&format!("{BEGIN}And then")).await;
    let selector = ".markdown > *, .markdown li, [data-testid='message']";
    let before = stage.all(selector);
    mark(&before);
    for number in 0..1000 {
        let delta = match number % 20 {
            19 => ".\n\n".to_owned(),
            10 => format!(" **word {number}**"),
            _ => format!(" word{number}"),
        };
        stage.ops(vec![append(&delta)]);
    }
    stage.until("all of it is drawn", || stage.get("messages").inner_text().contains("word998")).await;
    let after = stage.all(selector);
    assert!(after.len() > before.len() + 40, "the text has grown by many blocks: {}", after.len());
    let kept: Vec<_> = marks(&after).into_iter().flatten().collect();
    assert_eq!(kept, (0..before.len()).map(|index| index as f64).collect::<Vec<_>>(), "every node is the one it was");
}

#[wasm_bindgen_test]
async fn lines_of_code_entries_of_a_list_and_rows_of_a_table_stay_while_the_block_grows() {
    for (begin, more, selector) in [
        ("```rust\nlet a = 1;\n", "let b = 2;\nlet c", ".markdown figure, .markdown pre, .markdown code"),
        ("- first\n- second\n", "- third\n- fo", ".markdown ul, .markdown li"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "| 3 | 4 |\n| 5", ".markdown table, .markdown tr"),
    ] {
        let stage = streaming(begin).await;
        let before = stage.all(selector);
        mark(&before);
        let text = stage.get("messages").inner_text();
        for character in more.chars() {
            stage.ops(vec![append(&character.to_string())]);
        }
        stage.until("it has grown", || stage.get("messages").inner_text() != text).await;
        frames().await;
        let kept = marks(&stage.all(selector)).into_iter().flatten().count();
        assert_eq!(kept, before.len(), "{begin}");
    }
}

#[wasm_bindgen_test]
async fn nothing_that_an_agent_writes_becomes_anything_but_text_and_links() {
    let attack = "<img src=x onerror=alert(1)><script>alert(1)</script>\n\n<iframe src='https://evil.example'></iframe>\n\n\
        ![x](https://evil.example/pixel.png) ![y](data:image/svg+xml,x) [a](javascript:alert(1)) [b](file:///etc/passwd) \
        [c](https://good.example/) <style>*{display:none}</style> [d](calculator://)\n\n<form action=https://evil.example><input></form>";
    let stage = streaming(attack).await;
    for forbidden in ["img", "script", "iframe", "style", "form", "input", "object", "embed", "[href]", "[src]", "[onerror]", "[style]"] {
        assert_eq!(stage.all(&format!(".markdown {forbidden}")).len(), 0, "{forbidden}");
    }
    let links: Vec<_> = stage.all(".markdown .link").iter().filter_map(|link| link.get_attribute("data-url")).collect();
    let bare = "https://evil.example";
    assert_eq!(links, [bare, "https://evil.example/pixel.png", "https://good.example/", bare], "web addresses only, and none is loaded");
    assert!(stage.get("messages").inner_text().contains("<script>alert(1)</script>"));
}

#[wasm_bindgen_test]
async fn a_link_is_opened_by_the_shell_by_mouse_and_by_key() {
    let stage = streaming("[here](https://good.example/x)").await;
    let link = stage.select(".markdown .link").unwrap();
    assert!(link.title().contains("good.example"));
    link.click();
    press(&link, "Enter", |_| {});
    assert_eq!(stage.calls("open_link"), [json!({ "url": "https://good.example/x" }), json!({ "url": "https://good.example/x" })]);
}

#[wasm_bindgen_test]
async fn a_link_that_names_another_host_shows_the_real_one() {
    let stage = streaming("[https://bank.example.com](https://evil.example/x)").await;
    assert_eq!(stage.select(".markdown .link-host").unwrap().inner_text(), "evil.example");
}

#[wasm_bindgen_test]
async fn hidden_characters_come_to_light() {
    let stage = streaming("pass\u{202E}drow `a\u{200B}b`").await;
    let markers: Vec<_> = stage.all(".markdown .marker").iter().filter_map(|marker| marker.text_content()).collect();
    assert_eq!(markers, ["U+202E", "U+200B"]);
}

use std::sync::Arc;

use super::*;
use crate::markdown::Target;

fn text(text: &str) -> Inline {
    Inline::Text(text.to_owned())
}

fn paragraph(content: &str) -> Block {
    Block::Paragraph(vec![text(content)])
}

#[test]
fn paragraphs_headings_and_marks() {
    assert_eq!(
        parse("# Title\n\nSome **bold** and *soft* and ~~gone~~ `code`."),
        vec![
            Block::Heading { level: 1, content: vec![text("Title")] },
            Block::Paragraph(vec![
                text("Some "),
                Inline::Strong(vec![text("bold")]),
                text(" and "),
                Inline::Emphasis(vec![text("soft")]),
                text(" and "),
                Inline::Strike(vec![text("gone")]),
                text(" "),
                Inline::Code("code".into()),
                text("."),
            ]),
        ]
    );
}

#[test]
fn lists_with_tasks_numbers_and_inner_lists() {
    let item = |task, blocks| Arc::new(Item { task, blocks });
    assert_eq!(
        parse("3. a\n4. b\n   - c\n\n- [x] done\n- [ ] open"),
        vec![
            Block::List {
                start: Some(3),
                items: vec![
                    item(None, vec![Block::Plain(vec![text("a")])]),
                    item(
                        None,
                        vec![
                            Block::Plain(vec![text("b")]),
                            Block::List { start: None, items: vec![item(None, vec![Block::Plain(vec![text("c")])])] }
                        ]
                    ),
                ],
            },
            Block::List {
                start: None,
                items: vec![
                    item(Some(true), vec![Block::Plain(vec![text("done")])]),
                    item(Some(false), vec![Block::Plain(vec![text("open")])])
                ],
            },
        ]
    );
}

#[test]
fn a_loose_list_has_paragraphs() {
    let Block::List { items, .. } = &parse("- a\n\n- b")[0] else { panic!("a list") };
    assert_eq!(items[0].blocks, vec![paragraph("a")]);
}

#[test]
fn tables_with_alignment() {
    assert_eq!(
        parse("| a | b |\n|:--|--:|\n| 1 | `2` |"),
        vec![Block::Table {
            alignments: vec![Alignment::Left, Alignment::Right],
            head: vec![vec![text("a")], vec![text("b")]],
            rows: vec![Arc::new(vec![vec![text("1")], vec![Inline::Code("2".into())]])],
        }]
    );
}

#[test]
fn code_keeps_its_lines_and_language() {
    assert_eq!(
        parse("```rust,ignore\nlet a = 1;\n\nlet b = 2;\n```"),
        vec![Block::Code { language: Some("rust".into()), text: "let a = 1;\n\nlet b = 2;".into() }]
    );
    assert_eq!(parse("    x\r\n    y"), vec![Block::Code { language: None, text: "x\ny".into() }]);
}

#[test]
fn html_is_text() {
    assert_eq!(parse("a <b onclick=\"x()\">bold</b>"), vec![paragraph("a <b onclick=\"x()\">bold</b>")]);
    assert_eq!(parse("<script>alert(1)</script>"), vec![paragraph("<script>alert(1)</script>")]);
    assert_eq!(parse("a<br>b"), vec![Block::Paragraph(vec![text("a"), Inline::Break, text("b")])]);
}

#[test]
fn links_are_checked_and_pictures_are_not_loaded() {
    let open = |url: &str, host: &str| Target::Open { url: url.into(), host: host.into() };
    assert_eq!(
        parse("[docs](https://example.com/x) ![a cat](https://cats.example/1.png) [run](javascript:x)"),
        vec![Block::Paragraph(vec![
            Inline::Link { target: open("https://example.com/x", "example.com"), content: vec![text("docs")] },
            text(" "),
            Inline::Image { target: open("https://cats.example/1.png", "cats.example"), description: "a cat".into() },
            text(" "),
            Inline::Link { target: Target::Blocked { url: "javascript:x".into() }, content: vec![text("run")] },
        ])]
    );
}

#[test]
fn bare_addresses_become_links_once() {
    let Block::Paragraph(content) = &parse("see https://example.com.")[0] else { panic!("a paragraph") };
    assert_eq!(content.len(), 3);
    let Block::Paragraph(content) = &parse("[https://a.example](https://b.example)")[0] else { panic!("a paragraph") };
    assert!(matches!(&content[..], [Inline::Link { content, .. }] if content == &[text("https://a.example")]));
    assert_eq!(parse("`https://example.com`"), vec![Block::Paragraph(vec![Inline::Code("https://example.com".into())])]);
}

/// The depth of a tree of blocks.
fn depth(blocks: &[Block]) -> usize {
    let inner = |block: &Block| match block {
        Block::Quote(inner) => depth(inner),
        Block::List { items, .. } => items.iter().map(|item| depth(&item.blocks)).max().unwrap_or(0),
        _ => 0,
    };
    blocks.iter().map(|block| 1 + inner(block)).max().unwrap_or(0)
}

#[test]
fn nesting_is_bounded_and_the_text_is_still_there() {
    let quotes = parse(&format!("{} deep", ">".repeat(3000)));
    assert!(depth(&quotes) <= DEPTH + 2, "{}", depth(&quotes));
    assert!(format!("{quotes:?}").contains("deep"));
    let lists = parse(&format!("{}deep", "- ".repeat(3000)));
    assert!(depth(&lists) <= DEPTH + 2);
    assert!(format!("{lists:?}").contains("deep"));
    let marks = parse(&format!("{}deep{}", "*a ".repeat(500), " a*".repeat(500)));
    assert!(format!("{marks:?}").contains("deep"));
}

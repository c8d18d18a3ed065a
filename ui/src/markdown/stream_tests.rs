use proptest::prelude::*;

use super::*;
use crate::markdown::parse;

fn streamed(text: &str, sizes: &[usize]) -> MarkdownStream {
    let mut stream = MarkdownStream::new();
    let mut rest = text;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let at = rest.char_indices().nth((*size).max(1)).map_or(rest.len(), |(at, _)| at);
        stream.push(&rest[..at]);
        rest = &rest[at..];
    }
    stream
}

fn settled(text: &str, sizes: &[usize]) -> Vec<Block> {
    let mut stream = streamed(text, sizes);
    stream.finish();
    stream.blocks().to_vec()
}

const ANSWER: &str = "# Title\n\nA paragraph with **bold**\nover two lines.\n\n- one\n- two\n\n  still two\n- three\n\n```rust\nfn main() {\n\n    \
    let a = 1;\n}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\n> quoted\nlazily\n\n1. a\n\n2. b\n\n---\n\n    indented\n\n    code\n\nSetext\n===\n\nEnd.";

#[test]
fn however_the_text_is_cut_the_blocks_are_those_of_the_whole() {
    for size in 1..40 {
        assert_eq!(settled(ANSWER, &[size]), parse(ANSWER), "in pieces of {size}");
    }
}

#[test]
fn with_carriage_returns_as_well() {
    let text = ANSWER.replace('\n', "\r\n");
    for size in [1, 2, 3, 7] {
        assert_eq!(settled(&text, &[size]), parse(&text), "in pieces of {size}");
    }
}

#[test]
fn closed_blocks_never_change_while_text_is_added() {
    let mut stream = MarkdownStream::new();
    let mut closed: Vec<Block> = Vec::new();
    for character in ANSWER.chars() {
        let changed = stream.push(character.encode_utf8(&mut [0; 4]));
        assert!(changed.from >= closed.len().min(stream.closed()), "change reported behind the closed blocks");
        assert_eq!(&stream.blocks()[..closed.len()], &closed[..]);
        closed = stream.blocks()[..stream.closed()].to_vec();
    }
    assert!(closed.len() > 8, "most blocks were closed on the way: {}", closed.len());
}

#[test]
fn a_paragraph_is_closed_only_by_a_block_on_a_complete_line() {
    let mut stream = MarkdownStream::new();
    stream.push("1. a\n\n2");
    assert_eq!(stream.closed(), 0, "the 2 may become the second entry");
    stream.push(". b\n");
    assert_eq!(stream.blocks().len(), 1);
    stream.push("\ntext\n");
    assert_eq!(stream.closed(), 1);
}

#[test]
fn code_grows_in_place_until_its_fence_closes() {
    let mut stream = MarkdownStream::new();
    stream.push("```py\n");
    for line in ["a = 1\n", "\n", "if a", ":\n    pri", "nt(`a`)\n", "# ~~~\n"] {
        stream.push(line);
        let expected = stream.text()["```py\n".len()..].to_owned();
        let expected = expected.strip_suffix('\n').unwrap_or(&expected);
        assert_eq!(stream.blocks(), &[Block::Code { language: Some("py".into()), text: expected.into() }]);
    }
    stream.push("```\nafter");
    assert_eq!(stream.blocks().len(), 2);
}

#[test]
fn the_last_line_is_completed_for_the_eye_until_the_text_is_finished() {
    let mut stream = MarkdownStream::new();
    stream.push("some **bo");
    assert_eq!(stream.blocks(), parse("some **bo**"));
    stream.finish();
    assert_eq!(stream.blocks(), parse("some **bo"));
}

#[test]
fn a_late_definition_repairs_the_blocks_that_wait_for_it() {
    let mut stream = MarkdownStream::new();
    stream.push("See [the docs][1] and [more].\n\nNothing here.\n\nMiddle.\n");
    assert_eq!(stream.closed(), 2);
    stream.push("\n[1]: https://example.com/d\n\nNext.\n");
    let link = |block: &Block| format!("{block:?}").matches("Link").count();
    assert_eq!(link(&stream.blocks()[0]), 1, "one of the two is defined");
    stream.push("\n[more]: https://example.com/m");
    let changed = stream.finish();
    assert_eq!(changed.repaired, vec![0]);
    assert_eq!(link(&stream.blocks()[0]), 2);
}

#[test]
fn a_definition_in_the_making_is_not_used() {
    let mut stream = streamed("See [docs].\n\nMore.\n\n[docs]: https://example.com/long/path", &[1]);
    stream.finish();
    assert!(format!("{:?}", stream.blocks()[0]).contains("https://example.com/long/path"));
}

#[test]
fn a_text_that_is_written_anew_starts_again() {
    let mut stream = MarkdownStream::new();
    stream.push("one\n\ntwo\n\nthree");
    let changed = stream.set("one\n\nother");
    assert_eq!(changed.from, 0);
    stream.finish();
    assert_eq!(stream.blocks(), parse("one\n\nother"));
    assert_eq!(stream.set("one\n\nother").from, 2, "the same text changes nothing");
}

#[test]
fn a_long_answer_costs_no_more_per_delta_than_a_short_one() {
    let mut stream = MarkdownStream::new();
    for index in 0..2000 {
        stream.push(&format!("Paragraph number {index} with some words.\n\n"));
        assert!(stream.text().len() - stream.cut < 120, "what is parsed again stays small");
    }
    assert!(stream.closed() >= 1999);
}

#[test]
fn a_long_block_of_code_costs_no_more_per_delta_than_a_short_one() {
    let mut stream = MarkdownStream::new();
    stream.push("```js\n");
    for number in 0..10_000 {
        stream.push(&format!("step({number}); "));
        stream.push("// and on\n");
    }
    let code = |stream: &MarkdownStream| match stream.blocks() {
        [Block::Code { text, .. }] => text.clone(),
        other => panic!("one block of code: {other:?}"),
    };
    let before = code(&stream);
    assert!(before.len() > 200_000 && before.open().len() < 5_000, "little is behind the pieces that are done");
    stream.push("last(");
    let after = code(&stream);
    assert!(before.pieces().iter().zip(after.pieces()).all(|(one, other)| std::sync::Arc::ptr_eq(one, other)), "nothing is written again");
    assert_eq!(after.to_string(), stream.text().strip_prefix("```js\n").unwrap());
}

/// How much would be parsed again with the next delta.
fn behind(stream: &MarkdownStream) -> usize {
    stream.text().len() - stream.grown.as_ref().map_or(stream.cut, |grown| grown.from())
}

/// What is seen without the shortcut.
fn whole(stream: &MarkdownStream) -> Vec<Block> {
    let mut whole = stream.clone();
    whole.grown = None;
    whole.push("");
    whole.blocks().to_vec()
}

#[test]
fn long_lists_and_tables_cost_no_more_per_delta_than_short_ones_and_what_is_there_stays() {
    let table = "| n | square |\n|---|--:|\n";
    let lines: [(&str, &dyn Fn(usize) -> String); 5] = [
        ("", &|n| format!("- entry {n} with **bold** words\n")),
        ("Some words before.\n\n", &|n| format!("1. entry {n}\n\n   more of it\n\n")),
        ("", &|n| format!("* [x] task {n}\n  * below\n")),
        (table, &|n| format!("| {n} | `{}` |\n", n * n)),
        ("", &|n| format!(" 1) entry\n\n    ```\n    code {n}\n    ```\n")),
    ];
    for (start, line) in lines {
        let mut stream = MarkdownStream::new();
        stream.push(start);
        for number in 0..1_000 {
            let line = line(number);
            let (first, second) = line.split_at(line.len() / 2);
            stream.push(first);
            stream.push(second);
            assert!(number < 3 || behind(&stream) < 120, "{} bytes of {line:?} are behind", behind(&stream));
        }
        let before = stream.blocks().last().cloned();
        stream.push(&line(1_000));
        let same = match (&before, stream.blocks().last()) {
            (Some(Block::List { items, .. }), Some(Block::List { items: after, .. })) => {
                items.len() >= 1_000 && items.iter().zip(after).take(998).all(|(one, other)| std::sync::Arc::ptr_eq(one, other))
            }
            (Some(Block::Table { rows, .. }), Some(Block::Table { rows: after, .. })) => {
                rows.len() >= 1_000 && rows.iter().zip(after).take(998).all(|(one, other)| std::sync::Arc::ptr_eq(one, other))
            }
            other => panic!("{other:?}"),
        };
        assert!(same, "entries of {:?} were written again", line(0));
        assert_eq!(stream.blocks(), whole(&stream));
        // A paragraph behind it that has no end yet does not make it be parsed again.
        stream.push("\nAnd so");
        stream.push(" it goes on");
        assert!(behind(&stream) < 200, "{} bytes behind {:?}", behind(&stream), line(0));
        stream.push(".\n\nThe end.\n");
        assert!(stream.grown.is_none() && behind(&stream) < 30);
        stream.finish();
        assert_eq!(stream.blocks(), parse(stream.text()));
    }
}

#[test]
fn a_list_is_seen_on_the_way_as_it_would_be_if_all_of_it_were_parsed() {
    for text in [
        "- a\n- b\n- c\n\n- d\n- e\n",
        "- a\n\n  b\n- c\n- d\n\nText.\n",
        "1. a\n2. b\n   - c\n   - d\n3. e\n\n   f\n4. g\n",
        "- a\n- b\nlazy\n- c\n\n# Title\n",
        "- a\n- b\n* c\n* d\n* e\n",
        "- a\n- b\n---\n- c\n- d\n",
        "- a\n- b\n\n\n- c\n-\n- d\n",
        " - a\n - b\n  - c\n    - d\n - e\n",
        "- [ ] a\n- [x] b\n- c `code` d\n",
        "- a\n- ```\n  - b\n  ```\n- c\n- d\n",
        "| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 |\n| 4 | 5 | 6 |\nno bar\n| 7 | 8 |\n\nText.\n",
        "- a\r\n- b\r\n- c\r\n\r\n- d\r\n",
        "- a\n- b\n- c\n\n1. d\n2. e\n3. f\n",
        "- see [x]\n- b\n- c\n\n[x]: https://example.com/\n",
    ] {
        let mut stream = MarkdownStream::new();
        for character in text.chars() {
            stream.push(character.encode_utf8(&mut [0; 4]));
            assert_eq!(stream.blocks(), whole(&stream), "after {:?}", stream.text());
        }
        stream.finish();
        assert_eq!(stream.blocks(), parse(text));
    }
}

fn piece() -> impl Strategy<Value = String> {
    let parts = [
        "# h\n",
        "para\n",
        "\n",
        "\n\n",
        "- a\n",
        "  b\n",
        "1. x\n",
        "2",
        ". y\n",
        "```\n",
        "```rs\n",
        "~~~\n",
        "> q\n",
        "    code\n",
        "| a | b |\n",
        "|---|---|\n",
        "---\n",
        "===\n",
        "**b",
        "**",
        "`c`",
        "`",
        "<div>\n",
        "</div>\n",
        "<!--",
        "-->\n",
        "\t",
        " ",
        "\\",
        "日本",
        "*",
        "_x_",
        "\0",
        "<pre>\n",
        "- [ ] t\n",
        "+ z\n",
        "![i](u)",
        "~~s~~",
        "&amp;",
        "\r\n",
        "***\n",
        "* * *\n",
    ];
    prop::sample::select(parts.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_text_in_any_pieces_ends_in_the_blocks_of_the_whole(
        pieces in prop::collection::vec(piece(), 0..30), sizes in prop::collection::vec(1..12_usize, 1..5)
    ) {
        let text = pieces.concat();
        prop_assert_eq!(settled(&text, &sizes), parse(&text), "{:?}", text);
    }

    #[test]
    fn any_characters_at_all_are_taken(text in "(?s).{0,200}", sizes in prop::collection::vec(1..12_usize, 1..5)) {
        let stream = streamed(&text, &sizes);
        prop_assert_eq!(stream.text(), &text);
    }
}

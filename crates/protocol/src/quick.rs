//! The shapes that nearly all of a conversation's bytes have, read in one pass: a response frame, a piece of a text in it, and the other
//! chunks without a tree of JSON in between.
//!
//! Everything else, and everything that is not exactly so, is refused here and read as a tree. What both ways can read they read to the
//! same value.

use std::borrow::Cow;

use serde::de::MapAccess;

use crate::chunk::{Chunk, ReasoningDelta, TextDelta, ToolInputDelta};
use crate::server::Response;

/// A struct that is read field by field; an error if anything is not as its type says.
pub(crate) trait Fields: Sized {
    fn read<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error>;
}

/// Reads a response frame that has known fields only.
pub(crate) fn response(text: &str) -> Option<Response> {
    let mut scanner = Scanner::object(text)?;
    let mut response = Response::default();
    let (mut kind, mut id) = (None, None);
    while let Some(key) = scanner.key()? {
        match key {
            "type" => kind = Some(scanner.string()?),
            "id" => id = Some(scanner.string()?.into_owned()),
            "body" => response.body = Some(scanner.string()?.into_owned()),
            "done" => response.done = Some(scanner.boolean()?),
            "error" => response.error = Some(scanner.boolean()?),
            "continuation" => response.continuation = Some(scanner.boolean()?),
            "replay" => response.replay = Some(scanner.boolean()?),
            "replayComplete" => response.replay_complete = Some(scanner.boolean()?),
            "seq" => response.seq = Some(scanner.number()?),
            "messageIds" => response.message_ids = Some(scanner.strings()?),
            "outcome" => response.outcome = Some(scanner.string()?.into_owned()),
            _ => return None,
        }
    }
    let id = id.filter(|_| kind.as_deref() == Some("cf_agent_use_chat_response"))?;
    Some(Response { id, ..response })
}

/// Reads a chunk that begins with its type and has the fields of that type as they should be.
pub(crate) fn chunk(text: &str) -> Option<Chunk> {
    delta(text).or_else(|| Chunk::read_quickly(text))
}

/// Reads a chunk that adds to a text, a reasoning or to arguments, and has nothing else.
fn delta(text: &str) -> Option<Chunk> {
    let mut scanner = Scanner::object(text)?;
    let (mut kind, mut id, mut delta, mut call, mut arguments) = (None, None, None, None, None);
    while let Some(key) = scanner.key()? {
        let field = match key {
            "type" => &mut kind,
            "id" => &mut id,
            "delta" => &mut delta,
            "toolCallId" => &mut call,
            "inputTextDelta" => &mut arguments,
            _ => return None,
        };
        *field = Some(scanner.string()?);
        if !matches!(kind.as_deref(), None | Some("text-delta" | "reasoning-delta" | "tool-input-delta")) {
            return None;
        }
    }
    let id = id.map(Cow::into_owned);
    match (kind?.as_ref(), delta.map(Cow::into_owned), call, arguments) {
        ("text-delta", Some(delta), None, None) => Some(TextDelta { id, delta, ..TextDelta::default() }.into()),
        ("reasoning-delta", Some(delta), None, None) => Some(ReasoningDelta { id, delta, ..ReasoningDelta::default() }.into()),
        ("tool-input-delta", None, Some(call), Some(arguments)) if id.is_none() => {
            let (tool_call_id, input_text_delta) = (call.into_owned(), arguments.into_owned());
            Some(ToolInputDelta { tool_call_id, input_text_delta, ..ToolInputDelta::default() }.into())
        }
        _ => None,
    }
}

/// A JSON object without spaces, read from its front. `None`: something else.
struct Scanner<'a> {
    rest: &'a str,
    first: bool,
}

impl<'a> Scanner<'a> {
    fn object(text: &'a str) -> Option<Self> {
        text.strip_prefix('{').map(|rest| Self { rest, first: true })
    }

    fn eat(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    /// The next key; an inner `None` at the end of the object and of the text.
    #[allow(clippy::option_option, reason = "an end is no failure")]
    fn key(&mut self) -> Option<Option<&'a str>> {
        if let Some(rest) = self.rest.strip_prefix('}') {
            return (!self.first && rest.trim_start_matches([' ', '\n', '\r', '\t']).is_empty()).then_some(None);
        }
        if !std::mem::take(&mut self.first) {
            self.eat(",")?;
        }
        let Cow::Borrowed(key) = self.string()? else { return None };
        self.eat(":")?;
        Some(Some(key))
    }

    fn boolean(&mut self) -> Option<bool> {
        self.eat("true").map(|()| true).or_else(|| self.eat("false").map(|()| false))
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(digits);
        if digits > 1 && number.starts_with('0') || !rest.starts_with([',', '}']) {
            return None;
        }
        self.rest = rest;
        number.parse().ok()
    }

    fn strings(&mut self) -> Option<Vec<String>> {
        self.eat("[")?;
        let mut strings = Vec::new();
        while self.eat("]").is_none() {
            if !strings.is_empty() {
                self.eat(",")?;
            }
            strings.push(self.string()?.into_owned());
        }
        Some(strings)
    }

    /// A string; borrowed if it stands there as it is.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.eat("\"")?;
        let (plain, rest) = self.rest.split_at(ordinary(self.rest.as_bytes()));
        if let Some(rest) = rest.strip_prefix('"') {
            self.rest = rest;
            return Some(Cow::Borrowed(plain));
        }
        // Most of what is left is this string, or not much is left.
        let mut whole = String::with_capacity(self.rest.len());
        whole.push_str(plain);
        self.rest = rest;
        loop {
            match self.rest.as_bytes() {
                [b'"', ..] => {
                    self.rest = &self.rest[1..];
                    return Some(Cow::Owned(whole));
                }
                // A string in a string is full of these.
                [b'\\', b'"', ..] => {
                    whole.push('"');
                    self.rest = &self.rest[2..];
                }
                _ => whole.push(self.escape()?),
            }
            let (plain, rest) = self.rest.split_at(ordinary(self.rest.as_bytes()));
            whole.push_str(plain);
            self.rest = rest;
        }
    }

    fn escape(&mut self) -> Option<char> {
        let rest = self.rest.strip_prefix('\\')?;
        let character = match rest.bytes().next()? {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            // Half a character is left to the slow way.
            b'u' => char::from_u32(u32::from_str_radix(rest.get(1..5).filter(|digits| !digits.starts_with('+'))?, 16).ok()?)?,
            _ => return None,
        };
        self.rest = if rest.starts_with('u') { &rest[5..] } else { &rest[1..] };
        Some(character)
    }
}

/// How many bytes from the front are part of a string and stand for themselves.
#[inline]
fn ordinary(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < SHORT {
        match bytes.get(at) {
            Some(byte) if !SPECIAL[usize::from(*byte)] => at += 1,
            _ => return at,
        }
    }
    ordinary_at_length(bytes)
}

/// Bytes that are looked at one by one.
const SHORT: usize = 16;
/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// Ends a run of ordinary bytes.
const fn special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// [`special`], for one byte at a time.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = special(byte as u8);
        byte += 1;
    }
    table
};

/// [`ordinary`], of which it is known that it is at least [`SHORT`].
fn ordinary_at_length(bytes: &[u8]) -> usize {
    // A block at once: without a way out in its middle, which lets the compiler look at many bytes in one step.
    let blocks = bytes.get(SHORT..).unwrap_or_default().chunks_exact(BLOCK);
    let plain = blocks.take_while(|block| !block.iter().fold(false, |any, byte| any | special(*byte))).count();
    let at = SHORT + plain * BLOCK;
    at + bytes[at..].iter().position(|byte| special(*byte)).unwrap_or(bytes.len() - at)
}

#[cfg(test)]
mod tests {
    use super::{chunk, delta, ordinary, response};
    use crate::chunk::Chunk;
    use crate::server::ServerFrame;

    #[test]
    fn what_is_read_quickly_is_what_is_read_slowly() {
        for text in [
            r#"{"type":"cf_agent_use_chat_response","id":"r","body":"{\"type\":\"x\"}","done":false,"seq":3,"replay":true}"#,
            r#"{"body":"","done":true,"id":"\u00e9\/\b\f\t","type":"cf_agent_use_chat_response","messageIds":["a","b"],"outcome":"aborted","error":true}"#,
            r#"{"type":"x","id":"r","seq":0,"messageIds":[],"id":"s","type":"cf_agent_use_chat_response","replayComplete":false}"#,
        ] {
            let slow = serde_json::from_str(text).map(ServerFrame::from_value);
            assert_eq!(response(text).map(ServerFrame::Response), slow.ok());
        }
        for text in [
            r#"{"type":"text-delta","id":"0","delta":"a\n\u00e9 and much more than what is looked at byte by byte, and then “quotes” \\ \" "}"#,
            r#"{"delta":"x","type":"reasoning-delta"}"#,
            r#"{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"{"}"#,
        ] {
            let slow = serde_json::from_str(text).map(Chunk::from_value);
            assert_eq!(delta(text), slow.ok());
        }
        for text in [
            r#"{"type":"text-delta","id":"0","delta":"\ud83d\ude00"}"#,
            r#"{"type":"start","messageId":"m","messageMetadata":null}"#,
            r#"{"type":"start-step","new":[1.50,{"a":null}]}"#,
            r#"{"type":"tool-output-available","toolCallId":"c","output":null,"preliminary":true,"x":1,"x":2}"#,
            r#"{ "type": "tool-input-available", "toolCallId": "c", "toolName": "t", "input": {"a": 1}, "title": "T" }"#,
            r#"{"type":"data-x","id":7,"data":{"a":[]},"transient":false}"#,
            r#"{"type":"finish"}"#,
        ] {
            let slow = serde_json::from_str(text).map(Chunk::from_value);
            assert_eq!(chunk(text), slow.ok());
        }
    }

    #[test]
    fn whatever_is_not_exactly_so_is_refused() {
        for text in [
            r#"{"type":"cf_agent_use_chat_response","id":"r","new":1}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","seq":1.5}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","seq":01}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","seq":}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","seq":99999999999999999999}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","done":null}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","messageIds":["a",]}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"\ud83d"}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"\u+123"}"#,
            "{\"type\":\"cf_agent_use_chat_response\",\"id\":\"a\nb\"}",
            r#"{"type":"cf_agent_use_chat_response","id":"r",}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r"}{}"#,
            // A form feed is space in many languages, and not in JSON.
            "{\"type\":\"cf_agent_use_chat_response\",\"id\":\"r\"}\n\u{c}",
            r#"{"type":"cf_agent_use_chat_response"}"#,
            r#"{"type":"cf_agent_chat_clear","id":"r"}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r"} "#,
            r#"{"type":"cf_agent_use_chat_response","id":"r"#,
            "{}",
            "[]",
            "",
        ] {
            assert_eq!(response(text).is_some(), text.ends_with(' '), "{text}");
        }
        for text in [
            r#"{"type":"text-delta","delta":"x","type":"text-delta"}"#,
            r#"{"type":"text-delta","delta":7}"#,
            r#"{"type":"text-delta","id":null,"delta":"x"}"#,
            r#"{"id":"0","type":"text-start"}"#,
            r#"{"type":"tool-output-available","output":1}"#,
            r#"{"type":"new"}"#,
            r#"["type"]"#,
        ] {
            assert_eq!(Chunk::read_quickly(text), None, "{text}");
        }
        for text in [
            r#"{"type":"text-delta","delta":"x","providerMetadata":{}}"#,
            r#"{"type":"text-delta","delta":"x","toolCallId":"c"}"#,
            r#"{"type":"text-start","id":"0"}"#,
            r#"{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"{","id":"0"}"#,
        ] {
            assert_eq!(delta(text), None, "{text}");
        }
    }

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for length in 0..100 {
            for special in ["\"", "\\", "\n", "\u{1f}"] {
                let text = format!("{}{special}é", "é".repeat(length / 2) + &"x".repeat(length % 2));
                assert_eq!(ordinary(text.as_bytes()), text.len() - special.len() - 2, "{text}");
            }
            assert_eq!(ordinary("x".repeat(length).as_bytes()), length);
        }
    }
}

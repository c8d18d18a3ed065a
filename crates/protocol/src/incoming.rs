//! [`Incoming`]: a frame of the agent, read for the fold and no further than that needs.
//!
//! Nearly all of a conversation's bytes are response frames that add a few words to a text. They are read in one pass, where they stand, the
//! chunk within the frame included, and nothing of them is copied before it is where it goes. All other frames are read as [`ServerFrame`], and
//! what can be read both ways is read to the same.

use std::borrow::Cow;

use crate::chunk::Chunk;
use crate::scan::Scanner;
use crate::server::{Content, FrameError, Response, ServerFrame, content};

/// One text frame from the agent, for [`crate::Conversation::receive`]; borrows from the text.
#[allow(clippy::large_enum_variant, reason = "one at a time, between reading and folding")]
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming<'a> {
    /// A piece of a turn: a [`Response`].
    Piece(Piece<'a>),
    /// Any other frame.
    Frame(Cow<'a, ServerFrame>),
}

/// A [`Response`], without what the fold has no use for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Piece<'a> {
    pub(crate) request_id: Cow<'a, str>,
    pub(crate) done: bool,
    pub(crate) error: bool,
    pub(crate) continuation: bool,
    pub(crate) replay: bool,
    pub(crate) replay_complete: bool,
    pub(crate) seq: Option<u64>,
    pub(crate) outcome: Option<Cow<'a, str>>,
    pub(crate) said: Said<'a>,
}

/// [`Content`], with what comes most often apart from the rest.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Said<'a> {
    #[default]
    Nothing,
    Growth(Growth<'a>),
    Chunk(Box<Chunk>),
    Words(String),
}

/// A chunk that adds to a text, and has nothing else.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Growth<'a> {
    Text(Cow<'a, str>),
    Reasoning(Cow<'a, str>),
    Arguments { call: Cow<'a, str>, text: Cow<'a, str> },
}

impl<'a> Incoming<'a> {
    /// Reads a text frame, as [`ServerFrame::parse`] does.
    ///
    /// # Errors
    ///
    /// [`FrameError::NotJson`] if the text is no JSON.
    pub fn parse(text: &'a str) -> Result<Self, FrameError> {
        match Piece::scan(text) {
            Some(piece) => Ok(Self::Piece(piece)),
            None => ServerFrame::parse(text).map(Self::of),
        }
    }

    fn of(frame: ServerFrame) -> Self {
        match frame {
            ServerFrame::Response(mut frame) => {
                let (id, outcome) = (std::mem::take(&mut frame.id), frame.outcome.take());
                Self::Piece(Piece::new(id.into(), outcome.map(Cow::Owned), &frame))
            }
            frame => Self::Frame(Cow::Owned(frame)),
        }
    }
}

impl<'a> From<&'a ServerFrame> for Incoming<'a> {
    fn from(frame: &'a ServerFrame) -> Self {
        match frame {
            ServerFrame::Response(frame) => {
                Self::Piece(Piece::new(frame.id.as_str().into(), frame.outcome.as_deref().map(Cow::Borrowed), frame))
            }
            frame => Self::Frame(Cow::Borrowed(frame)),
        }
    }
}

impl<'a> Piece<'a> {
    /// The turn.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// How the turn ended, see [`Response::outcome`].
    pub fn outcome(&self) -> Option<&str> {
        self.outcome.as_deref()
    }

    /// Whether it has what the oldest agents (agents 0.2) know nothing of: a number, an outcome, or that it goes on with a message or repeats one.
    pub fn is_marked(&self) -> bool {
        self.seq.is_some() || self.outcome.is_some() || self.continuation || self.replay || self.replay_complete
    }

    /// Whether it has more than its flags: a chunk of the message, or words.
    pub fn says_something(&self) -> bool {
        self.said != Said::Nothing
    }

    /// A chunk of a turn, by itself: its body is the whole of it.
    pub(crate) fn of_turn(request_id: &'a str, body: &str) -> Self {
        Self { request_id: request_id.into(), said: content(body, false).into(), ..Self::default() }
    }

    fn new(request_id: Cow<'a, str>, outcome: Option<Cow<'a, str>>, frame: &Response) -> Self {
        let is = |flag: Option<bool>| flag == Some(true);
        Self {
            request_id,
            done: is(frame.done),
            error: is(frame.error),
            continuation: is(frame.continuation),
            replay: is(frame.replay),
            replay_complete: is(frame.replay_complete),
            seq: frame.seq,
            outcome,
            said: frame.content().into(),
        }
    }

    fn scan(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        scanner.eat(b"{")?;
        let mut piece = Self::default();
        let (mut first, mut typed, mut id, mut body) = (true, false, None, None);
        while let Some(key) = scanner.key(&mut first)? {
            match key {
                "type" => {
                    typed = scanner.string()? == "cf_agent_use_chat_response";
                    if !typed {
                        return None;
                    }
                }
                "id" => id = Some(scanner.string()?),
                "body" => {
                    let mut inner = scanner.clone();
                    if let Some(growth) = Growth::scan(&mut inner) {
                        (scanner, body) = (inner, None);
                        piece.said = Said::Growth(growth);
                    } else {
                        body = Some(scanner.string()?);
                    }
                }
                "done" => piece.done = scanner.boolean()?,
                "error" => piece.error = scanner.boolean()?,
                "continuation" => piece.continuation = scanner.boolean()?,
                "replay" => piece.replay = scanner.boolean()?,
                "replayComplete" => piece.replay_complete = scanner.boolean()?,
                "seq" => piece.seq = Some(scanner.number()?),
                "outcome" => piece.outcome = Some(scanner.string()?),
                _ => drop(scanner.value()?),
            }
        }
        scanner.end()?;
        if let Some(body) = body {
            piece.said = content(&body, piece.error).into();
        } else if piece.error && piece.said != Said::Nothing {
            // The reason of a failure is never a chunk.
            return None;
        }
        piece.request_id = id.filter(|_| typed)?;
        Some(piece)
    }
}

impl From<Content> for Said<'_> {
    fn from(content: Content) -> Self {
        match content {
            Content::Nothing => Self::Nothing,
            Content::Text(words) => Self::Words(words),
            Content::Chunk(Chunk::TextDelta(chunk)) if chunk.extra.is_empty() => Self::Growth(Growth::Text(chunk.delta.into())),
            Content::Chunk(Chunk::ReasoningDelta(chunk)) if chunk.extra.is_empty() => Self::Growth(Growth::Reasoning(chunk.delta.into())),
            Content::Chunk(Chunk::ToolInputDelta(chunk)) if chunk.extra.is_empty() => {
                Self::Growth(Growth::Arguments { call: chunk.tool_call_id.into(), text: chunk.input_text_delta.into() })
            }
            Content::Chunk(chunk) => Self::Chunk(Box::new(chunk)),
        }
    }
}

impl<'a> Growth<'a> {
    /// Reads the body of a frame, a string that is a chunk.
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.eat(br#""{\"type\":\""#)?;
        let kind = scanner.inner_string()?;
        let is_call = match &*kind {
            "text-delta" | "reasoning-delta" => false,
            "tool-input-delta" => true,
            _ => return None,
        };
        let (mut call, mut text) = (None, None);
        while scanner.eat(br#"}""#).is_none() {
            scanner.eat(br#",\""#)?;
            let key = scanner.inner_string()?;
            scanner.eat(br#":\""#)?;
            let value = scanner.inner_string()?;
            match (&*key, is_call) {
                ("delta", false) | ("inputTextDelta", true) => text = Some(value),
                ("toolCallId", true) => call = Some(value),
                // Which of the texts; the agent does not care either.
                ("id", false) => {}
                _ => return None,
            }
        }
        let text = text?;
        Some(match &*kind {
            "text-delta" => Self::Text(text),
            "reasoning-delta" => Self::Reasoning(text),
            _ => Self::Arguments { call: call?, text },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Growth, Incoming, Piece, Said};
    use crate::chunk::Chunk;
    use crate::server::ServerFrame;
    use serde_json::json;

    fn slow(text: &str) -> Option<Incoming<'static>> {
        serde_json::from_str(text).map(ServerFrame::from_value).map(Incoming::of).ok()
    }

    fn frame(body: &str) -> String {
        json!({"body": body, "done": false, "id": "r", "type": "cf_agent_use_chat_response"}).to_string()
    }

    #[test]
    fn what_is_read_in_one_pass_is_what_is_read_by_way_of_a_tree() {
        for text in [
            r#"{"type":"cf_agent_use_chat_response","id":"r","body":"{\"type\":\"x\"}","done":false,"seq":3,"replay":true}"#,
            r#"{"body":"","done":true,"id":"\u00e9\/\b\f\t","type":"cf_agent_use_chat_response","messageIds":["a","b"],"outcome":"aborted","error":true}"#,
            r#"{"id":"q","seq":0,"messageIds":{},"id":"s","type":"cf_agent_use_chat_response","replayComplete":false,"new":[{"x":null}]}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","continuation":true,"body":"words"} "#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","body":"{\"type\":\"text-delta\",\"delta\":\"x\"}","body":""}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","body":"","body":"{\"type\":\"text-delta\",\"delta\":\"x\"}"}"#,
        ] {
            assert_eq!(Piece::scan(text).map(Incoming::Piece), slow(text), "{text}");
        }
    }

    #[test]
    fn all_that_agents_have_been_recorded_to_say_in_a_turn_is_read_in_one_pass() {
        let mut read = 0;
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts")).unwrap() {
            for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
                let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
                let Some(raw) = line["raw"].as_str().filter(|_| line["dir"] == "in") else { continue };
                assert_eq!(Incoming::parse(raw).ok(), slow(raw), "{raw}");
                let ServerFrame::Response(frame) = ServerFrame::parse(raw).unwrap() else { continue };
                assert!(Piece::scan(raw).is_some(), "{raw}");
                let body = frame.body.filter(|body| body.starts_with("{\"type\":\"")).filter(|_| frame.error.is_none());
                let chunk = |body: &String| serde_json::from_str(body).map(Chunk::from_value).unwrap();
                if let Some(chunk) = body.as_ref().map(chunk).filter(|chunk| !matches!(chunk, Chunk::Unknown(_))) {
                    assert_eq!(Chunk::read_quickly(body.as_deref().unwrap_or_default()), Some(chunk), "{raw}");
                    read += 1;
                }
            }
        }
        assert!(read > 2_000, "{read}");
    }

    #[test]
    fn a_chunk_that_adds_to_a_text_is_read_where_it_stands() {
        for (body, borrowed) in [
            (r#"{"type":"text-delta","id":"0","delta":"a piece that stands as it is: é, “quotes”, 日本語"}"#, true),
            (
                r#"{"type":"text-delta","id":"0","delta":"a\n\u00e9 and much more than what is looked at at once, \\ \" \/ \\n \\\" and so on"}"#,
                false,
            ),
            (r#"{"type":"text-delta","delta":""}"#, true),
            (r#"{"delta":"x","type":"reasoning-delta"}"#, false),
            (r#"{"type":"reasoning-delta","delta":"x","delta":"y","id":"z"}"#, true),
            (r#"{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"{\"a"}"#, false),
        ] {
            let text = frame(body);
            let piece = Piece::scan(&text).unwrap();
            let Said::Growth(Growth::Text(said) | Growth::Reasoning(said) | Growth::Arguments { text: said, .. }) = &piece.said else {
                panic!("{piece:?}")
            };
            assert_eq!(matches!(said, std::borrow::Cow::Borrowed(_)), borrowed, "{body}");
            assert_eq!(Some(Incoming::Piece(piece)), slow(&text));
        }
    }

    #[test]
    fn a_chunk_that_has_more_or_less_is_read_with_all_that_it_has() {
        for body in [
            r#"{"type":"text-delta","delta":"x","providerMetadata":{}}"#,
            r#"{"type":"text-delta","delta":"x","toolCallId":"c"}"#,
            r#"{"type":"text-delta","delta":7}"#,
            r#"{"type":"text-delta","id":null,"delta":"x"}"#,
            r#"{"type":"text-delta"}"#,
            r#"{"type":"text-delta","delta":"\ud83d\ude00"}"#,
            r#"{"type":"text-delta","delta":"\ud83d"}"#,
            r#"{"type":"text-delta","delta":"x"} "#,
            r#"{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"{","id":"0"}"#,
            r#"{"type":"tool-input-delta","inputTextDelta":"{"}"#,
            r#"{"type":"text-start","id":"0"}"#,
            "{\"type\":\"text-delta\",\"delta\":\"\n\"}",
        ] {
            let text = frame(body);
            assert_eq!(Incoming::parse(&text).ok(), slow(&text), "{body}");
            let inner = serde_json::to_string(body).unwrap();
            assert_eq!(Growth::scan(&mut super::Scanner::new(&inner)), None, "{body}");
        }
        // A failure has a reason in plain words, whatever it looks like.
        let text = r#"{"body":"{\"type\":\"text-delta\",\"delta\":\"x\"}","id":"r","type":"cf_agent_use_chat_response","error":true}"#;
        assert_eq!(Incoming::parse(text).ok(), slow(text));
    }

    #[test]
    fn whatever_is_not_exactly_so_is_not_read_in_one_pass() {
        for text in [
            r#"{"type":"cf_agent_use_chat_response","id":"r","seq":1.5}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","seq":01}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","seq":}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","seq":99999999999999999999}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","done":null}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","messageIds":["a",]}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","new":[1,]}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"\ud83d"}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"\u+123"}"#,
            "{\"type\":\"cf_agent_use_chat_response\",\"id\":\"a\nb\"}",
            r#"{"type":"cf_agent_use_chat_response","id":"r",}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r"}{}"#,
            // A form feed is space in many languages, and not in JSON.
            "{\"type\":\"cf_agent_use_chat_response\",\"id\":\"r\"}\n\u{c}",
            r#"{"type":"cf_agent_use_chat_response"}"#,
            r#"{"type":"cf_agent_chat_clear","id":"r"}"#,
            r#"{"type":"x","id":"r","type":"cf_agent_use_chat_response"}"#,
            r#"{"id":"r"}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r"} "#,
            r#"{"type":"cf_agent_use_chat_response","id":"r"#,
            "{}",
            "[]",
            "",
        ] {
            assert_eq!(Piece::scan(text).is_some(), text.ends_with(' '), "{text}");
            assert_eq!(Incoming::parse(text).ok(), slow(text), "{text}");
        }
    }
}

//! The shapes that nearly all of a conversation's bytes have, read in one pass: a response frame, and a piece of a text in it.
//!
//! Everything else, and everything that is not exactly so, is refused here and read as a tree of JSON. What both ways can read they
//! read to the same value.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::chunk::{Chunk, ReasoningDelta, TextDelta, ToolInputDelta};
use crate::server::Response;

/// Reads a response frame that has known fields only.
pub(crate) fn response(text: &str) -> Option<Response> {
    serde_json::from_str::<Quick<Response>>(text).ok().map(|quick| quick.0)
}

/// Reads a chunk that adds to a text, a reasoning or to arguments, and has nothing else.
pub(crate) fn delta(text: &str) -> Option<Chunk> {
    serde_json::from_str::<Quick<Chunk>>(text).ok().map(|quick| quick.0)
}

struct Quick<T>(T);

struct Fields<T>(std::marker::PhantomData<T>);

impl<'de> Deserialize<'de> for Quick<Response> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields::<Response>(std::marker::PhantomData)).map(Quick)
    }
}

impl<'de> Deserialize<'de> for Quick<Chunk> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields::<Chunk>(std::marker::PhantomData)).map(Quick)
    }
}

impl<'de> Visitor<'de> for Fields<Response> {
    type Value = Response;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a response frame")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Response, A::Error> {
        let mut response = Response::default();
        let (mut kind, mut id) = (None, None);
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "type" => kind = Some(map.next_value::<&str>()?),
                "id" => id = Some(map.next_value()?),
                "body" => response.body = Some(map.next_value()?),
                "done" => response.done = Some(map.next_value()?),
                "error" => response.error = Some(map.next_value()?),
                "continuation" => response.continuation = Some(map.next_value()?),
                "replay" => response.replay = Some(map.next_value()?),
                "replayComplete" => response.replay_complete = Some(map.next_value()?),
                "seq" => response.seq = Some(map.next_value()?),
                "messageIds" => response.message_ids = Some(map.next_value()?),
                "outcome" => response.outcome = Some(map.next_value()?),
                _ => return Err(A::Error::custom("another field")),
            }
        }
        match (kind, id) {
            (Some("cf_agent_use_chat_response"), Some(id)) => Ok(Response { id, ..response }),
            _ => Err(A::Error::custom("another frame")),
        }
    }
}

impl<'de> Visitor<'de> for Fields<Chunk> {
    type Value = Chunk;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a piece of a text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Chunk, A::Error> {
        let (mut kind, mut id, mut delta, mut call, mut arguments) = (None, None, None, None, None);
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "type" => kind = Some(map.next_value::<&str>()?),
                "id" => id = Some(map.next_value()?),
                "delta" => delta = Some(map.next_value()?),
                "toolCallId" => call = Some(map.next_value()?),
                "inputTextDelta" => arguments = Some(map.next_value()?),
                _ => return Err(A::Error::custom("another field")),
            }
        }
        match (kind, id, delta, call, arguments) {
            (Some("text-delta"), id, Some(delta), None, None) => Ok(TextDelta { id, delta, ..TextDelta::default() }.into()),
            (Some("reasoning-delta"), id, Some(delta), None, None) => Ok(ReasoningDelta { id, delta, ..ReasoningDelta::default() }.into()),
            (Some("tool-input-delta"), None, None, Some(tool_call_id), Some(input_text_delta)) => {
                Ok(ToolInputDelta { tool_call_id, input_text_delta, ..ToolInputDelta::default() }.into())
            }
            _ => Err(A::Error::custom("another chunk")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{delta, response};
    use crate::chunk::Chunk;
    use crate::server::ServerFrame;

    #[test]
    fn what_is_read_quickly_is_what_is_read_slowly() {
        for text in [
            r#"{"type":"cf_agent_use_chat_response","id":"r","body":"{\"type\":\"x\"}","done":false,"seq":3,"replay":true}"#,
            r#"{"body":"","done":true,"id":"\u00e9","type":"cf_agent_use_chat_response","messageIds":["a"],"outcome":"aborted","error":true}"#,
        ] {
            let slow = serde_json::from_str(text).map(ServerFrame::from_value);
            assert_eq!(response(text).map(ServerFrame::Response), slow.ok());
        }
        for text in [
            r#"{"type":"text-delta","id":"0","delta":"a\n\ud83d\ude00"}"#,
            r#"{"delta":"x","type":"reasoning-delta"}"#,
            r#"{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"{"}"#,
        ] {
            let slow = serde_json::from_str(text).map(Chunk::from_value);
            assert_eq!(delta(text), slow.ok());
        }
    }

    #[test]
    fn whatever_is_not_exactly_so_is_refused() {
        for text in [
            r#"{"type":"cf_agent_use_chat_response","id":"r","new":1}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","seq":1.5}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r","done":null}"#,
            r#"{"type":"cf_agent_use_chat_response"}"#,
            r#"{"type":"cf_agent_chat_clear","id":"r"}"#,
            r#"{"type":"cf_agent_use_chat_response","id":"r"} "#,
            "[]",
            "",
        ] {
            assert_eq!(response(text).is_some(), text.ends_with(' '), "{text}");
        }
        for text in [
            r#"{"type":"text-delta","delta":"x","providerMetadata":{}}"#,
            r#"{"type":"text-delta","delta":7}"#,
            r#"{"type":"text-delta","id":null,"delta":"x"}"#,
            r#"{"type":"text-delta","delta":"x","toolCallId":"c"}"#,
            r#"{"type":"text-start","id":"0"}"#,
            r#"{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"{","id":"0"}"#,
        ] {
            assert_eq!(delta(text), None, "{text}");
        }
    }
}

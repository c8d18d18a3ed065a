//! Where the SDK's own client shows something else than the SDK's own agent has. Each is taken out by name;
//! our client is held to the agent's word without any of this.

use serde_json::{Map, Value};

use crate::sdk::Release;

/// Messages without what only one of the two has, or has sooner.
pub(crate) fn common(release: Release, messages: &[Value]) -> Vec<Value> {
    each(messages, |message| {
        without_finish(release, message);
        for part in parts(message) {
            // AI SDK 7 notes the stream's id of reasoning; the agent does not.
            if release == Release::Newest && part["type"] == "reasoning" {
                part.remove("id");
            }
            // A client that stops an answer listens no more, and may or may not have heard that the text it has is all there will be.
            if part["type"] == "text" && part.get("state") == Some(&Value::from("streaming")) {
                part.insert("state".to_owned(), Value::from("done"));
            }
            // The agent's own fold names the tool also where the part's type does; the client has it from what the agent stored.
            if release == Release::Newest && part["type"].as_str().is_some_and(|kind| kind.starts_with("tool-")) {
                part.remove("toolName");
            }
        }
    })
}

/// Why the model stopped: the client keeps what the last chunk says of it. The agent does not, until the client sends it the whole
/// conversation with its next message.
fn without_finish(release: Release, message: &mut Map<String, Value>) {
    if release == Release::Newest
        && let Some(metadata) = message.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("finishReason");
        if metadata.is_empty() {
            message.remove("metadata");
        }
    }
}

fn each(messages: &[Value], change: impl Fn(&mut Map<String, Value>)) -> Vec<Value> {
    let mut messages = messages.to_vec();
    messages.iter_mut().filter_map(Value::as_object_mut).for_each(change);
    messages
}

fn parts(message: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    message.get_mut("parts").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

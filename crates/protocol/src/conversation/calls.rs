//! Tool calls: from the first piece of the arguments to the end. No chunk takes back a decision or opens a call that has ended.

use serde_json::Value;

use crate::chunk::{ToolInputAvailable, ToolInputError, ToolInputStart};
use crate::json::Object;
use crate::message::Role;
use crate::part::Part;
use crate::preview::partial;
use crate::stored::{arguments, arguments_text, finish};
use crate::tool::{Approval, ToolPart, ToolState};

use super::chunks::Fold;
use super::merge::rank;

impl Fold<'_> {
    fn tool(&self, call: &str) -> Option<(usize, &ToolPart)> {
        let part = self.parts().iter().rposition(|part| part.as_tool().is_some_and(|tool| tool.tool_call_id == call))?;
        self.parts().get(part)?.as_tool().map(|tool| (part, tool))
    }

    fn change_tool(&mut self, call: &str, change: impl FnOnce(&mut ToolPart)) {
        let (Some(at), Some((part, _))) = (self.at(), self.tool(call)) else { return };
        self.list.change_part(at, part, |part| part.as_tool_mut().is_some_and(|tool| changes(tool, change)));
    }

    /// A new call, or what was known of it before the message was built anew.
    fn add_tool(&mut self, tool: ToolPart) {
        // The message first: what was there under its name is what is known of the call.
        self.message();
        let known = self.stream.remembered.iter().find(|known| known.tool_call_id == tool.tool_call_id);
        let tool = known.cloned().unwrap_or(tool);
        self.push(Part::Tool(tool));
    }

    pub(super) fn input_start(&mut self, chunk: ToolInputStart) {
        if self.tool(&chunk.tool_call_id).is_none() {
            let mut tool = new_tool(chunk.tool_call_id, chunk.tool_name);
            describe(&mut tool, chunk.provider_executed, chunk.provider_metadata, chunk.title);
            self.add_tool(tool);
        }
    }

    pub(super) fn input_delta(&mut self, call: &str, delta: &str, whole: Option<&Value>) {
        let Some((part, _)) = self.tool(call).filter(|(_, tool)| tool.state == ToolState::InputStreaming) else { return };
        let written = self.stream.written(call);
        written.text.push_str(delta);
        let readable = if let Some(whole) = whole {
            Some(whole.clone())
        } else if written.text.len() >= 2 * written.read {
            written.read = written.text.len();
            partial(&written.text).filter(Value::is_object)
        } else {
            None
        };
        let (Some(input), Some(at)) = (readable, self.at()) else { return };
        self.stream.provisional(call);
        self.list.change_part(at, part, |part| {
            part.as_tool_mut().filter(|tool| tool.input.as_ref() != Some(&input)).map(|tool| tool.input = Some(input)).is_some()
        });
    }

    pub(super) fn input_available(&mut self, chunk: ToolInputAvailable) {
        let call = &chunk.tool_call_id;
        let input = arguments(chunk.input);
        let Some((_, tool)) = self.tool(call) else {
            let mut tool = new_tool(chunk.tool_call_id, chunk.tool_name);
            tool.state = ToolState::InputAvailable;
            tool.input = Some(input);
            describe(&mut tool, chunk.provider_executed, chunk.provider_metadata, chunk.title);
            return self.add_tool(tool);
        };
        // Arguments that the user has been asked about are never exchanged, unless they were only what could be read so far.
        let state = match tool.state {
            ToolState::InputStreaming => ToolState::InputAvailable,
            ToolState::ApprovalRequested | ToolState::ApprovalResponded
                if tool.input.is_none() || self.stream.provisional.iter().any(|known| known == call) =>
            {
                tool.state.clone()
            }
            _ => return,
        };
        drop(self.stream.take_written(call));
        self.stream.provisional.retain(|known| known != call);
        self.change_tool(call, |tool| {
            tool.state = state;
            tool.input = Some(input);
            describe(tool, chunk.provider_executed, chunk.provider_metadata, chunk.title);
        });
    }

    pub(super) fn input_error(&mut self, chunk: ToolInputError) {
        let ToolInputError { tool_call_id, tool_name, error_text, input, provider_executed, provider_metadata, .. } = chunk;
        let fail = |tool: &mut ToolPart| {
            tool.state = ToolState::OutputError;
            tool.error_text = Some(error_text);
            tool.input = Some(arguments(input));
            describe(tool, provider_executed, provider_metadata, None);
        };
        match self.tool(&tool_call_id) {
            Some((_, tool)) if tool.state.is_terminal() => {}
            Some(_) => self.change_tool(&tool_call_id, fail),
            None => {
                let mut tool = new_tool(tool_call_id, tool_name);
                fail(&mut tool);
                self.add_tool(tool);
            }
        }
    }

    pub(super) fn approval_request(&mut self, call: &str, approval: &str, descriptor: Option<&Value>) {
        if self.replay && self.stream.continuation {
            self.catch_up(call);
        }
        let Some((_, tool)) = self.tool(call) else { return };
        if tool.state == ToolState::ApprovalResponded || tool.state.is_terminal() {
            return;
        }
        let (being_written, unread) = (tool.state == ToolState::InputStreaming, tool.input.is_none());
        let written = self.stream.take_written(call);
        let read = match written {
            // Unless the arguments came whole with the pieces.
            Some(written) if being_written && (written.read > 0 || unread) => {
                self.stream.provisional(call);
                Some(arguments_text(&written.text))
            }
            _ => None,
        };
        self.change_tool(call, |tool| {
            if read.is_some() {
                tool.input = read;
            }
            tool.state = ToolState::ApprovalRequested;
            let mut extra = Object::new();
            extra.extend(descriptor.map(|descriptor| ("descriptor".to_owned(), descriptor.clone())));
            tool.approval = Some(Approval { id: approval.to_owned(), extra, ..Approval::default() });
        });
        self.write_signature();
        // The agent stores the message at this point, so that the question survives.
        let newest = self.stream.is_numbered();
        let mut message = self.at().and_then(|at| self.list.get(at)).cloned();
        if let Some(message) = &mut message {
            finish(message, newest);
        }
        self.stream.stored = message;
    }

    /// A continuation is sent again from its first chunk, onto a copy that the agent stored in the middle of it. It stores one at
    /// each question, so at a question that the copy has, the copy is what all chunks up to here make.
    fn catch_up(&mut self, call: &str) {
        let (Some(at), Some(stored)) = (self.at(), self.stream.stored.as_ref().filter(|stored| stored.tool(call).is_some())) else {
            return;
        };
        let mut stored = stored.clone();
        if let Some(current) = self.list.get(at) {
            stored.metadata.clone_from(&current.metadata);
            for tool in stored.parts.iter_mut().filter_map(Part::as_tool_mut) {
                if let Some(ours) = current.tool(&tool.tool_call_id).filter(|ours| ours.is_settled() || rank(ours) > rank(tool)) {
                    tool.clone_from(ours);
                }
            }
        }
        self.list.replace(at, stored);
    }

    /// The call ends. Looked for in this message, then in earlier ones. A call that has ended stays ended as it
    /// has; only a result may be followed by a better one, and a failure by its reason in the agent's own words.
    pub(super) fn settle(&mut self, call: &str, ends: &ToolState, change: impl FnOnce(&mut ToolPart)) {
        if let Some((_, tool)) = self.tool(call) {
            if !tool.is_settled() || tool.state == *ends {
                drop(self.stream.take_written(call));
                self.change_tool(call, change);
            }
            return;
        }
        for (at, message) in self.list.all().iter().enumerate().filter(|(_, message)| message.role == Role::Assistant) {
            let found = message.parts.iter().enumerate().find_map(|(part, value)| {
                let tool = value.as_tool().filter(|tool| tool.tool_call_id == call)?;
                Some((part, tool))
            });
            if let Some((part, tool)) = found {
                if !tool.state.is_terminal() {
                    self.list.change_part(at, part, |part| part.as_tool_mut().is_some_and(|tool| changes(tool, change)));
                }
                return;
            }
        }
    }
}

/// Changes a call, and tells whether it is another one then.
fn changes(tool: &mut ToolPart, change: impl FnOnce(&mut ToolPart)) -> bool {
    // A call at its beginning has little to compare, and what changes it lets it go on. Later it may have a large result.
    let before = (!matches!(tool.state, ToolState::InputStreaming | ToolState::InputAvailable)).then(|| tool.clone());
    change(tool);
    before.is_none_or(|before| before != *tool)
}

/// A call in the agent's form: never `dynamic-tool`, and the name twice.
fn new_tool(call: String, name: String) -> ToolPart {
    ToolPart { named_twice: true, ..ToolPart::new(call, name) }
}

fn describe(tool: &mut ToolPart, provider_executed: Option<bool>, metadata: Option<Value>, title: Option<String>) {
    tool.provider_executed = provider_executed.or(tool.provider_executed);
    if let Some(metadata) = metadata.filter(|metadata| !metadata.is_null()) {
        tool.extra.insert("callProviderMetadata".to_owned(), metadata);
    }
    tool.title = title.or_else(|| tool.title.take());
}

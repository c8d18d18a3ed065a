//! A conversation as text for a terminal.

use std::io::{self, Write};

use callbox_protocol::replay::Seen;
use callbox_protocol::{Part, Role, ToolPart, UiMessage};
use serde_json::Value;

use super::plain;

/// Writes what each client shows. Clients that show the same are named together.
pub(super) fn write(output: &mut impl Write, clients: &[Seen]) -> io::Result<()> {
    let mut told: Vec<&Seen> = Vec::new();
    for seen in clients {
        let same = told.iter().find(|known| known.messages == seen.messages);
        if clients.len() > 1 {
            writeln!(output, "Client {}{}", seen.client, same.map(|known| format!(": as client {}", known.client)).unwrap_or_default())?;
        }
        if same.is_some() {
            continue;
        }
        for message in &seen.messages {
            write_message(output, message)?;
        }
        told.push(seen);
    }
    Ok(())
}

fn write_message(output: &mut impl Write, message: &UiMessage) -> io::Result<()> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    };
    writeln!(output, "{role}:")?;
    for part in &message.parts {
        match part {
            Part::Text(part) => indented(output, &part.text)?,
            Part::Reasoning(part) => indented(output, &format!("(reasoning) {}", part.text))?,
            Part::Tool(tool) => write_tool(output, tool)?,
            Part::File(file) | Part::ReasoningFile(file) => indented(output, &format!("(file) {} {}", file.media_type, file.url))?,
            Part::SourceUrl(source) => indented(output, &format!("(source) {}", source.url))?,
            Part::SourceDocument(source) => indented(output, &format!("(source) {}", source.title))?,
            Part::Data(data) => indented(output, &format!("(data {}) {}", data.name, data.data))?,
            Part::Custom(custom) => indented(output, &format!("(custom {})", custom.kind))?,
            Part::Steering(message) => message.parts.iter().filter_map(Part::as_text).try_for_each(|part| indented(output, &part.text))?,
            Part::StepStart => {}
            Part::Unknown(value) => indented(output, &format!("(unknown) {value}"))?,
        }
    }
    writeln!(output)
}

fn write_tool(output: &mut impl Write, tool: &ToolPart) -> io::Result<()> {
    indented(output, &format!("(tool) {}: {}", tool.tool_name, tool.state.as_str()))?;
    let field = |name: &str, value: Option<&Value>| value.map(|value| format!("  {name}: {value}"));
    let error = tool.error_text.as_ref().map(|text| format!("  error: {text}"));
    for line in [field("input", tool.input.as_ref()), field("output", tool.output.as_deref()), error].into_iter().flatten() {
        indented(output, &line)?;
    }
    Ok(())
}

/// Writes text that an agent or a file has made, set in by two.
fn indented(output: &mut impl Write, text: &str) -> io::Result<()> {
    plain::prose(text).split('\n').try_for_each(|line| writeln!(output, "  {line}"))
}

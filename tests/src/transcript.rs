//! What a walk leaves: a picture of every moment, and what was said in between.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Message, Result, Tool,
    error::While as _,
    journey::{Moment, Witness},
};

/// Writes pictures and `transcript.md` into a folder, after every moment, so that a walk that ends early leaves what it has seen.
#[derive(Debug)]
pub struct Transcript {
    folder: PathBuf,
    text: String,
    moments: usize,
    told: Vec<Message>,
}

impl Transcript {
    /// Into this folder, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).doing(format!("the folder {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), text: "# A walk through Callbox\n".to_owned(), moments: 0, told: Vec::new() })
    }

    /// Adds the messages that are new or have changed.
    fn tell(&mut self, messages: &[Message]) {
        for message in messages {
            if self.told.iter().any(|told| tells_all_of(told, message)) {
                continue;
            }
            self.told.retain(|told| told.id != message.id);
            self.told.push(message.clone());
            let who = if message.role == "user" { "You" } else { "Agent" };
            let _ = write!(self.text, "\n**{who}**\n");
            for tool in &message.tools {
                self.text.push_str(&line(tool));
            }
            if !message.text.is_empty() {
                let quoted: Vec<String> = message.text.lines().map(|line| format!("> {line}").trim_end().to_owned()).collect();
                let _ = write!(self.text, "\n{}\n", quoted.join("\n"));
            }
        }
    }
}

/// Whether everything that is in `message` has been told with `told`; folding a card hides what was seen and adds nothing.
fn tells_all_of(told: &Message, message: &Message) -> bool {
    let within = |part: &Option<String>, whole: &Option<String>| part.is_none() || part == whole;
    let same_tool = |(old, new): (&Tool, &Tool)| {
        old.call == new.call && old.state == new.state && within(&new.input, &old.input) && within(&new.output, &old.output)
    };
    told.id == message.id
        && told.text == message.text
        && told.tools.len() == message.tools.len()
        && told.tools.iter().zip(&message.tools).all(same_tool)
}

fn line(tool: &Tool) -> String {
    let one_line = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = format!("\n- `{}`: {}", tool.name, tool.state);
    if let Some(input) = &tool.input {
        let _ = write!(line, "\n  - {}", one_line(input));
    }
    if let Some(output) = &tool.output {
        let _ = write!(line, "\n  - {}", one_line(output));
    }
    line.push('\n');
    line
}

impl Witness for Transcript {
    fn saw(&mut self, moment: Moment, picture: &[u8], messages: &[Message]) -> Result<()> {
        self.moments += 1;
        let name = format!("{}-{}.png", self.moments, moment.name());
        fs::write(self.folder.join(&name), picture).doing(format!("the picture {name}"))?;
        let _ = write!(self.text, "\n## {}. {}\n\n![{}]({name})\n", self.moments, moment.caption(), moment.name());
        self.tell(messages);
        fs::write(self.folder.join("transcript.md"), &self.text).doing("the transcript")
    }
}

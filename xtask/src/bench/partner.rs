//! A program that measures when it is asked.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::process::Cmd;

/// A line of JSON goes in, another comes out.
pub(super) struct Partner {
    name: &'static str,
    child: Child,
    questions: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Partner {
    pub(super) fn start(name: &'static str, command: &Cmd) -> Result<Self> {
        let mut child = command.spawn_to_talk()?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else { bail!("{name} cannot be talked to") };
        Ok(Self { name, child, questions: Some(questions), answers: BufReader::new(answers).lines() })
    }

    pub(super) fn ask<T: DeserializeOwned>(&mut self, question: &Value) -> Result<T> {
        let gone = || format!("{} has ended in the middle of the measurement; what it said is above", self.name);
        let questions = self.questions.as_mut().with_context(gone)?;
        writeln!(questions, "{question}").with_context(gone)?;
        let answer = self.answers.next().with_context(gone)??;
        serde_json::from_str(&answer).with_context(|| format!("{} answers {question} with {answer}", self.name))
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        // It ends with its input.
        self.questions = None;
        let _ = self.child.wait();
    }
}

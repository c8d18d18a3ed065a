//! What somebody takes back: answers written again, messages in other words, conversations that are emptied; and what has to be true of each.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, atomic::Ordering},
};

use callbox_link::{CommandError, Link};
use serde_json::Value;

use crate::{CONVERSATION, network::Ether};

/// Each time on another socket: as often a change is written before it fails.
const WRITES: u64 = 3;

#[derive(Clone)]
pub(crate) enum Kind {
    /// The answer with this id.
    Regenerate(String),
    /// The message with this id gets this text.
    Edit(String, String),
    Clear,
}

/// One change.
#[derive(Clone)]
struct Change {
    window: usize,
    kind: Kind,
    /// The messages that go with it, by id.
    gone: HashSet<String>,
    outcome: Outcome,
}

/// What can be said of a change beforehand.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Nobody else does anything.
    pub(crate) alone: bool,
    /// The window shows all that the agent has, and every message has its answer.
    pub(crate) whole: bool,
}

#[derive(Clone, PartialEq)]
enum Outcome {
    Open,
    /// The window has died: nobody knows.
    Unknown,
    Told(Result<(), CommandError>),
}

/// All changes of a life, and what was wrong with them.
#[derive(Clone, Default)]
pub(crate) struct Changes(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    changes: Vec<Change>,
    wrong: Vec<Wrong>,
}

/// What was wrong with a change; not so, if the agent skips requests.
struct Wrong {
    text: String,
    unless_skipped: bool,
}

/// What is known of a message after all changes.
pub(crate) struct Fate {
    /// A change that has succeeded has taken it away.
    pub(crate) must_be_gone: bool,
    /// A change of which nobody knows whether it arrived may have.
    pub(crate) may_be_gone: bool,
    /// What it may say; empty: what was typed.
    pub(crate) texts: Vec<String>,
}

impl Changes {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }

    /// Whether this window waits to hear of one.
    pub(crate) fn is_open(&self, window: usize) -> bool {
        self.book().changes.iter().any(|change| change.window == window && change.outcome == Outcome::Open)
    }

    /// Whether somebody wanted the conversation emptied.
    pub(crate) fn emptied(&self) -> bool {
        self.book().changes.iter().any(|change| matches!(change.kind, Kind::Clear))
    }

    /// The window has died.
    pub(crate) fn forget(&self, window: usize) {
        for change in self.book().changes.iter_mut().filter(|change| change.window == window && change.outcome == Outcome::Open) {
            change.outcome = Outcome::Unknown;
        }
    }

    /// Has a window make a change, and looks at what becomes of it.
    pub(crate) fn make(&self, window: usize, link: Link, kind: Kind, gone: HashSet<String>, ether: &Ether, case: Case) {
        let (own, number, ether) = (self.clone(), self.book().changes.len(), ether.clone());
        self.book().changes.push(Change { window, kind: kind.clone(), gone: gone.clone(), outcome: Outcome::Open });
        let before = ether.opened.load(Ordering::Relaxed);
        ether.lines.change_begins();
        tokio::spawn(async move {
            let outcome = match &kind {
                Kind::Regenerate(id) => link.regenerate(Some(id.clone())).await,
                Kind::Edit(id, text) => link.edit(id.clone(), text.clone()).await,
                Kind::Clear => link.clear().await,
            };
            ether.lines.change_ends();
            let stored = ether.agent.messages(CONVERSATION);
            let sockets = 1 + ether.opened.load(Ordering::Relaxed) - before;
            let mut book = own.book();
            if book.changes[number].outcome != Outcome::Open || outcome == Err(CommandError::Closed) {
                return;
            }
            let gone_on = outcome == Err(CommandError::GoneOn);
            if case.alone
                && (case.whole || !gone_on)
                && let Some(text) = wrong(&kind, &gone, &outcome, &stored, sockets)
            {
                book.wrong.push(Wrong { text, unless_skipped: gone_on });
            }
            book.changes[number].outcome = Outcome::Told(outcome);
        });
    }

    /// What was wrong, at the end of a life. `skips`: the agent has skipped requests.
    pub(crate) fn wrong(&self, skips: bool) -> Vec<String> {
        let book = self.book();
        let open = book.changes.iter().filter(|change| change.outcome == Outcome::Open);
        let never = open.map(|change| format!("{} was never answered", change.kind.name()));
        let wrong = book.wrong.iter().filter(|wrong| !(skips && wrong.unless_skipped));
        wrong.map(|wrong| wrong.text.clone()).chain(never).collect()
    }

    /// Texts that no message may have: of edits that have failed.
    pub(crate) fn never_said(&self) -> HashSet<String> {
        let book = self.book();
        let failed = book.changes.iter().filter(|change| matches!(change.outcome, Outcome::Told(Err(_))));
        failed.filter_map(|change| if let Kind::Edit(_, text) = &change.kind { Some(text.clone()) } else { None }).collect()
    }

    pub(crate) fn fates(&self) -> HashMap<String, Fate> {
        let mut fates = HashMap::new();
        for change in &self.book().changes {
            let (sure, unsure) = (change.outcome == Outcome::Told(Ok(())), change.outcome == Outcome::Unknown);
            let new = || Fate { must_be_gone: false, may_be_gone: false, texts: Vec::new() };
            for id in &change.gone {
                let fate: &mut Fate = fates.entry(id.clone()).or_insert_with(new);
                fate.must_be_gone |= sure;
                fate.may_be_gone |= unsure;
            }
            if let Kind::Edit(id, text) = &change.kind
                && (sure || unsure)
            {
                let fate = fates.entry(id.clone()).or_insert_with(new);
                if sure {
                    fate.texts.clear();
                } else if fate.texts.is_empty() {
                    // Or as it was.
                    fate.texts.push(String::new());
                }
                fate.texts.push(text.clone());
            }
        }
        fates
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Regenerate(_) => "another answer",
            Self::Edit(..) => "an edit",
            Self::Clear => "a clear",
        }
    }
}

/// What is wrong with the outcome of a change, given what the agent has then.
fn wrong(kind: &Kind, gone: &HashSet<String>, outcome: &Result<(), CommandError>, stored: &[Value], sockets: u64) -> Option<String> {
    let name = kind.name();
    let left: Vec<&str> = stored.iter().filter_map(|message| message["id"].as_str()).filter(|id| gone.contains(*id)).collect();
    match (kind, outcome) {
        (_, Ok(())) if !left.is_empty() => Some(format!("{name} has succeeded, and {left:?} are still there")),
        (Kind::Edit(id, text), Ok(())) => {
            let says = |message: &&Value| message["id"] == id.as_str() && message["parts"][0]["text"] == text.as_str();
            stored.iter().find(says).is_none().then(|| format!("{name} has succeeded, and {id} does not say “{text}”"))
        }
        (_, Err(CommandError::GoneOn)) => Some(format!("{name} was not made because somebody had gone on, and nobody had")),
        (_, Err(CommandError::NotTaken)) if sockets < WRITES => Some(format!("{name} was given up after {sockets} sockets")),
        (_, Err(CommandError::NotTaken)) if left.len() < gone.len() => Some(format!("{name} was not taken, and something is gone")),
        _ => None,
    }
}

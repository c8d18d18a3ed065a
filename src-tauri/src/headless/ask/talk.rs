//! One message and its answer: sent, told as it comes, asked about what needs a decision, stopped when somebody wants that.

use std::{
    collections::HashSet,
    io::{self, Write},
    time::Duration,
};

use callbox_link::{CommandError, DeliveryState, Link, LinkError, LinkState, Status, Subscription, TurnError, Update, Updates};
use callbox_protocol::{MessageOp, ToolPart, ToolState, Turn, UiMessage};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    Failure, Outcome,
    answer::Answer,
    question::question,
    report::{By, Event, Report},
};
use crate::headless::{interrupts::Interrupts, terminal::Terminal};

/// How long the way to the agent may be interrupted once the message is on it.
const OFFLINE: Duration = Duration::from_secs(60);
/// How long the agent may take to act on a decision, or to say that there is no answer.
const PAUSE: Duration = Duration::from_secs(30);
/// How long the agent may take for another word, once what it was waiting for has come to an end.
const LAST_WORD: Duration = Duration::from_secs(5);
/// How long a stopped turn may take to end.
const STOPPING: Duration = Duration::from_secs(2);

/// With whom, and how questions are decided.
pub(super) struct Talk<'a> {
    pub(super) link: &'a Link,
    /// The agent, as the user has named it, and where it is.
    pub(super) agent: &'a str,
    pub(super) host: String,
    /// The tools that need not be asked about, by their exact names.
    pub(super) allowed: &'a [String],
    /// The tools that run here.
    pub(super) own_tools: Vec<String>,
    pub(super) terminal: Option<Terminal>,
    pub(super) interrupts: Interrupts,
}

/// Returns when the link is online for the first time: the agent takes us, and its messages are there.
pub(super) async fn online(link: &Link) -> Result<(), Failure> {
    let mut states = link.status();
    let settled = states.wait_for(|status| status.link != LinkState::Connecting).await.map(|status| status.link.clone());
    match settled.unwrap_or(LinkState::Closed) {
        LinkState::Online | LinkState::Connecting => Ok(()),
        // Whoever runs a command can run it again; nothing has been sent.
        state => Err(unavailable(&state, false).unwrap_or(Failure::Closed)),
    }
}

/// Why there is no way to the agent, if there is none.
fn unavailable(state: &LinkState, sent: bool) -> Option<Failure> {
    match state {
        LinkState::Connecting | LinkState::Online => None,
        LinkState::Offline { why, .. } | LinkState::Refused(why) => Some(Failure::Unavailable { why: why.clone(), sent }),
        LinkState::SignInNeeded { why: None } => Some(Failure::SignInNeeded),
        LinkState::SignInNeeded { why: Some(why) } => Some(Failure::NotAccepted { why: why.clone() }),
        LinkState::Closed => Some(Failure::Closed),
    }
}

/// Where a conversation stands.
struct State {
    answer: Answer,
    message: String,
    status: Status,
    /// The call that somebody at the terminal is asked about.
    open: Option<String>,
    /// Calls that have waited for a decision, whoever took it.
    asked: HashSet<String>,
    /// Calls that have been decided here.
    decided: HashSet<String>,
    /// Something was denied because nobody could be asked.
    denied: bool,
    /// The tools that run here.
    own_tools: Vec<String>,
    /// When to give up what is waited for.
    until: Option<(Instant, Wait)>,
    /// There will be no other word.
    is_over: bool,
}

/// What is waited for and will not be for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// The way to the agent.
    Way,
    /// The agent, to begin or to act on a decision.
    Agent,
    /// The agent, to say something about a tool that has come to an end between its turns.
    LastWord,
}

impl Wait {
    fn bound(self) -> Duration {
        match self {
            Self::Way => OFFLINE,
            Self::Agent => PAUSE,
            Self::LastWord => LAST_WORD,
        }
    }
}

impl Talk<'_> {
    /// Sends `text` and returns when it has been answered, with the answer's messages. However it ends, the link is the caller's to close.
    pub(super) async fn run<O: Write, E: Write>(
        mut self,
        text: &str,
        report: &mut Report<O, E>,
    ) -> (Result<Outcome, Failure>, Vec<UiMessage>) {
        let (mut state, mut updates) = match self.send(text).await {
            Ok(sent) => sent,
            Err(failure) => return (Err(failure), Vec::new()),
        };
        let result = match report.event(&Event::Sent { message: &state.message }) {
            Ok(()) => self.follow(&mut state, &mut updates, report).await,
            Err(error) => Err(error.into()),
        };
        if matches!(result, Err(Failure::Interrupted | Failure::Output(_))) {
            stop(self.link).await;
        }
        self.withdraw(&mut state);
        (result, state.answer.messages().to_vec())
    }

    async fn send(&self, text: &str) -> Result<(State, Updates), Failure> {
        let Subscription { snapshot, updates } = self.link.subscribe().await?;
        let message = self.link.send(text).await?;
        let state = State {
            answer: Answer::to(message.clone(), snapshot.messages),
            message,
            status: snapshot.status,
            open: None,
            asked: HashSet::new(),
            decided: HashSet::new(),
            denied: false,
            own_tools: self.own_tools.clone(),
            until: None,
            is_over: false,
        };
        Ok((state, updates))
    }

    async fn follow<O: Write, E: Write>(
        &mut self,
        state: &mut State,
        updates: &mut Updates,
        report: &mut Report<O, E>,
    ) -> Result<Outcome, Failure> {
        loop {
            if let Some(outcome) = self.look(state, report).await? {
                return Ok(outcome);
            }
            let until = state.until.map(|(until, _)| until);
            tokio::select! {
                biased;
                () = self.interrupts.first() => return Err(Failure::Interrupted),
                update = updates.next() => match update {
                    Some(update) => {
                        let was_online = state.status.link == LinkState::Online;
                        if !state.take(update) {
                            // Never seen; the whole list puts it right.
                            let Subscription { snapshot, updates: anew } = self.link.subscribe().await?;
                            let ops = vec![MessageOp::Reset { messages: snapshot.messages }];
                            state.take(Update { ops, status: Some(snapshot.status) });
                            *updates = anew;
                        }
                        tell_way(was_online, &state.status.link, report)?;
                        report.news(&state.answer.news())?;
                    }
                    None => return Err(Failure::Closed),
                },
                line = typed(&mut self.terminal), if state.open.is_some() => self.answered(state, line, report).await?,
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => state.too_long()?,
            }
        }
    }

    /// Does what is to be done now. An outcome: nothing, any more.
    async fn look<O: Write, E: Write>(&mut self, state: &mut State, report: &mut Report<O, E>) -> Result<Option<Outcome>, Failure> {
        match &state.status.link {
            LinkState::Offline { retry_in: Some(_), .. } | LinkState::Connecting | LinkState::Online => {}
            state => return Err(unavailable(state, true).unwrap_or(Failure::Closed)),
        }
        for delivery in state.status.deliveries.iter().filter(|delivery| delivery.message_id == state.message) {
            if let DeliveryState::Failed(why) = delivery.state {
                return Err(why.into());
            }
        }
        self.decide(state, report).await?;
        let wait = state.wait();
        match state.until {
            Some((_, known)) if wait == Some(known) => {}
            _ => state.until = wait.map(|wait| (Instant::now() + wait.bound(), wait)),
        }
        if !state.is_quiet() {
            return Ok(None);
        }
        if let Some(error) = &state.status.error {
            return Err(error.clone().into());
        }
        let done = wait.is_none() && state.open.is_none();
        Ok(done.then_some(if state.denied { Outcome::Denied } else { Outcome::Answered }))
    }

    /// Sees to the calls that wait for a decision: one question at a time, in their order.
    async fn decide<O: Write, E: Write>(&mut self, state: &mut State, report: &mut Report<O, E>) -> Result<(), Failure> {
        let waiting: Vec<String> = state.answer.calls().filter(|call| state.asks(call)).map(|call| call.tool_call_id.clone()).collect();
        state.asked.extend(waiting);
        if let Some(open) = &state.open {
            if state.answer.call(open).is_some_and(|call| state.asks(call)) {
                return Ok(());
            }
            self.withdraw(state);
        }
        loop {
            let waits = |call: &&ToolPart| state.asks(call) && !state.decided.contains(&call.tool_call_id);
            let Some(call) = state.answer.calls().find(waits).cloned() else { return Ok(()) };
            if self.allowed.contains(&call.tool_name) {
                self.settle(state, &call.tool_call_id, true, By::Allow, report).await?;
            } else if let Some(terminal) = &mut self.terminal {
                report.step_aside()?;
                let asked = terminal.ask(&format!("\n{}Approve? [y/N] ", question(self.agent, &self.host, &call)));
                if asked.is_ok() {
                    state.open = Some(call.tool_call_id);
                    return Ok(());
                }
                self.terminal = None;
            } else {
                state.denied = true;
                self.settle(state, &call.tool_call_id, false, By::Default, report).await?;
            }
        }
    }

    /// Somebody has typed something, or nobody will any more.
    async fn answered<O: Write, E: Write>(
        &mut self,
        state: &mut State,
        line: Option<String>,
        report: &mut Report<O, E>,
    ) -> Result<(), Failure> {
        let Some(call) = state.open.take() else { return Ok(()) };
        match line {
            Some(line) => {
                let approved = matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes");
                self.settle(state, &call, approved, By::Terminal, report).await
            }
            None => {
                // The terminal has gone; what is left is decided without.
                self.terminal = None;
                Ok(())
            }
        }
    }

    async fn settle<O: Write, E: Write>(
        &mut self,
        state: &mut State,
        call: &str,
        approved: bool,
        by: By,
        report: &mut Report<O, E>,
    ) -> Result<(), Failure> {
        state.decided.insert(call.to_owned());
        let tool = state.answer.call(call).map(|call| call.tool_name.clone()).unwrap_or_default();
        report.event(&Event::Decision { call, tool: &tool, approved, by })?;
        state.answer.goes_on();
        // One that is no more needs no decision.
        match self.link.decide(call, approved).await {
            Ok(()) | Err(CommandError::NoSuchCall) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a question back that needs no answer any more.
    fn withdraw(&mut self, state: &mut State) {
        if let (Some(_), Some(terminal)) = (state.open.take(), &mut self.terminal) {
            terminal.say("\n(No answer is needed any more.)\n");
        }
    }
}

async fn typed(terminal: &mut Option<Terminal>) -> Option<String> {
    match terminal {
        Some(terminal) => terminal.line().await,
        None => None,
    }
}

/// Says that the way to the agent was lost, or is there again.
fn tell_way<O: Write, E: Write>(was_online: bool, now: &LinkState, report: &mut Report<O, E>) -> io::Result<()> {
    match now {
        LinkState::Offline { why, .. } if was_online => {
            report.event(&Event::Link { online: false, code: Some(why.code()), text: Some(&why.to_string()) })
        }
        LinkState::Online if !was_online => report.event(&Event::Link { online: true, code: None, text: None }),
        _ => Ok(()),
    }
}

/// Stops the turn at the agent, as far as it can be reached.
async fn stop(link: &Link) {
    if link.cancel().await.is_ok() {
        let mut states = link.status();
        let is_over = |status: &Status| status.turn == Turn::Idle || status.link != LinkState::Online;
        // The answer so far is all that is wanted; that it is the last word is the agent's business.
        let _ = timeout(STOPPING, states.wait_for(is_over)).await;
    }
}

impl State {
    /// Takes an update in. False if it does not fit what is known.
    fn take(&mut self, update: Update) -> bool {
        if let Some(status) = update.status {
            self.status = status;
        }
        let fits = self.answer.apply(update.ops);
        if let Some(reply) = self.status.replies.iter().find(|reply| reply.message_id == self.message) {
            self.answer.begun(&reply.reply_id);
        }
        let quiet = self.is_quiet();
        self.answer.settled(quiet);
        fits
    }

    /// Whether a call waits for a decision that nobody has taken.
    fn asks(&self, call: &ToolPart) -> bool {
        call.awaits_decision() || self.status.confirmations.contains(&call.tool_call_id)
    }

    /// The agent has the message, and nothing goes on.
    fn is_quiet(&self) -> bool {
        let is_sent = self.answer.has_message() && self.status.deliveries.iter().all(|delivery| delivery.message_id != self.message);
        is_sent
            && self.status.link == LinkState::Online
            && self.status.turn == Turn::Idle
            && self.status.decisions.is_empty()
            && !self.status.refetching
            && !self.status.unclear
    }

    /// What should happen without anybody's doing, and might not.
    fn wait(&self) -> Option<Wait> {
        if self.status.link != LinkState::Online {
            return Some(Wait::Way);
        }
        if !self.is_quiet() || self.open.is_some() || self.is_over {
            return None;
        }
        let own = |call: &ToolPart| self.own_tools.contains(&call.tool_name);
        let unsettled = |call: &ToolPart| match call.state {
            ToolState::ApprovalRequested | ToolState::ApprovalResponded => true,
            ToolState::InputAvailable => own(call) || self.asks(call),
            _ => false,
        };
        if self.answer.messages().is_empty() || self.answer.calls().any(unsettled) {
            return Some(Wait::Agent);
        }
        let settled = |call: &ToolPart| own(call) || self.asked.contains(&call.tool_call_id);
        self.answer.calls_at_the_end().any(settled).then_some(Wait::LastWord)
    }

    /// What is waited for has not come in its time.
    fn too_long(&mut self) -> Result<(), Failure> {
        match self.until.take() {
            Some((_, Wait::Way)) => {
                Err(unavailable(&self.status.link, true).unwrap_or(Failure::Unavailable { why: LinkError::TimedOut, sent: true }))
            }
            Some((_, Wait::Agent)) if self.answer.messages().is_empty() => Err(TurnError::NoAnswer.into()),
            Some((_, Wait::Agent)) => Err(Failure::Stalled),
            Some((_, Wait::LastWord)) | None => {
                self.is_over = true;
                Ok(())
            }
        }
    }
}

//! The window, as a person uses it: seen by what is on it, worked by clicks and keys.

use std::time::Duration;

use serde::Deserialize;
use thirtyfour::Key;

use crate::{Driver, Error, Look, Result, error::ensure, testids, wait};

const LOOK: &str = include_str!("window.js");

/// Everything on the window that a test may want to know, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct View {
    /// `starting`, `sign-in`, `waiting`, `main`; none before the first frame.
    pub screen: Option<String>,
    pub conversation: Option<String>,
    pub conversations: Vec<String>,
    pub turn: Option<String>,
    pub connection: Option<String>,
    /// The code of what is wrong with the connection.
    pub reason: Option<String>,
    pub messages: Vec<Message>,
    /// The codes of what is said about no conversation.
    pub notices: Vec<String>,
    /// The codes of what has failed.
    pub errors: Vec<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    pub id: String,
    pub role: String,
    pub delivery: Option<String>,
    /// What is said in it, tools left out.
    pub text: String,
    pub tools: Vec<Tool>,
}

/// A tool call in a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tool {
    pub call: String,
    pub name: String,
    pub state: String,
    /// The question whether it may be used stands there.
    pub asks: bool,
    /// The question can be answered with yes.
    pub armed: bool,
    /// Shown while the question stands, or when the card is unfolded.
    pub input: Option<String>,
    pub output: Option<String>,
}

impl View {
    /// Whether the agent is done: the last word is its own, and nothing runs.
    #[must_use]
    pub fn settled(&self) -> bool {
        let spoke = |message: &Message| message.role == "assistant" && !message.text.is_empty();
        self.turn.as_deref() == Some("idle") && self.messages.last().is_some_and(spoke)
    }

    /// Whether the box is that of the conversation in view. It is not while a conversation is still to be opened: what is typed then belongs to one that
    /// is yet to begin.
    fn is_open(&self) -> bool {
        self.conversations.is_empty() || (self.conversation.is_some() && self.turn.is_some())
    }

    /// Whether the agent is done with what was said in this message.
    fn answered(&self, message: &str) -> bool {
        self.settled() && self.messages.iter().any(|known| known.id == message)
    }

    /// The messages that were not there before. By their ids: a long conversation is drawn from its end, so their number says nothing.
    pub fn since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a Message> {
        self.messages.iter().filter(|message| !before.messages.iter().any(|known| known.id == message.id))
    }

    /// All tool calls, oldest first.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.messages.iter().flat_map(|message| &message.tools)
    }

    /// The call whose question stands there.
    #[must_use]
    pub fn asking(&self) -> Option<&Tool> {
        self.tools().find(|tool| tool.asks)
    }
}

/// The window of a running app.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    driver: &'a Driver,
}

impl<'a> Window<'a> {
    pub(crate) fn new(driver: &'a Driver) -> Self {
        Self { driver }
    }

    /// What drives it, for a test that wants more.
    #[must_use]
    pub fn driver(self) -> &'a Driver {
        self.driver
    }

    /// What is on it now.
    ///
    /// # Errors
    /// When the page does not answer.
    pub async fn look(self) -> Result<View> {
        let seen = self.driver.run(LOOK, Vec::new()).await?;
        serde_json::from_value(seen.clone()).map_err(|error| Error::unexpected(format!("{error} in {seen}")))
    }

    /// Looks until `condition` holds.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what was there instead.
    pub async fn until(self, what: &str, condition: impl Fn(&View) -> bool) -> Result<View> {
        self.until_within(wait::PATIENCE, what, condition).await
    }

    /// [`Window::until`], with another bound.
    ///
    /// # Errors
    /// As [`Window::until`].
    pub async fn until_within(self, bound: Duration, what: &str, condition: impl Fn(&View) -> bool) -> Result<View> {
        wait::until_within(bound, what, async || {
            let view = self.look().await?;
            let seen = format!("{view:?}");
            Ok(Look::when(condition(&view).then_some(view), seen))
        })
        .await
    }

    /// Waits for a screen.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the one that is there instead.
    pub async fn screen(self, name: &str) -> Result<View> {
        self.until(&format!("the screen is `{name}`"), |view| view.screen.as_deref() == Some(name)).await
    }

    /// Clicks what has this name in [`testids`].
    ///
    /// # Errors
    /// When there is nothing to click.
    pub async fn click(self, testid: &str) -> Result<()> {
        self.driver.click(&named(testid)).await
    }

    /// What stands in the composer.
    ///
    /// # Errors
    /// When the window does not answer.
    pub async fn unsent(self) -> Result<String> {
        let script = "return document.querySelector(arguments[0]).value";
        let value = self.driver.run(script, vec![named(testids::COMPOSER).into()]).await?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// Writes a message and sends it with Enter; returns when it stands in the conversation, with its id.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn say(self, text: &str) -> Result<String> {
        let before = self.until("a message can be written in the conversation in view", View::is_open).await?;
        self.driver.type_into(&named(testids::COMPOSER), text).await?;
        self.driver.type_into(&named(testids::COMPOSER), &char::from(Key::Enter).to_string()).await?;
        // What the agent had before may come only now; what was just said is the last.
        let is_it = |message: &&Message| message.role == "user" && message.text == text;
        let sent = |view: &View| view.since(&before).filter(|message| message.role == "user").last().filter(is_it).map(|it| it.id.clone());
        let view = self.until(&format!("“{text}” stands in the conversation"), |view| sent(view).is_some()).await?;
        sent(&view).ok_or_else(|| Error::unexpected("it stood there"))
    }

    /// Says something and waits for the whole answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ask(self, text: &str) -> Result<View> {
        let message = self.say(text).await?;
        self.until(&format!("“{text}” is answered"), |view| view.answered(&message)).await
    }

    /// Waits until the agent asks whether it may use a tool and yes could be said.
    ///
    /// # Errors
    /// When it does not ask.
    pub async fn asked(self) -> Result<Tool> {
        let view = self.until("the agent asks before it uses a tool", |view| view.asking().is_some_and(|tool| tool.armed)).await?;
        view.asking().cloned().ok_or_else(|| Error::unexpected("the question has gone"))
    }

    /// Says yes or no to a call, and returns when it is `done` or `denied` and the agent has had its word about it.
    ///
    /// # Errors
    /// When something else becomes of it.
    pub async fn decide(self, tool: &Tool, approve: bool) -> Result<View> {
        let (button, end) = if approve { (testids::APPROVE, "done") } else { (testids::DENY, "denied") };
        self.driver.click(&format!("{} {}", card(&tool.call), named(button))).await?;
        let has = |message: &Message| message.tools.iter().any(|other| other.call == tool.call && other.state == end);
        let commented = |view: &View| view.settled() && view.messages.iter().any(|message| has(message) && !message.text.is_empty());
        self.until(&format!("{} is {end} and the agent says so", tool.name), commented).await
    }

    /// Unfolds every tool call, so that its input and its result are in [`Window::look`].
    ///
    /// # Errors
    /// When a card does not unfold.
    pub async fn unfold(self) -> Result<View> {
        let folded = |view: &View| view.tools().find(|tool| tool.input.is_none()).map(|tool| tool.call.clone());
        while let Some(call) = folded(&self.look().await?) {
            self.driver.click(&format!("{} .fold[aria-expanded=false]", card(&call))).await?;
            self.until("the card unfolds", |view| view.tools().any(|tool| tool.call == call && tool.input.is_some())).await?;
        }
        self.look().await
    }

    /// Opens the account's panel if it is closed.
    ///
    /// # Errors
    /// When it does not open.
    pub async fn open_account(self) -> Result<()> {
        if !self.has_account_panel().await? {
            self.click(testids::ACCOUNT_MENU).await?;
        }
        self.until_account_panel(true).await
    }

    /// Closes the account's panel, which is open.
    ///
    /// # Errors
    /// When it does not close.
    pub async fn close_account(self) -> Result<()> {
        self.click(testids::ACCOUNT_MENU).await?;
        self.until_account_panel(false).await
    }

    async fn has_account_panel(self) -> Result<bool> {
        let script = "return document.querySelector(arguments[0]) !== null";
        Ok(self.driver.run(script, vec![named(testids::ACCOUNT_PANEL).into()]).await? == true)
    }

    async fn until_account_panel(self, open: bool) -> Result<()> {
        wait::until("the account's panel opens or closes", async || {
            let is_open = self.has_account_panel().await?;
            Ok(Look::when((is_open == open).then_some(()), is_open))
        })
        .await
    }

    /// Chooses `system`, `light` or `dark`.
    ///
    /// # Errors
    /// When it cannot be chosen.
    pub async fn choose_theme(self, theme: &str) -> Result<()> {
        self.open_account().await?;
        self.driver.click(&format!("{} label:has(input[value={theme}])", named(testids::THEME))).await?;
        self.close_account().await
    }

    /// Signs out by the account's panel.
    ///
    /// # Errors
    /// When somebody is still signed in afterwards.
    pub async fn sign_out(self) -> Result<()> {
        self.open_account().await?;
        self.click(testids::SIGN_OUT).await?;
        self.click(testids::SIGN_OUT_CONFIRM).await?;
        let view = self.screen("sign-in").await?;
        ensure(view.errors.is_empty(), || format!("signing out went wrong: {:?}", view.errors))
    }
}

/// The selector of a thing by its name.
#[must_use]
pub fn named(testid: &str) -> String {
    format!("[data-testid=\"{testid}\"]")
}

fn card(call: &str) -> String {
    format!("{}[data-call=\"{call}\"]", named(testids::TOOL_CARD))
}

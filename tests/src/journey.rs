//! The walk that shows that everything works together: sign in, ask, deny, approve, restart, sign out.

use crate::{App, Browser, Desktop, Launch, Message, Result, error::ensure, keychain, window::View};

/// Who signs in.
pub const PERSON: &str = "ada@example.com";
/// With what.
pub const PASSWORD: &str = "sandbox";

/// A moment of the walk that is worth a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    SignIn,
    BrowserPage,
    StreamedAnswer,
    ApprovalAsked,
    Denied,
    Approved,
    Dark,
    Restarted,
    SignedOut,
}

impl Moment {
    /// What is seen, in one sentence.
    #[must_use]
    pub fn caption(self) -> &'static str {
        match self {
            Self::SignIn => "Nobody is signed in.",
            Self::BrowserPage => "The tenant's page in the system browser.",
            Self::StreamedAnswer => "Signed in. The agent has told the time.",
            Self::ApprovalAsked => "The agent asks before it uses a tool.",
            Self::Denied => "The answer was no, and nothing was run.",
            Self::Approved => "Asked again, the answer was yes, and the tool has run.",
            Self::Dark => "The same in the dark.",
            Self::Restarted => "Started again: still signed in, the conversation is there.",
            Self::SignedOut => "Signed out. The keychain is empty.",
        }
    }

    /// A short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::BrowserPage => "browser-page",
            Self::StreamedAnswer => "streamed-answer",
            Self::ApprovalAsked => "approval-asked",
            Self::Denied => "denied",
            Self::Approved => "approved",
            Self::Dark => "dark",
            Self::Restarted => "restarted",
            Self::SignedOut => "signed-out",
        }
    }
}

/// Is told what there was to see.
pub trait Witness {
    /// A moment, its picture as PNG, and the conversation as it is shown then.
    ///
    /// # Errors
    /// Ends the walk.
    fn saw(&mut self, moment: Moment, picture: &[u8], messages: &[Message]) -> Result<()>;
}

/// Walks all the way.
///
/// # Errors
/// At the first step that does not do what it has to.
pub async fn walk(desktop: &Desktop, launch: &Launch, witness: &mut impl Witness) -> Result<()> {
    keychain::clear().await?;
    let app = App::start(desktop, launch).await?;
    app.window().screen("sign-in").await?;
    see(&app, Moment::SignIn, witness).await?;

    sign_in(desktop, &app, |picture| witness.saw(Moment::BrowserPage, picture, &[])).await?;
    ensure(!keychain::entries()?.is_empty(), || "nothing is in the keychain after the sign-in".to_owned())?;

    talk(&app, witness).await?;
    app.window().choose_theme("dark").await?;
    see(&app, Moment::Dark, witness).await?;
    app.window().choose_theme("light").await?;

    let before = app.window().look().await?;
    app.close().await?;
    let pages = desktop.opened_pages().len();
    let app = App::start(desktop, launch).await?;
    app.window().until("the history is there as it was", |view| told(view) == told(&before)).await?;
    ensure(desktop.opened_pages().len() == pages, || "a browser was needed to stay signed in".to_owned())?;
    app.window().until("the agent is reached", |view| view.connection.as_deref() == Some("online")).await?;
    see(&app, Moment::Restarted, witness).await?;

    app.window().sign_out().await?;
    keychain::emptied().await?;
    see(&app, Moment::SignedOut, witness).await?;
    app.close().await
}

/// Signs in from the screen that offers it, through the tenant's page in a real browser and the link that leads back.
///
/// # Errors
/// At the first step that does not do what it has to.
pub async fn sign_in(desktop: &Desktop, app: &App, seen: impl FnOnce(&[u8]) -> Result<()>) -> Result<()> {
    let browser = at_the_tenant(desktop, app).await?;
    browser.fill_in(PERSON, PASSWORD).await?;
    seen(&browser.picture().await?)?;
    browser.press("button.primary").await?;
    app.window().screen("main").await?;
    browser.close().await
}

/// Starts a sign-in and opens the page that the app wants opened, in a real browser.
///
/// # Errors
/// When there is no such page.
pub async fn at_the_tenant(desktop: &Desktop, app: &App) -> Result<Browser> {
    let known = desktop.opened_pages().len();
    app.window().click(crate::testids::SIGN_IN).await?;
    let page = desktop.opened_page(known).await?;
    app.window().screen("waiting").await?;
    let browser = Browser::open(desktop, &page).await?;
    browser.until_shown("#username").await?;
    Ok(browser)
}

async fn talk(app: &App, witness: &mut impl Witness) -> Result<()> {
    let window = app.window();
    let view = window.ask("what time is it").await?;
    let time = view.tools().next().cloned();
    ensure(time.as_ref().is_some_and(|tool| tool.name == "getTime" && tool.state == "done"), || format!("no time was told: {time:?}"))?;
    see(app, Moment::StreamedAnswer, witness).await?;

    window.say("weather in Paris").await?;
    let asked = window.asked().await?;
    ensure(asked.name == "getWeather", || format!("the agent asks for {}", asked.name))?;
    ensure(asked.input.as_deref().is_some_and(|input| input.contains("Paris")), || format!("the question hides its arguments: {asked:?}"))?;
    see(app, Moment::ApprovalAsked, witness).await?;
    window.decide(&asked, false).await?;
    see(app, Moment::Denied, witness).await?;

    window.say("weather in Paris").await?;
    let asked = window.asked().await?;
    window.decide(&asked, true).await?;
    let view = window.unfold().await?;
    let ran = view.tools().find(|tool| tool.call == asked.call).cloned();
    ensure(ran.as_ref().is_some_and(|tool| tool.output.as_deref().is_some_and(|output| output.contains("Paris"))), || {
        format!("the tool has no result: {ran:?}")
    })?;
    see(app, Moment::Approved, witness).await
}

/// Tells the witness what is there now.
async fn see(app: &App, moment: Moment, witness: &mut impl Witness) -> Result<()> {
    let window = app.window();
    let picture = window.driver().picture().await?;
    witness.saw(moment, &picture, &window.look().await?.messages)
}

/// A message as its id, its role, its text, and its tools with their states; what is unfolded does not count.
type Told<'a> = (&'a str, &'a str, &'a str, Vec<(&'a str, &'a str)>);

fn told(view: &View) -> Vec<Told<'_>> {
    fn tools(message: &Message) -> Vec<(&str, &str)> {
        message.tools.iter().map(|tool| (tool.call.as_str(), tool.state.as_str())).collect()
    }
    view.messages.iter().map(|message| (message.id.as_str(), message.role.as_str(), message.text.as_str(), tools(message))).collect()
}

//! A WebDriver server and its one session.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Map, Value};
use thirtyfour::{By, Capabilities, WebDriver, WebElement, error::WebDriverErrorInner};

use crate::{Error, Look, Process, Result, app::tail, error::While as _, wait};

/// One command to the server may take this long; starting the program that it drives is one of them.
const COMMAND: Duration = Duration::from_secs(180);

/// The driver scrolls a thing to the very edge of what is in view, where something else may float above it. Gives back where it is now.
const TO_THE_MIDDLE: &str = "
    arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' });
    const { x, y, width, height } = arguments[0].getBoundingClientRect();
    return [x, y, width, height];";
/// Calls back when all transitions have ended and the page has been drawn twice since.
const SETTLE: &str = "
    const [done] = arguments;
    const ends = document.getAnimations().filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity);
    Promise.allSettled(ends.map((animation) => animation.finished))
        .then(() => requestAnimationFrame(() => requestAnimationFrame(() => done(null))));";
/// So many pictures at most are taken to find two that are the same. On some pages something always moves.
const PICTURES: usize = 8;

/// A driven program. All of it ends when this is dropped.
#[derive(Debug)]
pub struct Driver {
    session: Option<WebDriver>,
    server: Process,
}

impl Driver {
    /// Starts `server`, which has been told to listen on `port`, and the program that `capabilities` describe.
    ///
    /// # Errors
    /// When one of the two does not start.
    pub async fn start(server: Command, port: u16, capabilities: Map<String, Value>, log: &Path) -> Result<Self> {
        let mut server = Process::start(server, log)?;
        let address = format!("http://127.0.0.1:{port}");
        wait::until("the WebDriver server listens", async || {
            if server.has_ended()? {
                return Err(Error::unexpected(format!("the WebDriver server has ended. The last words:\n{}\n", tail(log, 12))));
            }
            Ok(Look::when(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok(), "nobody listens"))
        })
        .await?;
        let session = WebDriver::builder(address, Capabilities::from(capabilities)).request_timeout(COMMAND).connect().await;
        let session = session.doing(format!("no session. The last words:\n{}\n", tail(log, 12)))?;
        Ok(Self { session: Some(session), server })
    }

    /// The process id of the server, from which everything that it drives descends.
    #[must_use]
    pub fn server(&self) -> u32 {
        self.server.id()
    }

    /// The session.
    ///
    /// # Errors
    /// When it has ended.
    pub fn session(&self) -> Result<&WebDriver> {
        self.session.as_ref().ok_or_else(|| Error::unexpected("the session has ended"))
    }

    /// Ends the session and with it the driven program.
    ///
    /// # Errors
    /// When the server does not know how.
    pub async fn quit(&mut self) -> Result<()> {
        match self.session.take() {
            Some(session) => session.quit().await.doing("the session could not be ended"),
            None => Ok(()),
        }
    }

    /// Clicks what `css` finds, as soon as a person could.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with why not.
    pub async fn click(&self, css: &str) -> Result<()> {
        let mut before = Value::Null;
        self.act(&format!("{css} can be clicked"), css, async |element| {
            let place = element.handle().execute(TO_THE_MIDDLE, vec![element.to_json()?]).await?.json().clone();
            // The driver aims at where a thing was a moment ago, so that has to be where it is.
            if place != std::mem::replace(&mut before, place.clone()) {
                return Ok(Some(format!("it has moved to {place}")));
            }
            element.click().await.map(|()| None)
        })
        .await
    }

    /// Types into what `css` finds, as soon as a person could.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with why not.
    pub async fn type_into(&self, css: &str, text: &str) -> Result<()> {
        self.act(&format!("{css} can be typed into"), css, async |element| element.send_keys(text).await.map(|()| None)).await
    }

    /// Empties the field that `css` finds, as soon as a person could.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with why not.
    pub async fn clear(&self, css: &str) -> Result<()> {
        self.act(&format!("{css} can be emptied"), css, async |element| element.clear().await.map(|()| None)).await
    }

    /// Does something with what `css` finds, as soon as that can be done. The action may find a reason of its own to be tried again.
    async fn act(
        &self,
        what: &str,
        css: &str,
        mut action: impl AsyncFnMut(&WebElement) -> Result<Option<String>, thirtyfour::error::WebDriverError>,
    ) -> Result<()> {
        let session = self.session()?;
        wait::until(what, async || {
            let done = match session.find(By::Css(css)).await {
                Ok(element) => action(&element).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(None) => Ok(Look::There(())),
                Ok(Some(why)) => Ok(Look::NotYet(why)),
                // What is not there yet, is being drawn anew or lies under something else is worth another look.
                Err(error) => match error.as_inner() {
                    WebDriverErrorInner::NoSuchElement(_)
                    | WebDriverErrorInner::StaleElementReference(_)
                    | WebDriverErrorInner::ElementClickIntercepted(_)
                    | WebDriverErrorInner::ElementNotInteractable(_) => Ok(Look::NotYet(error.to_string())),
                    _ => Err(error).doing(what.to_owned()),
                },
            }
        })
        .await
    }

    /// Runs a function's body in the page and gives back what it returns.
    ///
    /// # Errors
    /// When it throws.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        let answer = self.session()?.execute(script, arguments).await.doing("a script in the page")?;
        Ok(answer.json().clone())
    }

    /// What a person sees, as PNG, when what is to be seen has come to rest.
    ///
    /// # Errors
    /// When there is nothing to see.
    pub async fn picture(&self) -> Result<Vec<u8>> {
        let session = self.session()?;
        session.execute_async(SETTLE, Vec::new()).await.doing("the page comes to rest")?;
        // The page being at rest is not yet its being on the screen.
        let mut before = Vec::new();
        for _ in 0..PICTURES {
            let now = session.screenshot_as_png().await.doing("a picture of the page")?;
            if now == before {
                break;
            }
            before = now;
        }
        Ok(before)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A session that is left over here belongs to a test that has failed; the process goes next, and the session with it.
        if let Some(session) = self.session.take() {
            let _ = session.leak();
        }
    }
}

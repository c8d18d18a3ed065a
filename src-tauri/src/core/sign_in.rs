//! The ways between the app and the browser.

use callbox_identity::{CallbackOutcome, Ignored, Session};
use callbox_ipc::UserError;
use url::Url;

use super::{Browser, SchemeOwner, view};

/// Opens the page without holding anything up: openers start programs and wait for them.
pub(super) async fn open_browser(browser: &Browser, url: Url) -> Result<(), UserError> {
    let browser = browser.clone();
    let opened = tokio::task::spawn_blocking(move || browser(&url)).await;
    match opened {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(view::no_browser(&why)),
        Err(_) => Err(view::closing()),
    }
}

/// The program that takes our links in our place, if there is one.
pub(super) async fn stranger(scheme: &SchemeOwner) -> Option<String> {
    let scheme = scheme.clone();
    // Whoever cannot be asked is nobody: the person sees the waiting screen, with its other ways back.
    tokio::task::spawn_blocking(move || scheme()).await.ok().flatten()
}

/// Gives a link to the one of these sessions that it is for; the first says why, if it is for none.
pub(super) async fn returned(sessions: &[Session], link: &str) -> Result<(), UserError> {
    let mut refusal = None;
    for session in sessions {
        match session.handle_callback(link).await {
            // An account that was not connected is told to whoever waits for it.
            CallbackOutcome::Completed | CallbackOutcome::Connected(_) | CallbackOutcome::NotConnected(_) => return Ok(()),
            CallbackOutcome::Failed(error) => return Err(view::error(&error)),
            // Another one may know it.
            CallbackOutcome::Ignored(Ignored::Unknown) => {
                refusal.get_or_insert_with(|| view::ignored_link(&Ignored::Unknown));
            }
            CallbackOutcome::Ignored(reason) => return Err(view::ignored_link(&reason)),
        }
    }
    refusal.map_or(Ok(()), Err)
}

/// A link from a message that may be opened outside: http, https or mailto, without credentials in it.
///
/// The text comes from the agent and is hostile until proven harmless; the check is made here and not in the window.
pub(super) fn outward(text: &str) -> Result<Url, UserError> {
    let url = Url::parse(text).map_err(|_| view::forbidden_link())?;
    let harmless = match url.scheme() {
        "http" | "https" => url.username().is_empty() && url.password().is_none() && url.host().is_some(),
        "mailto" => true,
        _ => false,
    };
    if harmless { Ok(url) } else { Err(view::forbidden_link()) }
}

#[cfg(test)]
mod tests {
    use super::outward;

    #[test]
    fn only_web_pages_and_mail_are_opened() {
        for good in ["https://example.com/a?b#c", "http://127.0.0.1:1/x", "mailto:ada@example.com"] {
            assert!(outward(good).is_ok(), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "smb://host/share",
            "ms-msdt:/id",
            "calculator://",
            "dev.callbox.desktop://callback?code=x",
            "https://user:secret@example.com/",
            "https://google.com@evil.example/",
            "not a link",
            "",
        ] {
            assert!(outward(bad).is_err(), "{bad}");
        }
    }
}

//! `get-messages`: the conversation as the agent has stored it.

use std::time::Duration;

use callbox_identity::{AccessToken, Presentation};
use callbox_protocol::UiMessage;
use http::{Method, StatusCode, header};
use tokio::time::timeout;
use url::Url;

use super::answer::{again, failure, is_page, looks_like_a_page, read_refusal};
use crate::LinkError;

/// The largest history that is loaded, in bytes of JSON.
const MAX_HISTORY: usize = 64 << 20;

/// Fetches all messages, oldest first. `patience` is for the beginning of the answer, and for each piece of it.
///
/// # Errors
/// See [`LinkError`]; an answer that is not a list of messages is never an empty list.
pub(crate) async fn fetch(http: reqwest::Client, url: Url, token: AccessToken, patience: Duration) -> Result<Vec<UiMessage>, LinkError> {
    let mut presentation = Presentation::new(token, Method::GET, url.clone());
    let mut response = loop {
        let request = http.get(url.clone()).headers(presentation.fields()).header(header::ACCEPT, "application/json");
        let response = timeout(patience, request.send()).await.map_err(|_| LinkError::TimedOut)?.map_err(|error| failure(&error))?;
        if !again(&mut presentation, &response)? {
            break response;
        }
    };
    if response.status() != StatusCode::OK || is_page(response.headers()) {
        return Err(timeout(patience, read_refusal(response)).await.unwrap_or(LinkError::TimedOut));
    }
    if response.url() != &url {
        // A client that follows redirects was passed in.
        return Err(LinkError::Intercepted { status: 302 });
    }
    let mut body = Vec::new();
    while let Some(piece) = timeout(patience, response.chunk()).await.map_err(|_| LinkError::TimedOut)?.map_err(|error| failure(&error))? {
        if body.len() + piece.len() > MAX_HISTORY {
            return Err(LinkError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    parse(body).await
}

async fn parse(body: Vec<u8>) -> Result<Vec<UiMessage>, LinkError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    if looks_like_a_page(&body) {
        return Err(LinkError::Intercepted { status: 200 });
    }
    let read = move || serde_json::from_slice(&body).map_err(|_| LinkError::NotAnAgent("its messages are not a list of messages"));
    // Megabytes of JSON are no work for the thread that also serves the window.
    tokio::task::spawn_blocking(read).await.unwrap_or(Err(LinkError::Broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_an_empty_list_and_rubbish_is_an_error() {
        assert_eq!(parse(b" \n".to_vec()).await, Ok(Vec::new()));
        assert_eq!(parse(b"[]".to_vec()).await, Ok(Vec::new()));
        for rubbish in ["{}", "[1]", "null", "[{\"id\":\"a\"", "sign in first"] {
            assert_eq!(parse(rubbish.into()).await.unwrap_err().code(), "agent-not-an-agent", "{rubbish}");
        }
        assert_eq!(parse(b"\n<html>".to_vec()).await, Err(LinkError::Intercepted { status: 200 }), "a page that calls itself JSON");
    }
}

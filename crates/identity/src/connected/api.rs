//! The tenant's My Account API, one request at a time.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_vault::Secret;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use super::{ConnectError, ConnectedAccount, attempts::Attempt, error::refusal};
use crate::{
    AccessToken, Answered, Clock, Issuer, Presentation, Trouble,
    fetch::{Reply, Request, fetch_with},
};

/// How many accounts are read, and how many of them at a time.
const PAGE: usize = 20;
const MAX_PAGES: usize = 10;
/// The longest that a page may wait for the person; the tenant says 300 seconds.
const MAX_LIFE: Duration = Duration::from_secs(600);
/// The longest text of an account that is kept, in characters.
const MAX_TEXT: usize = 256;

/// What is asked for.
pub(super) struct Wanted<'a> {
    pub(super) connection: &'a str,
    pub(super) scopes: &'a [String],
    pub(super) redirect_uri: &'a str,
    pub(super) state: &'a Secret<String>,
    pub(super) verifier: &'a Secret<String>,
}

/// An attempt as the tenant has begun it.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) auth_session: Secret<String>,
    /// The page for the person.
    pub(super) page: Url,
    pub(super) life: Duration,
}

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) http: reqwest::Client,
    pub(super) issuer: Issuer,
    pub(super) clock: Arc<dyn Clock>,
}

impl Api {
    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.issuer.url().clone();
        url.set_path("/me/v1/connected-accounts");
        // Every http and https address has a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url
    }

    async fn ask(&self, token: &AccessToken, method: Method, url: Url, body: Option<Value>) -> Result<Reply, ConnectError> {
        let body = body.map(|body| Secret::new(body.to_string()));
        let mut presentation = Presentation::new(token.clone(), method.clone(), url.clone());
        let reply = loop {
            let request = Request::Authorized { method: method.clone(), url: url.clone(), body: body.clone() };
            let reply = fetch_with(&self.http, request, presentation.fields()).await?;
            let status = StatusCode::from_u16(reply.status).unwrap_or_default();
            match presentation.answered(status, &reply.headers) {
                Answered::Again => {}
                Answered::NonceLoop => return Err(Trouble::NonceLoop.into()),
                Answered::Judged | Answered::ProofRefused => break reply,
            }
        };
        if matches!(reply.status, 200 | 201 | 204) { Ok(reply) } else { Err(refusal(&reply, self.clock.now())) }
    }

    /// All connected accounts.
    pub(super) async fn accounts(&self, token: &AccessToken) -> Result<Vec<ConnectedAccount>, ConnectError> {
        let (mut accounts, mut next) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let mut url = self.at(&["accounts"]);
            url.query_pairs_mut().append_pair("take", &PAGE.to_string());
            if let Some(next) = &next {
                url.query_pairs_mut().append_pair("from", next);
            }
            let members = object(&self.ask(token, Method::GET, url, None).await?)?;
            let page = members.get("accounts").and_then(Value::as_array).ok_or(ConnectError::Malformed("it has no list of accounts"))?;
            accounts.extend(page.iter().filter_map(Value::as_object).filter_map(account));
            next = members.get("next").and_then(Value::as_str).filter(|next| !next.is_empty()).map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
        Ok(accounts)
    }

    /// Begins to connect an account.
    pub(super) async fn connect(&self, token: &AccessToken, wanted: &Wanted<'_>) -> Result<Begun, ConnectError> {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, wanted.verifier.expose().as_bytes()));
        let mut body = json!({
            "connection": wanted.connection,
            "redirect_uri": wanted.redirect_uri,
            "state": wanted.state.expose(),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        });
        // Without any, the tenant's own list counts.
        if !wanted.scopes.is_empty() {
            body["scopes"] = json!(wanted.scopes);
        }
        let reply = self.ask(token, Method::POST, self.at(&["connect"]), Some(body)).await?;
        begun(&object(&reply)?, &self.issuer)
    }

    /// Ends an attempt that has come back with this code.
    pub(super) async fn complete(
        &self,
        token: &AccessToken,
        attempt: &Attempt,
        code: &Secret<String>,
    ) -> Result<ConnectedAccount, ConnectError> {
        let body = json!({
            "auth_session": attempt.auth_session.expose(),
            "connect_code": code.expose(),
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": attempt.verifier.expose(),
        });
        let reply = self.ask(token, Method::POST, self.at(&["complete"]), Some(body)).await?;
        let account = account(&object(&reply)?).ok_or(ConnectError::Malformed("it names no account"))?;
        if account.connection == attempt.connection { Ok(account) } else { Err(ConnectError::Malformed("it is about another service")) }
    }

    /// Disconnects an account. One that is gone is gone.
    pub(super) async fn delete(&self, token: &AccessToken, id: &str) -> Result<(), ConnectError> {
        let fetched = self.ask(token, Method::DELETE, self.at(&["accounts", id]), None).await;
        match fetched {
            Ok(_) => Ok(()),
            Err(ConnectError::NotOffered) if self.accounts(token).await?.iter().all(|account| account.id != id) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn object(reply: &Reply) -> Result<Map<String, Value>, ConnectError> {
    reply.json().ok_or(ConnectError::Malformed("it is not valid JSON"))
}

/// Reads the answer to [`Api::connect`]. The page has to be the tenant's own: the ticket in it lets in whoever has it.
fn begun(members: &Map<String, Value>, issuer: &Issuer) -> Result<Begun, ConnectError> {
    let text = |members: &Map<String, Value>, name: &str| {
        let text = members.get(name).and_then(Value::as_str).map(str::to_owned);
        text.filter(|text| !text.is_empty() && text.len() <= 4096 && text.bytes().all(|byte| byte.is_ascii_graphic()))
    };
    let auth_session = text(members, "auth_session").map(Secret::new).ok_or(ConnectError::Malformed("it begins nothing"))?;
    let params = members.get("connect_params").and_then(Value::as_object);
    let ticket = params.and_then(|params| text(params, "ticket")).map(Secret::new);
    let ticket = ticket.ok_or(ConnectError::Malformed("it has no ticket"))?;
    let page = text(members, "connect_uri").and_then(|uri| Url::parse(&uri).ok());
    let mut page = page.ok_or(ConnectError::Malformed("it names no page"))?;
    if page.origin() != issuer.url().origin() || !page.username().is_empty() || page.password().is_some() {
        return Err(ConnectError::ForeignPage);
    }
    page.query_pairs_mut().append_pair("ticket", ticket.expose());
    let seconds = members.get("expires_in").and_then(Value::as_u64).unwrap_or(300).max(1);
    Ok(Begun { auth_session, page, life: Duration::from_secs(seconds).min(MAX_LIFE) })
}

/// An account as the tenant tells of it. `None`: it has no id or no connection.
fn account(members: &Map<String, Value>) -> Option<ConnectedAccount> {
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(|text| text.chars().take(MAX_TEXT).collect::<String>());
    let scopes = members.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    Some(ConnectedAccount {
        id: text("id").filter(|id| !id.is_empty())?,
        connection: text("connection").filter(|connection| !connection.is_empty())?,
        scopes: scopes.map(str::to_owned).collect(),
        created_at: text("created_at"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(changes: &[(&str, Value)]) -> Result<Begun, ConnectError> {
        let mut members = json!({
            "auth_session": "a", "connect_uri": "https://tenant.example/connected-accounts/connect", "connect_params": {"ticket": "t"}, "expires_in": 300,
        });
        for (name, value) in changes {
            members[*name] = value.clone();
        }
        begun(members.as_object().unwrap(), &Issuer::parse("https://tenant.example/").unwrap())
    }

    #[test]
    fn the_page_is_the_one_that_was_returned_with_the_ticket_behind_it() {
        let begun = answer(&[]).unwrap();
        assert_eq!(begun.page.as_str(), "https://tenant.example/connected-accounts/connect?ticket=t");
        assert_eq!((begun.auth_session.expose().as_str(), begun.life.as_secs()), ("a", 300));
        assert_eq!(answer(&[("connect_uri", json!("https://tenant.example/connect?x=1"))]).unwrap().page.query(), Some("x=1&ticket=t"));
        assert_eq!(answer(&[("expires_in", json!(1e9))]).unwrap().life.as_secs(), 300, "nothing that makes sense");
        assert_eq!(answer(&[("expires_in", json!(86_400))]).unwrap().life, MAX_LIFE);
    }

    #[test]
    fn a_connect_uri_on_a_foreign_origin_is_not_opened() {
        for uri in [
            "https://evil.example/connected-accounts/connect",
            "https://tenant.example.evil.example/connect",
            "https://tenant.example:444/connect",
            "http://tenant.example/connect",
            "https://tenant.example@evil.example/connect",
            "https://user@tenant.example/connect",
            "https://user:pass@tenant.example/connect",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ] {
            assert_eq!(answer(&[("connect_uri", json!(uri))]).unwrap_err(), ConnectError::ForeignPage, "{uri}");
        }
        for (name, value) in [
            ("connect_uri", json!("/connect")),
            ("connect_uri", Value::Null),
            ("connect_params", json!({})),
            ("connect_params", json!({"ticket": "two words"})),
            ("auth_session", json!("")),
        ] {
            assert!(matches!(answer(&[(name, value.clone())]), Err(ConnectError::Malformed(_))), "{name} {value}");
        }
    }
}

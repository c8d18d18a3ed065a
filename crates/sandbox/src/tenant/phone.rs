//! The person's phone: a page of the tenant where approvals are answered that an agent has asked for by the back channel (CIBA).

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};

use super::{
    Tenant,
    html::{self, Page},
    params::Params,
};
use crate::random;

/// How long there is to answer, in seconds.
pub(crate) const TTL: u64 = 300;

/// An approval that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `auth_req_id`: a secret between agent and tenant.
    pub(crate) id: String,
    sub: String,
    what: String,
    /// What is shown at both ends.
    pub(crate) binding: String,
    pub(crate) at: u64,
    pub(crate) answer: Option<bool>,
}

impl Tenant {
    /// Asks the person's phone, or tells how the same question stands.
    pub(crate) fn ask_phone(&self, sub: &str, what: &str) -> Asked {
        let now = self.now();
        let mut desk = self.desk();
        desk.asked.retain(|asked| asked.at + 2 * TTL > now);
        if let Some(at) = desk.asked.iter().position(|asked| asked.sub == sub && asked.what == what) {
            let answered = desk.asked[at].answer.is_some() || desk.asked[at].at + TTL <= now;
            return if answered { desk.asked.remove(at) } else { desk.asked[at].clone() };
        }
        let id = random::secret();
        self.control.hear(&["auth_req_id"], |_| Some(id.as_str()));
        let binding = format!("{what} #{}", random::base36(4).to_uppercase());
        let asked = Asked { id, sub: sub.to_owned(), what: what.to_owned(), binding, at: now, answer: None };
        desk.asked.push(asked.clone());
        asked
    }

    /// Answers everything that waits on the phone.
    pub(crate) fn answer_phone(&self, approved: bool) {
        for asked in &mut self.desk().asked {
            asked.answer.get_or_insert(approved);
        }
    }
}

pub(super) async fn page(State(tenant): State<Arc<Tenant>>) -> Response {
    let now = tenant.now();
    let waiting: Vec<String> = tenant
        .desk()
        .asked
        .iter()
        .filter(|asked| asked.answer.is_none() && asked.at + TTL > now)
        .map(|asked| asked.binding.clone())
        .collect();
    let page = Page::new("Your phone");
    if waiting.is_empty() {
        return page.lead("This page stands for the phone of everybody in the sandbox. Nothing waits for an answer.").show(StatusCode::OK);
    }
    page.lead("This page stands for the phone of everybody in the sandbox. An agent asks you to approve:")
        .list(waiting.iter().map(String::as_str))
        .note("Approve it only if Callbox shows you the same words.")
        .form(&(html::button("accept", "Approve", "primary") + &html::button("decline", "Deny", "quiet")))
        .show(StatusCode::OK)
}

pub(super) async fn answer(State(tenant): State<Arc<Tenant>>, headers: HeaderMap, body: Bytes) -> Response {
    tenant.answer_phone(Params::from_body(&headers, &body).unwrap_or_default().get("action") == Some("accept"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/phone")]).into_response()
}

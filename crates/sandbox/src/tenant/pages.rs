//! `/authorize` and the pages behind it: login, consent, confirmation.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    Code, Tenant,
    books::{BrowserSession, Grant},
    html::{self, Page},
    params::Params,
    visit::{self, Guest, Refusal, Request, VISIT_TTL, Visit},
};
use crate::{PASSWORD, Person, ResponseIss, random};

/// A code lives as long as at Auth0.
const CODE_TTL: u64 = 600;

pub(super) async fn home() -> Response {
    html::message(
        StatusCode::OK,
        "Callbox's sandbox",
        "This is where Callbox signs in when it tries itself out. There is nothing to do here.",
    )
}

/// The session of the browser that a request comes from.
pub(super) fn browser(tenant: &Tenant, headers: &HeaderMap) -> Option<BrowserSession> {
    let name = cookie_name(tenant);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let value = cookies.filter_map(|pair| pair.trim().split_once('=')).find(|(known, _)| *known == name)?.1;
    tenant.desk().books.browser(value, tenant.now()).cloned()
}

/// Browsers do not tell ports apart when they store cookies, so the name does.
fn cookie_name(tenant: &Tenant) -> String {
    format!("callbox_sandbox_{}", tenant.issuer.port().unwrap_or_default())
}

pub(super) fn cookie(tenant: &Tenant, value: &str, max_age: u64) -> String {
    format!("{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax", cookie_name(tenant))
}

pub(super) fn with_cookie(mut response: Response, cookie: String) -> Response {
    if let Ok(value) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

pub(super) fn redirect(to: &str, cookie: Option<String>) -> Response {
    let response = (StatusCode::FOUND, [(header::LOCATION, to)]).into_response();
    match cookie {
        Some(cookie) => with_cookie(response, cookie),
        None => response,
    }
}

/// Sends the browser back to the app, with `iss` as the settings want it (RFC 9207).
fn back(tenant: &Tenant, redirect_uri: &str, state: Option<&str>, answer: &[(&str, Option<&str>)]) -> String {
    let iss = match tenant.control.settings().response_iss {
        ResponseIss::On => Some(tenant.issuer.to_string()),
        ResponseIss::Off | ResponseIss::Missing => None,
        ResponseIss::Wrong(iss) => Some(iss),
    };
    let mut params = answer.to_vec();
    params.push(("state", state));
    params.push(("iss", iss.as_deref()));
    visit::redirect_with(redirect_uri, &params)
}

fn denied(tenant: &Tenant, request: &Request, error: &str, description: &str) -> Response {
    let answer = [("error", Some(error)), ("error_description", Some(description))];
    redirect(&back(tenant, &request.redirect_uri, request.state.as_deref(), &answer), None)
}

pub(super) async fn authorize(State(tenant): State<Arc<Tenant>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let request = match Request::check(&Params::from_query(query.as_deref()), |client| tenant.redirect_uris(client)) {
        Ok(request) => request,
        Err(Refusal::Page(text)) => return html::message(StatusCode::FORBIDDEN, "Oops, something went wrong", text),
        Err(Refusal::Back { redirect_uri, state, error, description }) => {
            let answer = [("error", Some(error)), ("error_description", Some(description))];
            return redirect(&back(&tenant, &redirect_uri, state.as_deref(), &answer), None);
        }
    };
    let now = tenant.now();
    let session = browser(&tenant, &headers);
    let fresh = session.filter(|session| request.max_age.is_none_or(|age| now <= session.auth_time + age));
    let asked_again = request.prompts("login") || request.prompts("select_account");
    let guest = fresh.filter(|_| !asked_again).map(|session| Guest { sub: session.sub, sid: session.sid, auth_time: session.auth_time });
    let silent = request.prompts("none");
    let visit = Visit { begun: now, guest, seen_page: false, consented: false, request };
    if silent {
        return match next(&tenant, &visit) {
            Step::Login => denied(&tenant, &visit.request, "login_required", "Login required"),
            Step::Consent => denied(&tenant, &visit.request, "consent_required", "Consent required"),
            Step::Confirm => denied(
                &tenant,
                &visit.request,
                "interaction_required",
                "The callback URL cannot be verified, so the person has to confirm the sign-in.",
            ),
            Step::Done(guest) => redirect(&give_code(&tenant, &visit.request, &guest), None),
        };
    }
    let id = random::nanoid(32);
    let to = go_on(&tenant, &id, &visit);
    let mut desk = tenant.desk();
    desk.visits.retain(|_, visit| visit.begun + VISIT_TTL > now);
    desk.visits.insert(id, visit);
    redirect(&to, None)
}

/// What a visit needs next.
enum Step {
    Login,
    Consent,
    Confirm,
    Done(Guest),
}

fn next(tenant: &Tenant, visit: &Visit) -> Step {
    let Some(guest) = &visit.guest else { return Step::Login };
    let settings = tenant.control.settings();
    let request = &visit.request;
    let wants = request.prompts("consent") || request.on_localhost();
    let lacks = settings.consent && !tenant.desk().books.consented(&guest.sub, &request.client_id, &request.scope);
    if (wants || lacks) && !visit.consented {
        return Step::Consent;
    }
    // Any app can open this address and any app can take the callback for itself, so a person has to have seen something.
    if settings.confirm && request.unverifiable() && !visit.seen_page {
        return Step::Confirm;
    }
    Step::Done(guest.clone())
}

fn go_on(tenant: &Tenant, id: &str, visit: &Visit) -> String {
    match next(tenant, visit) {
        Step::Login => format!("/u/login?state={id}"),
        Step::Consent => format!("/u/consent?state={id}"),
        Step::Confirm => format!("/u/confirm?state={id}"),
        Step::Done(guest) => give_code(tenant, &visit.request, &guest),
    }
}

/// The callback with a fresh code.
fn give_code(tenant: &Tenant, request: &Request, guest: &Guest) -> String {
    let code = random::secret();
    let grant = Grant {
        sub: guest.sub.clone(),
        sid: guest.sid.clone(),
        auth_time: guest.auth_time,
        client_id: request.client_id.clone(),
        audience: request.audience.clone(),
        scope: request.scope.clone(),
        resource: request.resource.clone(),
        jkt: None,
    };
    let now = tenant.now();
    let kept = Code {
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        nonce: request.nonce.clone(),
        jkt: request.jkt.clone(),
        grant,
        expires: now + CODE_TTL,
        spent: None,
    };
    let mut desk = tenant.desk();
    desk.codes.retain(|_, code| code.expires > now);
    desk.codes.insert(random::sha256(&code), kept);
    drop(desk);
    back(tenant, &request.redirect_uri, request.state.as_deref(), &[("code", Some(&code))])
}

/// The visit that a page's address names, if it is still good.
fn visit(tenant: &Tenant, query: Option<&str>) -> Result<(String, Visit), Box<Response>> {
    let id = Params::from_query(query).get("state").unwrap_or_default().to_owned();
    let now = tenant.now();
    let found = tenant.desk().visits.get(&id).filter(|visit| visit.begun + VISIT_TTL > now).cloned();
    let gone = || html::message(StatusCode::BAD_REQUEST, "This sign-in is over", "Go back to Callbox and start again.");
    found.map(|visit| (id, visit)).ok_or_else(|| gone().into())
}

/// Keeps what a person answered and sends the browser on. The visit stays good, so that pressing the button again works.
fn answered(tenant: &Tenant, id: String, visit: Visit, cookie: Option<String>) -> Response {
    let to = go_on(tenant, &id, &visit);
    tenant.desk().visits.insert(id, visit);
    redirect(&to, cookie)
}

pub(super) async fn login(State(tenant): State<Arc<Tenant>>, RawQuery(query): RawQuery) -> Response {
    match visit(&tenant, query.as_deref()) {
        Ok((_, visit)) => login_page(&tenant, &visit, None),
        Err(gone) => *gone,
    }
}

fn login_page(tenant: &Tenant, visit: &Visit, failed_for: Option<&str>) -> Response {
    let first = tenant.config.people.first().map(|person| person.email.as_str());
    let email = failed_for.or(visit.request.login_hint.as_deref()).or(first).unwrap_or_default();
    let others = tenant.config.people.iter().filter(|person| person.email != email);
    Page::new("Sign in to Callbox")
        .lead("This is Callbox's built-in sandbox: demo people, nothing leaves this computer.")
        .error(failed_for.map(|_| "Wrong email or password. Everybody's password here is “sandbox”."))
        .form(&html::login_form(email, PASSWORD, others))
        .form_target(Some(&visit.request.redirect_uri))
        .show(if failed_for.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK })
}

pub(super) async fn login_answer(
    State(tenant): State<Arc<Tenant>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (id, mut visit) = match visit(&tenant, query.as_deref()) {
        Ok(found) => found,
        Err(gone) => return *gone,
    };
    let form = Params::from_body(&headers, &body).unwrap_or_default();
    if form.get("action") == Some("cancel") {
        return denied(&tenant, &visit.request, "access_denied", "User cancelled the sign-in");
    }
    // The button with a person's name comes without looking at the fields.
    let (email, known) = match form.get("person") {
        Some(email) => (email, true),
        None => (form.get("username").unwrap_or_default(), form.get("password") == Some(PASSWORD)),
    };
    let person = tenant.config.people.iter().find(|person| person.email.eq_ignore_ascii_case(email.trim()));
    let Some(Person { sub, .. }) = person.filter(|_| known) else { return login_page(&tenant, &visit, Some(email)) };
    let now = tenant.now();
    let (value, session) = tenant.change(|desk| desk.books.open_browser(sub, now)).await;
    visit.guest = Some(Guest { sub: session.sub, sid: session.sid, auth_time: session.auth_time });
    visit.seen_page = true;
    let cookie = cookie(&tenant, &value, 259_200);
    answered(&tenant, id, visit, Some(cookie))
}

fn guest_name(tenant: &Tenant, visit: &Visit) -> String {
    visit.guest.as_ref().and_then(|guest| tenant.person(&guest.sub)).map_or_else(|| "Somebody".to_owned(), Person::name)
}

pub(super) async fn consent(State(tenant): State<Arc<Tenant>>, RawQuery(query): RawQuery) -> Response {
    let (_, visit) = match visit(&tenant, query.as_deref()) {
        Ok(found) => found,
        Err(gone) => return *gone,
    };
    let wishes = visit.request.scope.split(' ').filter_map(|scope| match scope {
        "profile" => Some("Know your name"),
        "email" => Some("Know your email address"),
        "offline_access" => Some("Stay signed in when this page is closed"),
        "chat" => Some("Talk to the sandbox's agent for you"),
        _ => None,
    });
    Page::new("Callbox asks for access")
        .lead(&format!("You are signed in as {}. Callbox would like to:", guest_name(&tenant, &visit)))
        .list(wishes)
        .form(&(html::button("accept", "Accept", "primary") + &html::button("decline", "Decline", "quiet")))
        .form_target(Some(&visit.request.redirect_uri))
        .show(StatusCode::OK)
}

pub(super) async fn consent_answer(
    State(tenant): State<Arc<Tenant>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (id, mut visit) = match visit(&tenant, query.as_deref()) {
        Ok(found) => found,
        Err(gone) => return *gone,
    };
    let form = Params::from_body(&headers, &body).unwrap_or_default();
    let accepted = form.get("action") == Some("accept");
    match (&visit.guest, accepted) {
        (Some(guest), true) => {
            let (sub, request) = (guest.sub.clone(), visit.request.clone());
            tenant.change(|desk| desk.books.consent(&sub, &request.client_id, &request.scope)).await;
            visit.consented = true;
            visit.seen_page = true;
            answered(&tenant, id, visit, None)
        }
        (Some(_), false) if tenant.control.settings().decline_redirects => {
            denied(&tenant, &visit.request, "access_denied", "User did not authorize the request")
        }
        (Some(_), false) => html::message(StatusCode::FORBIDDEN, "Access declined", "You did not allow it. You can close this page."),
        (None, _) => redirect(&format!("/u/login?state={id}"), None),
    }
}

pub(super) async fn confirm(State(tenant): State<Arc<Tenant>>, RawQuery(query): RawQuery) -> Response {
    let (_, visit) = match visit(&tenant, query.as_deref()) {
        Ok(found) => found,
        Err(gone) => return *gone,
    };
    let buttons = [
        html::button("accept", "Continue", "primary"),
        html::button("other", "Use another account", "plain"),
        html::button("decline", "Cancel", "quiet"),
    ];
    Page::new("Continue to Callbox?")
        .lead(&format!("You are signed in as {}. Callbox on this computer asks to use that.", guest_name(&tenant, &visit)))
        .note("Continue only if you have just pressed “Sign in” in Callbox.")
        .form(&buttons.concat())
        .form_target(Some(&visit.request.redirect_uri))
        .show(StatusCode::OK)
}

pub(super) async fn confirm_answer(
    State(tenant): State<Arc<Tenant>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (id, mut visit) = match visit(&tenant, query.as_deref()) {
        Ok(found) => found,
        Err(gone) => return *gone,
    };
    match Params::from_body(&headers, &body).unwrap_or_default().get("action") {
        Some("accept") => {
            visit.seen_page = true;
            answered(&tenant, id, visit, None)
        }
        Some("other") => {
            visit.guest = None;
            answered(&tenant, id, visit, None)
        }
        _ => denied(&tenant, &visit.request, "access_denied", "User cancelled the sign-in"),
    }
}

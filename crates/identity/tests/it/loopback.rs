//! The way back over a listener on this computer.

use std::time::Duration;

use callbox_identity::{CallbackOutcome, Ignored, SessionState, SignInError, SignInStage};
use callbox_sandbox::Endpoint;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use crate::world::{ADA, GRACE, World, elapse, http, param, until, visit};

async fn get(link: &str) -> reqwest::Response {
    http().get(link).send().await.unwrap()
}

/// Sends bytes, reads the answer to its end.
async fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Whether anybody listens there.
async fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

fn port(page: &Url) -> u16 {
    Url::parse(&param(page.as_str(), "redirect_uri")).unwrap().port().unwrap()
}

#[tokio::test]
async fn a_person_comes_back_over_loopback_and_the_page_says_so() {
    let world = World::new().await;
    let start = world.begin().await;
    let second = world.session.open_loopback(start.attempt).await.unwrap();
    assert_eq!(param(second.url.as_str(), "state"), param(start.url.as_str(), "state"), "the same attempt");
    let link = visit(&second.url, ADA).await;
    let answer = get(&link).await;
    assert_eq!(answer.status(), 200);
    let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("cache-control"), header("referrer-policy")), ("no-store".to_owned(), "no-referrer".to_owned()));
    let page = answer.text().await.unwrap();
    assert!(page.contains("You are signed in") && !page.contains(&param(&link, "code")), "{page}");
    assert!(world.is_signed_in());
    world.session.access_token().await.unwrap();
    while is_open(port(&second.url)).await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_first_way_stays_open_beside_the_second_and_whichever_comes_first_wins() {
    let world = World::new().await;
    let start = world.begin().await;
    let second = world.session.open_loopback(start.attempt).await.unwrap();
    let late = visit(&second.url, GRACE).await;
    assert_eq!(world.session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    assert_eq!(world.session.handle_callback(&late).await, CallbackOutcome::Ignored(Ignored::AlreadyUsed));
    assert_eq!(world.requests(Endpoint::Token), 1);
}

#[tokio::test]
async fn stray_requests_get_a_status_and_change_nothing() {
    let world = World::new().await;
    let start = world.begin().await;
    let second = world.session.open_loopback(start.attempt).await.unwrap();
    let (link, port) = (visit(&second.url, ADA).await, port(&second.url));
    let target = link.split_once(&format!(":{port}")).unwrap().1;
    let host = format!("Host: 127.0.0.1:{port}\r\n");
    for (request, status) in [
        (format!("GET /favicon.ico HTTP/1.1\r\n{host}\r\n"), "404"),
        (format!("GET / HTTP/1.1\r\n{host}\r\n"), "404"),
        (format!("GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n"), "421"),
        (format!("GET {target} HTTP/1.1\r\n{host}Origin: https://evil.example\r\n\r\n"), "403"),
        (format!("GET {target} HTTP/1.1\r\n{host}Sec-Purpose: prefetch\r\n\r\n"), "403"),
        (format!("POST {target} HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"), "405"),
        (format!("GET /callback?error=access_denied HTTP/1.1\r\n{host}\r\n"), "404"),
        (format!("GET /callback?error=access_denied&state=forged HTTP/1.1\r\n{host}\r\n"), "404"),
        (format!("GET {target}&code=another HTTP/1.1\r\n{host}\r\n"), "404"),
        (format!("GET /callback HTTP/1.1\r\n{host}X: {}\r\n\r\n", "y".repeat(40_000)), "431"),
        ("not http at all\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = raw(port, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{} -> {answer}", &request[..request.len().min(80)]);
        assert!(!answer.contains("evil") && !answer.contains("forged"), "nothing of a request is in its answer");
    }
    assert_eq!(world.requests(Endpoint::Token), 0);
    assert!(matches!(world.state(), SessionState::SigningIn { stage: SignInStage::WaitingForBrowser, .. }));
    assert_eq!(get(&link).await.status(), 200);
    assert!(world.is_signed_in());
}

#[tokio::test]
async fn a_hundred_who_knock_and_say_nothing_do_not_keep_the_browser_out() {
    let world = World::new().await;
    let start = world.begin().await;
    let second = world.session.open_loopback(start.attempt).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(("127.0.0.1", port(&second.url))).await.unwrap();
        stream.write_all(b"GET /callb").await.unwrap();
        silent.push(stream);
    }
    assert_eq!(get(&visit(&second.url, ADA).await).await.status(), 200);
    assert!(world.is_signed_in());
}

#[tokio::test]
async fn a_sign_in_that_fails_says_so_in_the_browser_without_the_tenants_words() {
    let world = World::new().await;
    let start = world.begin().await;
    let second = world.session.open_loopback(start.attempt).await.unwrap();
    let state = param(start.url.as_str(), "state");
    let redirect = param(second.url.as_str(), "redirect_uri");
    let issuer = world.sandbox.issuer();
    let page =
        get(&format!("{redirect}?error=access_denied&error_description=call+evil&state={state}&iss={issuer}")).await.text().await.unwrap();
    assert!(page.contains("did not succeed") && !page.contains("evil"), "{page}");
    let failed = |state: &SessionState| matches!(state, SessionState::SignedOut { reason: Some(_) });
    until(&world.session, failed).await;
}

#[tokio::test]
async fn the_listener_ends_with_its_attempt() {
    for how in ["cancelled", "too old", "closed"] {
        let world = World::new().await;
        let start = world.begin().await;
        let second = world.session.open_loopback(start.attempt).await.unwrap();
        let (port, session) = (port(&second.url), world.session.clone());
        assert!(is_open(port).await);
        let World { sandbox: _sandbox, session: first, .. } = world;
        match how {
            "cancelled" => first.cancel_sign_in().await,
            "too old" => elapse(Duration::from_secs(600)).await,
            _ => drop((first, session.clone())),
        }
        if how == "closed" {
            drop(session);
        } else {
            while session.open_loopback(start.attempt).await.is_ok() {
                tokio::task::yield_now().await;
            }
            assert_eq!(session.open_loopback(start.attempt).await.unwrap_err(), SignInError::Expired);
        }
        while is_open(port).await {
            tokio::task::yield_now().await;
        }
    }
}

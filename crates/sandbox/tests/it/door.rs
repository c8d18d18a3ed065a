//! Who gets in.

use std::time::Duration;

use callbox_sandbox::{Endpoint, Fault, Sandbox};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::{
    agent::{ADA_SUB, Client, GRACE_SUB, quick, request, user},
    app,
};

/// A handshake that is refused: status, challenge, body.
async fn refused(sandbox: &Sandbox, conversation: &str, token: Option<&str>) -> (u16, String, String) {
    match tokio_tungstenite::connect_async(request(sandbox, conversation, "pk", token)).await {
        Err(Error::Http(response)) => {
            let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
            let body = response.body().as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
            (response.status().as_u16(), challenge.unwrap_or_default(), body.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tokens_are_checked_before_the_upgrade_and_the_challenge_says_where_to_get_one() {
    let sandbox = quick().await;
    let metadata = format!("resource_metadata=\"{}\"", sandbox.agent_url().join("/.well-known/oauth-protected-resource").unwrap());
    let (status, challenge, _) = refused(&sandbox, "c1", None).await;
    assert_eq!(status, 401);
    assert_eq!(challenge, format!("Bearer realm=\"{}\", {metadata}", sandbox.audience()));

    let good = sandbox.access_token(ADA_SUB).unwrap();
    let code = app::code(&sandbox).await;
    let claims = |name: &str, value: Value| Fault::AccessTokenClaims { claims: [(name.to_owned(), value)].into_iter().collect() };
    sandbox.control().once(Endpoint::Token, claims("aud", json!("https://other.example")));
    let (_, other) = app::exchange(&sandbox, &code, &[]).await;
    sandbox.control().once(Endpoint::Token, claims("iss", json!("https://other.example/")));
    let (_, foreign) = app::exchange(&sandbox, &app::code(&sandbox).await, &[]).await;
    let stranger = quick().await.access_token(ADA_SUB).unwrap();
    for (token, text) in [
        (app::text(&other, "access_token"), "unexpected 'aud' claim value"),
        (app::text(&foreign, "access_token"), "unexpected 'iss' claim value"),
        (stranger.as_str(), "signature verification failed"),
        ("not-a-jwt", "Invalid Compact JWS"),
    ] {
        let (status, challenge, _) = refused(&sandbox, "c1", Some(token)).await;
        assert_eq!(status, 401, "{text}");
        assert!(challenge.contains(&format!("error=\"invalid_token\", error_description=\"{text}\", {metadata}")), "{challenge}");
    }
    sandbox.control().advance(Duration::from_secs(3600));
    let (status, challenge, _) = refused(&sandbox, "c1", Some(&good)).await;
    assert_eq!(status, 401);
    assert!(challenge.contains("'exp' claim timestamp check failed"), "{challenge}");
    assert_eq!(sandbox.control().handshakes(), (0, 6));
}

#[tokio::test]
async fn the_metadata_names_the_tenant() {
    let sandbox = quick().await;
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/agents/chat-agent"] {
        let metadata: Value = app::http().get(sandbox.agent_url().join(path).unwrap()).send().await.unwrap().json().await.unwrap();
        assert_eq!(metadata["authorization_servers"], json!([sandbox.issuer()]));
        let origin = sandbox.agent_url().origin().ascii_serialization();
        assert_eq!((&metadata["resource"], &metadata["bearer_methods_supported"]), (&json!(origin), &json!(["header"])));
    }
}

#[tokio::test]
async fn a_conversation_belongs_to_the_first_who_connects() {
    let sandbox = quick().await;
    let _ada = Client::ready(&sandbox, "c1", "pk1").await;
    let grace = sandbox.access_token(GRACE_SUB).unwrap();
    let (status, _, body) = refused(&sandbox, "c1", Some(&grace)).await;
    assert_eq!((status, body.as_str()), (403, "This chat is not yours."));
    let url = format!("{}/c1/get-messages", sandbox.agent_url());
    let answer = app::http().get(url).bearer_auth(&grace).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    // Looking at a conversation that is nobody's does not make it one's own.
    let url = format!("{}/c2/get-messages", sandbox.agent_url());
    let answer = app::http().get(url).bearer_auth(&grace).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!([]));
    Client::ready(&sandbox, "c2", "pk1").await;
}

#[tokio::test]
async fn get_messages_wants_the_token_in_the_header_and_nowhere_else() {
    let sandbox = quick().await;
    let token = sandbox.access_token(ADA_SUB).unwrap();
    let url = format!("{}/c1/get-messages", sandbox.agent_url());
    let get = |url: String| app::http().get(url);
    assert_eq!(get(url.clone()).send().await.unwrap().status(), 401);
    let in_address = get(format!("{url}?access_token={token}")).send().await.unwrap();
    assert_eq!(in_address.status(), 401);
    let both = get(format!("{url}?access_token={token}")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(both.status(), 400);
    assert!(both.headers()["www-authenticate"].to_str().unwrap().contains("invalid_request"));
    // Any method, and any path that ends so.
    let url = format!("{}/c1/more/get-messages", sandbox.agent_url());
    assert_eq!(app::http().post(url).bearer_auth(&token).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn addresses_are_matched_as_the_real_one_does() {
    let sandbox = quick().await;
    let token = sandbox.access_token(ADA_SUB).unwrap();
    for (path, status) in [
        ("/elsewhere", 404),
        ("/agents/chat-agent", 404),
        ("/agents/ChatAgent/c1", 400),
        ("/agents/other-agent/c1", 400),
        ("/agents/chat-agent/c1", 404),
    ] {
        let url = sandbox.agent_url().join(path).unwrap();
        assert_eq!(app::http().get(url).bearer_auth(&token).send().await.unwrap().status(), status, "{path}");
    }
    // Names are not decoded.
    sandbox.control().set_messages("a%20b", ADA_SUB, vec![user("u1", "hi")]);
    let url = format!("{}/a%20b/get-messages", sandbox.agent_url());
    assert_eq!(app::http().get(url).bearer_auth(&token).send().await.unwrap().json::<Value>().await.unwrap(), json!([user("u1", "hi")]));
}

#[tokio::test]
async fn handshakes_can_be_refused_delayed_and_dropped() {
    let sandbox = quick().await;
    let token = sandbox.access_token(ADA_SUB).unwrap();
    for status in [401, 403, 404, 500, 503] {
        sandbox.control().once(Endpoint::Socket, Fault::status(status));
        assert_eq!(refused(&sandbox, "c1", Some(&token)).await.0, status);
    }
    sandbox.control().once(Endpoint::Socket, Fault::redirect("https://login.example/"));
    assert_eq!(refused(&sandbox, "c1", Some(&token)).await.0, 302);
    sandbox.control().once(Endpoint::Socket, Fault::Drop);
    let dropped = tokio_tungstenite::connect_async(request(&sandbox, "c1", "pk", Some(&token))).await;
    assert!(dropped.is_err() && !matches!(dropped, Err(Error::Http(_))), "{dropped:?}");
    sandbox.control().once(Endpoint::Socket, Fault::delay(Duration::from_millis(50)));
    Client::ready(&sandbox, "c1", "pk1").await;
    assert_eq!(sandbox.control().requests(Endpoint::Socket), 8);
}

#[tokio::test]
async fn a_token_that_runs_out_does_not_close_an_open_socket() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    sandbox.control().advance(Duration::from_secs(7200));
    client.ask("r1", "u1", "stream 3").await;
    assert_eq!(client.until_done().await.last().unwrap()["done"], true);
}

#[tokio::test]
async fn a_message_beyond_the_platforms_limit_closes_the_socket() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    client.ask("r1", "u1", &"x".repeat(33 << 20)).await;
    assert_eq!(client.gone().await, crate::agent::Gone::Closed(Some((1009, "Message is too large".to_owned()))));
}

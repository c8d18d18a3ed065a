use super::*;

/// An interrupt as the SDK writes one, with members set, or taken away by `null`.
fn text(changes: &[(&str, Value)]) -> String {
    let mut interrupt = json!({
        "name": "AUTH0_AI_INTERRUPT", "code": "TOKEN_VAULT_ERROR", "message": "Authorization required to access the Token Vault: google-oauth2",
        "connection": "google-oauth2", "scopes": ["calendar.read"], "requiredScopes": ["openid", "calendar.read"],
        "authorizationParams": {}, "behavior": "resume", "toolCall": {"id": "call_1", "args": {"day": "today"}, "name": "checkUsersCalendar"},
    });
    for (name, value) in changes {
        interrupt[*name] = value.clone();
    }
    format!("{PREFIX}{interrupt}")
}

fn pending(request: &Value) -> ErrorText {
    read(&text(&[("code", json!("ASYNC_AUTHORIZATION_AUTHORIZATION_PENDING")), ("request", request.clone())]))
}

fn interrupt(text: &str) -> Interrupt {
    match read(text) {
        ErrorText::Interrupt(interrupt) => interrupt,
        other => panic!("an interrupt: {other:?}"),
    }
}

fn request(value: &Value) -> Option<ApprovalRequest> {
    match pending(value) {
        ErrorText::Interrupt(Interrupt { want: Want::Approval { request, .. }, .. }) => request,
        other => panic!("an approval: {other:?}"),
    }
}

#[test]
fn an_account_that_is_wanted_is_read_with_all_its_scopes_once() {
    let read = interrupt(&text(&[("scopes", json!(["calendar.read", "mail.send", "mail.send"]))]));
    assert_eq!((read.tool_call_id.as_str(), read.tool_name.as_str(), read.behavior), ("call_1", "checkUsersCalendar", Behavior::Resume));
    let Want::Account(wanted) = read.want else { panic!("an account") };
    assert_eq!((wanted.connection.as_str(), wanted.scopes.len()), ("google-oauth2", 2));
    assert_eq!(wanted.required_scopes, ["openid", "calendar.read", "mail.send"], "what is needed is asked for, too");
    assert_eq!(interrupt(&text(&[("behavior", json!("reload"))])).behavior, Behavior::Reload);
    assert_eq!(interrupt(&text(&[("behavior", json!("rm -rf"))])).behavior, Behavior::Resume);
}

#[test]
fn malformed_json_after_the_prefix_is_an_error_like_any_other_and_is_not_shown() {
    for rest in ["", "{", "null", "[]", "\"x\"", "{\"name\":\"AUTH0_AI_INTERRUPT\"}", "{\"request\":{\"id\":\"the-secret\"}"] {
        assert_eq!(read(&format!("{PREFIX}{rest}")), ErrorText::Unreadable, "{rest}");
    }
    let long = format!("{}{}", text(&[]), " ".repeat(MAX_TEXT));
    assert_eq!(read(&long), ErrorText::Unreadable);
    let mut tool = ToolPart::new("call_1", "buy");
    tool.error_text = Some(format!("{PREFIX}{{\"request\":{{\"id\":\"the-secret\"}}"));
    tool.conceal();
    assert_eq!(tool.error_text.as_deref(), Some(UNREADABLE));
}

#[test]
fn the_prefix_in_ordinary_text_is_text() {
    for text in ["", "It failed.", " AUTH0_AI_INTERRUPTION:{}", "Then the server says AUTH0_AI_INTERRUPTION:{}", "auth0_ai_interruption:{}"]
    {
        assert_eq!(read(text), ErrorText::Plain, "{text}");
    }
    let mut message = UiMessage::assistant("m");
    let said = text(&[]);
    message.parts.push(Part::Text(crate::part::TextPart { text: said.clone(), ..Default::default() }));
    message.conceal_interrupts();
    assert_eq!(message.text(), said, "what a model says is what it says");
}

#[test]
fn an_unknown_code_is_kept_by_its_name_and_a_long_one_is_not_read() {
    assert_eq!(interrupt(&text(&[("code", json!("DEVICE_SLOW_DOWN"))])).want, Want::Unknown { code: "DEVICE_SLOW_DOWN".to_owned() });
    for code in [json!("x".repeat(MAX_NAME + 1)), json!(""), json!(7), Value::Null] {
        assert_eq!(read(&text(&[("code", code.clone())])), ErrorText::Unreadable, "{code}");
    }
}

#[test]
fn what_is_not_of_its_kind_or_too_much_is_not_read() {
    for (name, value) in [
        ("name", json!("AUTH0_AI_INTERRUPTX")),
        ("connection", json!("")),
        ("connection", json!("x".repeat(MAX_NAME + 1))),
        ("connection", json!(["google-oauth2"])),
        ("scopes", json!("calendar.read")),
        ("scopes", json!(["two words"])),
        ("scopes", json!(["a\u{202e}b"])),
        ("scopes", json!(["say \"yes\""])),
        ("scopes", json!([{}])),
        ("requiredScopes", json!(["x".repeat(MAX_SCOPE + 1)])),
        ("requiredScopes", Value::from((0..=MAX_SCOPES).map(|n| json!(format!("s{n}"))).collect::<Vec<_>>())),
        ("toolCall", json!("call_1")),
        ("toolCall", json!({"name": "x"})),
        ("toolCall", json!({"id": "call_1"})),
        ("toolCall", json!({"id": "x".repeat(MAX_NAME + 1), "name": "x"})),
    ] {
        assert_eq!(read(&text(&[(name, value.clone())])), ErrorText::Unreadable, "{name} {value}");
    }
}

#[test]
fn nothing_of_the_sign_in_pages_parameters_and_no_id_of_a_request_is_passed_on() {
    let hostile = json!({"redirect_uri": "https://evil.example/the-address", "prompt": "none"});
    let request = json!({"id": "the-secret", "requestedAt": 1_795_231_454.5, "expiresIn": 300, "interval": 5});
    for code in ["TOKEN_VAULT_ERROR", "ASYNC_AUTHORIZATION_AUTHORIZATION_PENDING", "SOMETHING_NEW"] {
        let text = text(&[
            ("code", json!(code)),
            ("authorizationParams", hostile.clone()),
            ("request", request.clone()),
            ("id", json!("the-secret")),
        ]);
        let read = interrupt(&text);
        let written = read.to_text();
        assert_eq!(interrupt(&written), read, "the same is read of it");
        for secret in ["the-secret", "the-address", "today", "Token Vault"] {
            assert!(!written.contains(secret) && !format!("{read:?}").contains(secret), "{secret} in {written}");
        }
    }
}

#[test]
fn every_state_of_an_approval_is_told_apart() {
    for (code, expected) in [
        ("AUTHORIZATION_PENDING", ApprovalStatus::Pending),
        ("AUTHORIZATION_POLLING_ERROR", ApprovalStatus::Polling),
        ("ACCESS_DENIED", ApprovalStatus::Denied),
        ("AUTHORIZATION_REQUEST_EXPIRED", ApprovalStatus::Expired),
        ("USER_DOES_NOT_HAVE_PUSH_NOTIFICATIONS", ApprovalStatus::NoDevice),
        ("INVALID_GRANT", ApprovalStatus::Invalid),
    ] {
        let read = interrupt(&text(&[("code", json!(format!("ASYNC_AUTHORIZATION_{code}")))]));
        assert_eq!(read.want, Want::Approval { status: expected, request: None });
        assert_eq!(interrupt(&read.to_text()), read);
    }
}

#[test]
fn a_request_for_an_approval_has_an_end_or_is_none() {
    for bad in [json!({}), json!({"expiresIn": 0}), json!({"expiresIn": -5}), json!({"expiresIn": "300"}), json!("300"), Value::Null] {
        assert_eq!(request(&bad), None, "{bad}");
    }
    assert_eq!(request(&json!({"expiresIn": 1})).unwrap().expires_in, 1);
    assert_eq!(request(&json!({"expiresIn": 1e300})).unwrap().expires_in, MAX_LIFE);
    let told = request(&json!({"expiresIn": 300, "requestedAt": 1_795_231_454_804_u64, "bindingMessage": "y".repeat(1000)})).unwrap();
    assert_eq!((told.requested_at, told.binding_message.unwrap().len()), (Some(1_795_231_454_804), MAX_BINDING));
    let seconds = request(&json!({"expiresIn": 300.9, "requestedAt": 1_795_231_454.5})).unwrap();
    assert_eq!((seconds.expires_in, seconds.requested_at), (300, Some(1_795_231_454_500)));
    assert_eq!(request(&json!({"expiresIn": 300, "bindingMessage": " "})).unwrap().binding_message, None);
}

#[test]
fn elapsed_time_is_told_by_the_agents_clock_only_where_that_makes_sense() {
    let request = |requested_at| ApprovalRequest { requested_at, expires_in: 300, binding_message: None };
    let now = 1_000_000;
    for (requested_at, expected) in [
        (Some(now), Elapsed::Told(0)),
        (Some(now - 10_000), Elapsed::Told(10_000)),
        (Some(now - 299_999), Elapsed::Told(299_999)),
        (Some(now - 300_000), Elapsed::Over(300_000)),
        (Some(1), Elapsed::Over(now - 1)),
        (Some(now + 30_000), Elapsed::Told(0)),
        (Some(now + 60_001), Elapsed::Untold),
        (Some(u64::MAX), Elapsed::Untold),
        (None, Elapsed::Untold),
    ] {
        assert_eq!(request(requested_at).elapsed(now), expected, "{requested_at:?}");
    }
}

#[test]
fn an_interrupt_of_another_call_is_an_error_of_this_one() {
    let mut tool = ToolPart::new("call_2", "checkUsersCalendar");
    tool.error_text = Some(text(&[]));
    assert_eq!(tool.interrupt(), None);
    tool.conceal();
    assert_eq!(tool.error_text.as_deref(), Some(UNREADABLE));
    let mut own = ToolPart::new("call_1", "checkUsersCalendar");
    own.error_text = Some(text(&[]));
    own.conceal();
    assert_eq!(own.interrupt(), Some(interrupt(&text(&[]))));
    let mut op = MessageOp::SetPart { message: 0, part: 0, value: Part::Tool(ToolPart { error_text: Some(text(&[])), ..own.clone() }) };
    op.conceal_interrupts();
    assert_eq!(op, MessageOp::SetPart { message: 0, part: 0, value: Part::Tool(own) });
}

proptest::proptest! {
    #[test]
    fn whatever_an_agent_writes_is_read_within_bounds_and_the_same_a_second_time(
        rest in ".{0,200}",
        texts in proptest::collection::vec(".{0,300}", 5),
        numbers in proptest::collection::vec(proptest::prelude::any::<f64>(), 2),
        code in 0..4_usize,
    ) {
        let codes = ["TOKEN_VAULT_ERROR", "ASYNC_AUTHORIZATION_AUTHORIZATION_PENDING", "ASYNC_AUTHORIZATION_ACCESS_DENIED", &texts[0]];
        let hostile = text(&[
            ("code", json!(codes[code])),
            ("connection", json!(texts[1])),
            ("scopes", json!(texts[2].split(' ').collect::<Vec<_>>())),
            ("toolCall", json!({"id": texts[3], "name": texts[4]})),
            ("request", json!({"requestedAt": numbers[0], "expiresIn": numbers[1], "bindingMessage": texts[2]})),
        ]);
        for text in [format!("{PREFIX}{rest}"), hostile] {
            if let ErrorText::Interrupt(interrupt) = read(&text) {
                let written = interrupt.to_text();
                proptest::prop_assert!(written.len() < 32 * 1024);
                proptest::prop_assert_eq!(read(&written), ErrorText::Interrupt(interrupt));
            }
        }
    }
}

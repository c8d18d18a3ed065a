//! `callbox doctor`: on real parts that are not as they should be.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{fs, path::PathBuf, process::Command};

use callbox_e2e::{
    Console, World,
    bus::{Bus, Inner, Keychain, MuteKeychain},
    servers::{Proxy, self_signed},
};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::{Value, json};

const CHECKS: [&str; 10] = ["profile", "keychain", "scheme", "tenant", "agent", "clock", "certificates", "proxy", "display", "settings"];

/// What is not well, as name and code; the exit code has to say the same.
async fn unwell(command: Command) -> (Vec<(String, String)>, String) {
    let ended = Console::start(command).unwrap().ended().await.unwrap();
    let report: Value = serde_json::from_str(&ended.output).unwrap_or_else(|_| panic!("{ended:?}"));
    let checks = report["checks"].as_array().unwrap();
    let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    for name in CHECKS {
        let count = checks.iter().filter(|check| check["check"] == name).count();
        assert_eq!(count, 1, "{name} in {report}");
    }
    let bad: Vec<_> =
        checks.iter().filter(|check| check["state"] != "ok").map(|check| (text(check, "check"), text(check, "code"))).collect();
    assert_eq!((report["ok"].as_bool(), ended.exit), (Some(bad.is_empty()), Some(i32::from(!bad.is_empty()))), "{ended:?}");
    (bad, ended.output)
}

fn doctor(world: &World) -> Command {
    world.commanding(["doctor", "--json"])
}

/// `expected` and nothing else.
async fn finds(command: Command, expected: &[(&str, &str)]) -> String {
    let (bad, output) = unwell(command).await;
    let bad: Vec<_> = bad.iter().map(|(check, code)| (check.as_str(), code.as_str())).collect();
    assert_eq!(bad, expected, "{output}");
    output
}

/// Another profile, for this tenant and this agent.
fn profile(world: &World, issuer: &str, agent: &str) -> PathBuf {
    let file = world.desktop.outside().join("other.toml");
    let text = format!("id = \"other\"\nname = \"Other\"\nagent = \"{agent}\"\nissuer = \"{issuer}\"\nclient_id = \"c\"\n");
    fs::write(&file, text).unwrap();
    file
}

fn doctor_for(world: &World, issuer: &str, agent: &str) -> Command {
    let profile = profile(world, issuer, agent);
    world.bare(["doctor", "--json", "--profile", profile.to_str().unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_nothing_is_wrong_and_nobody_is_named() {
    let world = World::new().await.unwrap();
    let before = finds(doctor(&world), &[]).await;
    assert!(before.contains("holds no sign-in"), "{before}");
    world.sign_in().await.unwrap();
    let asked = world.control().requests(Endpoint::Token);
    let after = finds(doctor(&world), &[]).await;
    assert!(after.contains("holds a sign-in") && !after.contains("Ada"), "{after}");
    assert_eq!(world.control().requests(Endpoint::Token), asked, "nobody's token is touched");
    let ended = Console::start(world.commanding(["doctor"])).unwrap().ended().await.unwrap();
    assert!(ended.exit == Some(0) && ended.output.contains("ok       tenant        The sign-in server at 127.0.0.1:"), "{ended:?}");
    assert!(ended.output.lines().all(|line| line.starts_with("ok ")), "{ended:?}");

    let ended = Console::start(world.bare(["doctor", "--json"])).unwrap().ended().await.unwrap();
    assert!(ended.exit == Some(1) && ended.output.contains("\"no-profile\""), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_agent_at_which_somebody_is_signed_in_is_looked_at() {
    let world = World::new().await.unwrap();
    world.sign_in().await.unwrap();
    // Another profile comes first then, and where somebody is signed in comes behind it.
    let kept = world.desktop.folders()[1].join(callbox_e2e::keychain::SERVICE).join("agents");
    fs::create_dir_all(&kept).unwrap();
    let (agent, issuer, client, audience) =
        (world.sandbox.agent_url(), world.sandbox.issuer(), world.sandbox.client_id(), world.sandbox.audience());
    let text = format!(
        "id = \"house\"\nname = \"House\"\nagent = \"{agent}\"\nissuer = \"{issuer}\"\nclient_id = \"{client}\"\naudience = \"{audience}\"\n"
    );
    fs::write(kept.join("house.toml"), text).unwrap();
    let command = doctor_for(&world, world.sandbox.issuer().as_str(), world.sandbox.agent_url().as_str());
    let ended = Console::start(command).unwrap().ended().await.unwrap();
    let report: Value = serde_json::from_str(&ended.output).unwrap_or_else(|_| panic!("{ended:?}"));
    let of = |agent: Option<&str>, check: &str| {
        let wanted = |found: &&Value| found["check"] == check && found.get("agent").and_then(Value::as_str) == agent;
        report["checks"].as_array().unwrap().iter().filter(wanted).cloned().collect::<Vec<_>>()
    };
    assert!(of(None, "keychain")[0]["text"].as_str().unwrap().contains("holds no sign-in"), "{report}");
    let house = Some("House");
    assert!(of(house, "keychain")[0]["text"].as_str().unwrap().contains("holds a sign-in"), "{report}");
    assert_eq!((of(house, "agent").len(), of(house, "tenant").len()), (1, 0), "one tenant is told of once: {report}");
    assert!(!ended.output.contains("Ada"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_down_or_calls_itself_something_else_is_told() {
    let world = World::new().await.unwrap();
    world.control().always(Endpoint::Discovery, [Fault::status(503)]);
    finds(doctor(&world), &[("tenant", "tenant-unwell")]).await;
    world.control().always(Endpoint::Discovery, [Fault::html()]);
    finds(doctor(&world), &[("tenant", "tenant-intercepted")]).await;
    let document = json!({"issuer": "https://evil.example/"});
    world.control().always(Endpoint::Discovery, [Fault::json(200, &document)]);
    finds(doctor(&world), &[("tenant", "discovery-wrong-issuer")]).await;
    let nobody = callbox_e2e::process::free_port().unwrap();
    let command = doctor_for(&world, &format!("http://127.0.0.1:{nobody}/"), world.sandbox.agent_url().as_str());
    finds(command, &[("tenant", "tenant-unreachable"), ("agent", "agent-trusts-another")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_down_elsewhere_open_or_behind_a_page_is_told() {
    let world = World::new().await.unwrap();
    let access = "https://team.cloudflareaccess.com/cdn-cgi/access/login/agent.example?kid=1";
    for (fault, code) in [
        (Fault::redirect(access), "agent-login-page"),
        (Fault::redirect("http://portal.example/"), "agent-intercepted"),
        (Fault::html(), "agent-intercepted"),
        (Fault::json(200, &json!([])), "agent-without-sign-in"),
        (Fault::status(404), "agent-not-found"),
        (Fault::status(403), "agent-forbidden"),
    ] {
        world.control().always(Endpoint::Messages, [fault]);
        finds(doctor(&world), &[("agent", code)]).await;
    }
    world.sandbox.stop_agent().await;
    finds(doctor(&world), &[("agent", "agent-unreachable")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_two_hours_off_is_told_with_its_direction() {
    let world = World::new().await.unwrap();
    let issuer = world.sandbox.issuer();
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}authorize"),
        "token_endpoint": format!("{issuer}oauth/token"),
        "code_challenge_methods_supported": ["S256"],
    });
    for (when, said) in [("2 hours", "minutes behind"), ("2 hours ago", "minutes ahead of")] {
        let date = Command::new("date").args(["-u", "-d", when, "+%a, %d %b %Y %H:%M:%S GMT"]).env("LC_ALL", "C").output().unwrap();
        let date = String::from_utf8(date.stdout).unwrap().trim().to_owned();
        let headers = vec![("content-type".to_owned(), "application/json".to_owned()), ("date".to_owned(), date)];
        world.control().always(Endpoint::Discovery, [Fault::Respond { status: 200, headers, body: document.to_string() }]);
        let output = finds(doctor(&world), &[("clock", "clock-wrong")]).await;
        assert!(output.contains(said), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_knows_is_told_for_what_it_is() {
    let world = World::new().await.unwrap();
    let port = self_signed().await.unwrap();
    let command = doctor_for(&world, &format!("https://127.0.0.1:{port}/"), world.sandbox.agent_url().as_str());
    let unknown = "certificate-unknown-issuer";
    let output = finds(command, &[("tenant", unknown), ("agent", "agent-trusts-another"), ("certificates", unknown)]).await;
    assert!(output.contains("At 127.0.0.1: "), "{output}");
    let mut command = doctor(&world);
    command.env("SSL_CERT_FILE", world.desktop.outside().join("no-such-file")).env_remove("SSL_CERT_DIR");
    finds(command, &[("certificates", "certificates-unreadable")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_named_and_its_password_is_not() {
    let world = World::new().await.unwrap();
    for (status, code) in [(403, "proxy-refused"), (407, "proxy-wants-password")] {
        let proxy = Proxy::refusing(status).await.unwrap();
        let mut command = doctor_for(&world, world.sandbox.issuer().as_str(), "https://agent.example/agents/a");
        command.env("https_proxy", format!("http://ada:se-cret@127.0.0.1:{}", proxy.port)).env("CALLBOX_LOG", "trace");
        let ended = Console::start(command).unwrap().ended().await.unwrap();
        let report: Value = serde_json::from_str(&ended.output).unwrap();
        let check = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == "proxy").unwrap();
        assert_eq!((&check["state"], &check["code"]), (&json!("problem"), &json!(code)), "{report}");
        assert!(check["text"].as_str().unwrap().contains(&format!("by 127.0.0.1:{}", proxy.port)), "{report}");
        assert!(!ended.output.contains("se-cret") && !ended.errors.contains("se-cret"), "{ended:?}");
        assert_eq!(proxy.requests(), ["CONNECT agent.example:443 HTTP/1.1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keychain_that_is_locked_absent_or_never_answers_is_told() {
    let world = World::new().await.unwrap();
    for (keychain, code) in [(Keychain::Locked, "keychain-locked"), (Keychain::Absent, "keychain-unavailable")] {
        let session = Inner::with(keychain).unwrap();
        finds(session.wrap(&doctor(&world)).unwrap(), &[("keychain", code)]).await;
    }
    let bus = Bus::bare().unwrap();
    let keychain = MuteKeychain::on(&bus).await.unwrap();
    let mut command = doctor(&world);
    command.env("DBUS_SESSION_BUS_ADDRESS", bus.address());
    finds(command, &[("keychain", "keychain-timed-out")]).await;
    assert!(!keychain.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_lead_elsewhere_a_dead_display_and_folders_that_take_nothing_are_told() {
    let world = World::new().await.unwrap();
    let data = world.desktop.folders()[2].clone();
    let handler = data.join("applications/evil.desktop");
    fs::write(
        &handler,
        "[Desktop Entry]\nType=Application\nName=Evil\nExec=/usr/bin/true %u\nMimeType=x-scheme-handler/dev.callbox.desktop;\n",
    )
    .unwrap();
    let chosen = world.desktop.command("xdg-mime").args(["default", "evil.desktop", "x-scheme-handler/dev.callbox.desktop"]).status();
    assert!(chosen.unwrap().success());
    let output = finds(doctor(&world), &[("scheme", "scheme-elsewhere")]).await;
    assert!(output.contains("/usr/bin/true"), "{output}");

    let mut command = doctor(&world);
    command.env("DISPLAY", ":4711");
    finds(command, &[("scheme", "scheme-elsewhere"), ("display", "display-dead")]).await;

    // A file where the folder for data should be.
    let blocked = world.desktop.outside().join("blocked");
    fs::write(&blocked, "").unwrap();
    let mut command = doctor(&world);
    command.env("XDG_DATA_HOME", &blocked);
    let (bad, output) = unwell(command).await;
    assert!(bad.contains(&("data".to_owned(), "folder-unwritable".to_owned())), "{output}");
}

//! `callbox ask`: the real program, the real keychain, the sandbox's agent, and no window but where one is named.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{env, process::Command, time::Duration};

use callbox_e2e::{App, Console, Ended, Look, World, keychain, leaks::Search, process, wait};
use callbox_link::{AgentAddress, Link, LinkConfig, LinkState};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::{Value, json};

const BRIEFLY: Duration = Duration::from_millis(1);

async fn world() -> World {
    let world = World::new().await.unwrap();
    world.sign_in().await.unwrap();
    world.control().set_pace(BRIEFLY);
    world
}

async fn ask(world: &World, arguments: &[&str]) -> Ended {
    world.ask(arguments).unwrap().ended().await.unwrap()
}

/// What “stream N” is answered with.
fn counted(words: usize) -> String {
    let word = |n: usize| if n % 40 == 39 { format!("w{n}.\n\n") } else { format!("w{n} ") };
    (0..words).map(word).collect()
}

/// The states of all tool calls that the agent has stored.
fn states(world: &World, conversation: &str) -> Vec<String> {
    let messages = world.control().messages(conversation);
    let parts = messages.iter().flat_map(|message| message["parts"].as_array().unwrap());
    parts.filter_map(|part| part["toolCallId"].as_str().and(part["state"].as_str())).map(str::to_owned).collect()
}

/// Waits for that: the agent asks before it stores that it has asked.
async fn until_stored(world: &World, conversation: &str, expected: &[&str]) {
    wait::until(&format!("{expected:?} is stored"), async || {
        let stored = states(world, conversation);
        Ok(Look::when((stored == expected).then_some(()), stored))
    })
    .await
    .unwrap();
}

fn text(message: &Value) -> String {
    message["parts"].as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect()
}

/// On a terminal of its own, which is its stdin, stdout and stderr. What is written to the console is typed there.
fn on_a_terminal(world: &World, arguments: &[&str]) -> Console {
    let inner = world.asking(arguments);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''")))
        .collect();
    let mut outer = Command::new("script");
    outer.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    Console::start(outer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_comes_as_it_is_written_and_the_conversation_goes_on_by_its_name() {
    let world = world().await;
    world.control().hold_after(20);
    let asking = world.ask(["--conversation", "night-ly", "stream 60"]).unwrap();
    world.control().until_held().await;
    asking.until("the beginning is there before the end", |output| output.contains("w9 ") && !output.contains("w59")).await.unwrap();
    world.control().release();
    let ended = asking.ended().await.unwrap();
    assert_eq!(ended, Ended { exit: Some(0), output: format!("{}\n", counted(60)), errors: "(conversation) night-ly\n".to_owned() });

    let mut asking = world.ask(["--conversation", "night-ly", "-"]).unwrap();
    asking.write("stream 3\n").await.unwrap();
    let ended = asking.ended().await.unwrap();
    assert_eq!(ended, Ended { exit: Some(0), output: format!("{}\n", counted(3)), errors: String::new() });
    assert_eq!(world.control().messages("night-ly").len(), 4);
    assert_eq!(world.control().requests(Endpoint::Turn), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_json_is_an_object_also_while_the_connection_is_lost_and_nothing_is_told_twice() {
    let world = world().await;
    world.control().hold_after(150);
    let asking = world.ask(["--json", "stream 300"]).unwrap();
    world.control().until_held().await;
    asking.until("half of it", |output| output.contains("w99 ")).await.unwrap();
    world.control().always(Endpoint::Socket, [Fault::status(503)]);
    world.control().drop_sockets();
    asking.until("the loss is told", |output| output.contains(r#""online":false"#)).await.unwrap();
    world.control().clear(Endpoint::Socket);
    world.control().release();
    let ended = asking.ended().await.unwrap();
    assert_eq!((ended.exit, ended.errors.as_str()), (Some(0), ""), "{}", ended.output);

    let lines: Vec<Value> = ended.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &'static str| lines.iter().filter(move |line| line["type"] == kind);
    assert_eq!(lines[0]["type"], "conversation");
    assert_eq!(lines[0]["new"], true);
    assert_eq!(of("sent").count(), 1);
    let told: String = of("text").map(|line| line["delta"].as_str().unwrap()).collect();
    assert_eq!(told, counted(300));
    assert!(of("text").all(|line| line["anew"] == false));
    assert!(of("link").any(|line| line["online"] == true), "{:?}", of("link").collect::<Vec<_>>());
    let end = lines.last().unwrap();
    assert_eq!((&end["type"], &end["exit"]), (&json!("end"), &json!(0)));
    let stored = world.control().messages(lines[0]["id"].as_str().unwrap());
    assert_eq!(text(&end["messages"][0]), text(&stored[1]), "the agent's own word");
    assert_eq!(world.control().requests(Endpoint::Turn), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_in_one_conversation_each_has_its_own_answer() {
    let world = world().await;
    world.control().hold_after(20);
    let first = world.ask(["--conversation", "both", "stream 60"]).unwrap();
    world.control().until_held().await;
    let second = world.ask(["--conversation", "both", "--json", "stream 5"]).unwrap();
    second.until("it is sent", |output| output.contains(r#""type":"sent""#)).await.unwrap();
    // Sent is not yet received.
    let both = async || {
        let stored = world.control().messages("both").len();
        Ok(Look::when((stored == 2).then_some(()), stored))
    };
    wait::until("the agent has both messages", both).await.unwrap();
    world.control().release();
    let (first, second) = (first.ended().await.unwrap(), second.ended().await.unwrap());
    assert_eq!((first.exit, first.output), (Some(0), format!("{}\n", counted(60))));
    let lines: Vec<Value> = second.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: String = lines.iter().filter(|line| line["type"] == "text").map(|line| line["delta"].as_str().unwrap()).collect();
    // The agent stores both messages first, so by their places the first answer would be the second one's, too.
    let stored = world.control().messages("both");
    let roles: Vec<&str> = stored.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "user", "assistant", "assistant"]);
    assert_eq!((second.exit, told), (Some(0), text(&stored[3])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_is_denied_without_a_terminal_unless_it_is_allowed_by_its_name() {
    let world = world().await;
    let ended = ask(&world, &["--conversation", "no", "--allow", "getWeathe", "--allow", "GETWEATHER", "weather in Paris"]).await;
    assert_eq!(ended.exit, Some(3), "{ended:?}");
    assert!(ended.errors.contains("(denied) getWeather: there is no terminal to ask on."), "{}", ended.errors);
    assert!(ended.output.contains("I did not look up the weather in Paris"), "{}", ended.output);
    assert_eq!(states(&world, "no"), ["output-denied"]);

    let ended = ask(&world, &["--conversation", "yes", "--allow", "getWeather", "weather in Paris and Rome"]).await;
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(ended.output.contains("**Rome**"), "{}", ended.output);
    assert_eq!(states(&world, "yes"), ["output-available", "output-available"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_at_the_terminal_sees_every_argument_and_decides() {
    let world = world().await;
    for (name, answer, exit, state) in [("yes", "y\n", 0, "output-available"), ("no", "\n", 0, "output-denied")] {
        let mut asking = on_a_terminal(&world, &["--conversation", name, "weather in Pa\u{1b}[31mris, in fahrenheit"]);
        asking.until("the question", |output| output.contains("Approve? [y/N] ")).await.unwrap();
        asking.write(answer).await.unwrap();
        let ended = asking.ended().await.unwrap();
        assert_eq!(ended.exit, Some(exit), "{ended:?}");
        let question = "House agent at 127.0.0.1:";
        let arguments = "wants to run “getWeather”:\r\n  city: \"Pa[U+001B][31mris\"\r\n  unit: \"fahrenheit\"\r\n! “city” has characters";
        assert!(ended.output.contains(question) && ended.output.contains(arguments), "{}", ended.output);
        assert!(!ended.output.contains('\u{1b}'), "nothing steers the terminal: {:?}", ended.output);
        assert_eq!(states(&world, name), [state]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_before_a_question_is_no_answer_to_it() {
    let world = world().await;
    world.control().hold_after(1);
    let mut asking = on_a_terminal(&world, &["--conversation", "early", "weather in Paris"]);
    world.control().until_held().await;
    asking.write("y\ny").await.unwrap();
    asking.until("it is typed", |output| output.ends_with("y\r\ny")).await.unwrap();
    world.control().release();
    asking.until("the question", |output| output.contains("Approve? [y/N] ")).await.unwrap();
    until_stored(&world, "early", &["approval-requested"]).await;
    asking.write("\n").await.unwrap();
    let ended = asking.ended().await.unwrap();
    assert_eq!((ended.exit, states(&world, "early")), (Some(0), vec!["output-denied".to_owned()]), "{}", ended.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_the_answer_at_the_agent() {
    let world = world().await;
    world.control().hold_after(30);
    let asking = world.ask(["--conversation", "long", "stream 5000"]).unwrap();
    world.control().until_held().await;
    asking.until("it has begun", |output| output.contains("w9 ")).await.unwrap();
    asking.signal("INT").unwrap();
    let ended = asking.ended().await.unwrap();
    assert_eq!((ended.exit, ended.errors.ends_with("Stopped.\n")), (Some(130), true), "{ended:?}");
    // A turn that is cancelled leaves its hold.
    world.control().until(|| world.control().messages("long").len() == 2).await;
    assert!(!text(&world.control().messages("long")[1]).contains("w40"), "it has ended where it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_at_a_question_leaves_it_undecided() {
    let world = world().await;
    let mut asking = on_a_terminal(&world, &["--conversation", "open", "weather in Paris"]);
    asking.until("the question", |output| output.contains("Approve? [y/N] ")).await.unwrap();
    // Ctrl-C, as it is typed.
    asking.write("\u{3}").await.unwrap();
    let ended = asking.ended().await.unwrap();
    assert_eq!(ended.exit, Some(130), "{}", ended.output);
    until_stored(&world, "open", &["approval-requested"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_seen_enough_stops_the_answer_and_is_no_failure() {
    let world = world().await;
    world.control().hold_after(30);
    let mut asking = world.ask(["--conversation", "long", "stream 100000"]).unwrap();
    world.control().until_held().await;
    asking.until("it has begun", |output| output.contains("w9 ")).await.unwrap();
    asking.close_output();
    world.control().release();
    let ended = asking.ended().await.unwrap();
    assert_eq!((ended.exit, ended.errors.as_str()), (Some(0), "(conversation) long\n"));
    world.control().until(|| world.control().messages("long").len() == 2).await;
    assert!(!text(&world.control().messages("long")[1]).contains("w99999"), "it has ended before its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_and_has_an_exit_code_of_its_own() {
    let world = World::new().await.unwrap();
    let ended = ask(&world, &["hello"]).await;
    let sentence = "Sign in to House agent with “callbox login” or in the window, then try again.\n";
    assert_eq!(ended, Ended { exit: Some(77), output: String::new(), errors: sentence.to_owned() });
    let ended = ask(&world, &["--json", "hello"]).await;
    let lines: Vec<Value> = ended.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["code"], &lines[1]["exit"]), (&json!("signed-out"), &json!(77)));

    world.sign_in().await.unwrap();
    world.sandbox.stop_agent().await;
    let ended = ask(&world, &["--conversation", "later", "hello"]).await;
    assert_eq!((ended.exit, ended.output.as_str()), (Some(69), ""));
    assert!(ended.errors.ends_with("Nothing was sent.\n"), "{}", ended.errors);
    world.sandbox.start_agent().await.unwrap();
    world.control().once(Endpoint::Turn, Fault::ModelError { text: "The model\u{1b}[2J is\u{202e} tired.".to_owned(), chunks: 0 });
    let ended = ask(&world, &["hello"]).await;
    assert_eq!(ended.exit, Some(1), "{ended:?}");
    assert!(ended.errors.contains("tired") && !ended.errors.contains(['\u{1b}', '\u{202e}']), "{:?}", ended.errors);
    assert_eq!(ask(&world, &[" "]).await.exit, Some(2));
    assert_eq!(world.control().requests(Endpoint::Turn), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_share_one_session_and_one_list_and_the_window_shows_all_of_it() {
    let world = world().await;
    let asking: Vec<Console> = (0..8).map(|n| world.ask([format!("stream {}", n + 2)]).unwrap()).collect();
    for (n, asking) in asking.into_iter().enumerate() {
        let ended = asking.ended().await.unwrap();
        assert_eq!((ended.exit, ended.output), (Some(0), format!("{}\n", counted(n + 2))), "{}", ended.errors);
    }
    let keys = keychain::entries().unwrap().into_iter().filter(|entry| entry.user == "store-key").count();
    assert_eq!(keys, 1);
    let files: Vec<String> =
        std::fs::read_dir(world.desktop.data()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!files.iter().any(|file| file.contains(".old-")), "no list was given up: {files:?}");

    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    let view = app.window().until("all conversations", |view| view.conversations.len() == 8).await.unwrap();
    assert_eq!(view.notices, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_window_has_on_its_way_stays_the_windows_and_is_sent_once() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 3").await.unwrap();
    let conversation = app.window().look().await.unwrap().conversation.unwrap();
    world.sandbox.stop_agent().await;
    app.window().until("the break is shown", |view| view.connection.as_deref() == Some("offline")).await.unwrap();
    app.window().say("stream 9").await.unwrap();
    app.kill().await.unwrap();

    world.sandbox.start_agent().await.unwrap();
    let ended = ask(&world, &["--conversation", &conversation, "stream 4"]).await;
    assert_eq!((ended.exit, ended.output), (Some(0), format!("{}\n", counted(4))));
    assert_eq!(world.control().messages(&conversation).len(), 4, "only its own message");

    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    let view = app.window().until("everything is answered", |view| view.settled() && view.messages.len() == 6).await.unwrap();
    let said: Vec<&str> = view.messages.iter().filter(|message| message.role == "user").map(|message| message.text.as_str()).collect();
    assert_eq!(said, ["stream 3", "stream 4", "stream 9"]);

    // Beside a window that shows the conversation.
    let ended = ask(&world, &["--conversation", &conversation, "stream 5"]).await;
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    app.window().until("the window shows it, too", |view| view.settled() && view.messages.len() == 8).await.unwrap();
    assert_eq!(world.control().requests(Endpoint::Turn), 4, "each was asked once");
    let ended = ask(&world, &["stream 6"]).await;
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    app.window().until("a new one is in its list", |view| view.conversations.len() == 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_decided_elsewhere_is_taken_back() {
    let world = World::new().await.unwrap();
    let session = world.sign_in().await.unwrap();
    let asking = on_a_terminal(&world, &["--conversation", "both", "weather in Paris"]);
    asking.until("the question", |output| output.contains("Approve? [y/N] ")).await.unwrap();
    let agent = AgentAddress::new(world.sandbox.agent_url()).unwrap();
    let http = callbox_link::http_client(&world.sandbox.agent_url()).unwrap();
    let other = Link::spawn(LinkConfig::new(agent, "both".to_owned(), session, http));
    until_stored(&world, "both", &["approval-requested"]).await;
    other.status().wait_for(|status| status.link == LinkState::Online).await.unwrap();
    let messages = world.control().messages("both");
    let call = messages[1]["parts"].as_array().unwrap().iter().find_map(|part| part["toolCallId"].as_str()).unwrap();
    other.decide(call, false).await.unwrap();
    // Before its input is closed: the end of all input is an answer, too.
    asking.until("it is taken back", |output| output.contains("(No answer is needed any more.)")).await.unwrap();
    let ended = asking.ended().await.unwrap();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(ended.output.contains("I did not look up the weather in Paris"), "to the last word: {}", ended.output);
    assert_eq!(world.control().decisions(call), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_runs_here_runs_and_its_result_is_waited_for() {
    let world = world().await;
    let ended = ask(&world, &["--conversation", "here", "getTimeZone"]).await;
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(ended.errors.contains("(tool) getTimeZone: output-available {\"timeZone\":"), "{}", ended.errors);
    assert_eq!(ended.output.trim_end(), text(&world.control().messages("here")[1]).trim_end(), "to the last word");
    assert!(!ended.output.trim().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosted_agent_on_a_local_workers_runtime_is_asked_to_its_last_word() {
    let needed = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set; `cargo xtask test --only e2e` starts the agent"));
    let (agent, port) = (needed("CALLBOX_AGENT"), needed("CALLBOX_AGENT_TENANT_PORT"));
    let world = World::around(agent.parse().unwrap(), port.parse().unwrap()).await.unwrap();
    world.sign_in().await.unwrap();
    // As the script of the hosted agent has it, which is that of the sandbox's.
    for (arguments, exit, answer) in [
        (&["stream 50"][..], 0, counted(50).trim_end()),
        (&["what time is it"], 0, "UTC"),
        (&["weather in Paris"], 3, "I did not look up the weather in Paris"),
        (&["--allow", "getWeather", "weather in Paris and Rome"], 0, "**Rome**"),
    ] {
        let ended = ask(&world, arguments).await;
        assert!(ended.exit == Some(exit) && ended.output.contains(answer), "{arguments:?}: {ended:?}");
    }
    let mut asking = on_a_terminal(&world, &["weather in Paris"]);
    asking.until("the question", |output| output.contains("Approve? [y/N] ")).await.unwrap();
    asking.write("y\n").await.unwrap();
    let ended = asking.ended().await.unwrap();
    assert!(ended.exit == Some(0) && ended.output.contains("**Paris**"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_its_output_its_log_or_its_arguments() {
    let world = World::new().await.unwrap();
    world.control().overhear();
    world.sign_in().await.unwrap();
    world.control().hold_after(20);
    let mut command = world.asking(["--json", "stream 40"]);
    command.env("CALLBOX_LOG", "trace");
    let asking = Console::start(command).unwrap();
    world.control().until_held().await;
    let secrets = world.control().overheard();
    assert!(secrets.iter().any(|(kind, _)| *kind == "access_token") && secrets.iter().any(|(kind, _)| *kind == "refresh_token"));
    let search = Search::for_secrets(secrets).unwrap();
    assert_eq!(search.arguments(&process::running()), []);
    world.control().release();
    let ended = asking.ended().await.unwrap();
    assert_eq!(ended.exit, Some(0));
    assert!(ended.errors.contains(" TRACE "), "not everything is logged");
    assert_eq!(search.bytes("stdout", ended.output.as_bytes()), []);
    assert_eq!(search.bytes("stderr", ended.errors.as_bytes()), []);
    assert_eq!(search.folder(&world.desktop.data(), &[]).unwrap().0, []);
}

//! Tools that run at the client.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use callbox_link::{ClientTool, Link, LinkConfig};
use callbox_protocol::ToolState;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::world::{Watched, World, patient, soon};

/// A tool that ends when it is let, and counts how often it was run.
struct Counted {
    runs: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Counted {
    fn new() -> Self {
        Self { runs: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }

    fn tool(&self, read_only: bool) -> ClientTool {
        let (runs, gate) = (self.runs.clone(), self.gate.clone());
        ClientTool {
            name: "getSeat".to_owned(),
            description: "Where the user sits".to_owned(),
            parameters: json!({"type": "object", "properties": {}}),
            read_only,
            handler: Arc::new(move |_| {
                runs.fetch_add(1, Ordering::SeqCst);
                let gate = gate.clone();
                Box::pin(async move {
                    gate.acquire().await.map_err(|error| error.to_string())?.forget();
                    Ok(json!({"seat": "12F"}))
                })
            }),
        }
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

async fn window(world: &World, tool: ClientTool) -> Watched {
    let config = LinkConfig { timing: patient(), tools: vec![tool], ..world.config("c1", &world.session) };
    let mut watched = Watched::new(Link::spawn(config)).await;
    watched.until_online().await;
    watched
}

#[tokio::test]
async fn a_tool_of_ours_is_run_once_by_the_window_that_asked_and_the_agent_goes_on_with_its_result() {
    let world = World::new().await;
    let (mine, theirs) = (Counted::new(), Counted::new());
    let mut watched = window(&world, mine.tool(false)).await;
    let mut other = window(&world, theirs.tool(false)).await;
    watched.link.send("use getSeat").await.unwrap();
    watched.until("called", |watched| watched.call_is(&ToolState::InputAvailable)).await;
    other.until("seen", |other| other.call_is(&ToolState::InputAvailable)).await;
    mine.gate.add_permits(1);
    for window in [&mut watched, &mut other] {
        window.until("answered", |window| window.texts().last().is_some_and(|text| text.contains("12F"))).await;
        window.until_idle().await;
    }
    assert_eq!((mine.runs(), theirs.runs(), world.control().decisions(&watched.call().unwrap().0)), (1, 0, 1));
    assert_eq!(watched.messages, world.stored("c1"));
}

#[tokio::test]
async fn a_result_that_came_while_nobody_was_connected_is_told_once() {
    let world = World::new().await;
    let tool = Counted::new();
    let mut watched = window(&world, tool.tool(false)).await;
    watched.link.send("use getSeat").await.unwrap();
    watched.until("called", |watched| watched.call_is(&ToolState::InputAvailable)).await;
    soon("it runs", async {
        while tool.runs() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.control().drop_sockets();
    watched.until_offline().await;
    tool.gate.add_permits(1);
    watched.link.reconnect().await.unwrap();
    watched.until("answered", |watched| watched.texts().last().is_some_and(|text| text.contains("12F"))).await;
    watched.until_idle().await;
    assert_eq!((tool.runs(), watched.messages.len(), world.stored("c1").len()), (1, 2, 2));
}

#[tokio::test]
async fn a_call_whose_window_is_gone_is_run_by_the_next_one_if_it_changes_nothing() {
    let world = World::new().await;
    let tool = Counted::new();
    let mut watched = window(&world, tool.tool(true)).await;
    watched.link.send("use getSeat").await.unwrap();
    watched.until("called", |watched| watched.call_is(&ToolState::InputAvailable)).await;
    watched.link.close().await;
    tool.gate.add_permits(1);
    let timing = callbox_link::Timing { left_alone: std::time::Duration::ZERO, ..patient() };
    let config = LinkConfig { timing, tools: vec![tool.tool(true)], ..world.config("c1", &world.session) };
    let mut next = Watched::new(Link::spawn(config)).await;
    next.until("answered", |next| next.texts().last().is_some_and(|text| text.contains("12F"))).await;
    // One that may change something is left alone.
    let careful = Counted::new();
    let mut last = window(&world, careful.tool(false)).await;
    last.until_idle().await;
    assert_eq!(careful.runs(), 0);
}

#[tokio::test]
async fn a_tool_that_fails_or_does_not_end_is_told_to_the_agent() {
    let world = World::new().await;
    let tool = ClientTool { handler: Arc::new(|_| Box::pin(async { Err("No seats.".to_owned()) })), ..Counted::new().tool(false) };
    let mut watched = window(&world, tool).await;
    watched.link.send("use getSeat").await.unwrap();
    watched.until("told", |watched| watched.texts().last().is_some_and(|text| text.contains("No seats."))).await;
    assert!(watched.call_is(&ToolState::OutputError));
    let config = LinkConfig {
        timing: callbox_link::Timing { tool: std::time::Duration::ZERO, ..patient() },
        tools: vec![Counted::new().tool(false)],
        ..world.config("c2", &world.session)
    };
    let mut watched = Watched::new(Link::spawn(config)).await;
    watched.until_online().await;
    watched.link.send("use getSeat").await.unwrap();
    watched.until("told", |watched| watched.texts().last().is_some_and(|text| text.contains("did not end in time"))).await;
}

//! The whole way, from the first window to an empty keychain.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::env;

use callbox_e2e::{
    Desktop, Launch, Message, Result, app,
    journey::{self, Moment, Witness},
};

/// Remembers which moments there were.
#[derive(Default)]
struct Moments(Vec<Moment>);

impl Witness for Moments {
    fn saw(&mut self, moment: Moment, picture: &[u8], _: &[Message]) -> Result<()> {
        assert!(picture.starts_with(b"\x89PNG"), "{moment:?} has no picture");
        self.0.push(moment);
        Ok(())
    }
}

async fn walk(launch: &Launch) {
    let desktop = Desktop::new().unwrap();
    let mut moments = Moments::default();
    if let Err(error) = journey::walk(&desktop, launch, &mut moments).await {
        panic!("after {:?}: {error}\n\nThe app's last words:\n{}", moments.0, app::tail(&app::log(&desktop), 20));
    }
    assert_eq!(moments.0.last(), Some(&Moment::SignedOut));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_agent_that_is_built_in() {
    walk(&Launch::sandbox()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_hosted_agent_on_a_local_workers_runtime() {
    let needed = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set; `cargo xtask test --only e2e` starts the agent"));
    let (agent, port) = (needed("CALLBOX_AGENT"), needed("CALLBOX_AGENT_TENANT_PORT"));
    walk(&Launch::sandbox_with(Some(port.parse().unwrap()), Some(&agent))).await;
}

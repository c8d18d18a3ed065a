//! The wish of somebody outside that a command ends: Ctrl-C, or the system's signal to terminate.

use std::process;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::INTERRUPTED;

/// Told of each such wish. A second one ends the process on the spot.
#[derive(Debug, Clone)]
pub(super) struct Interrupts(watch::Receiver<bool>);

impl Interrupts {
    /// Listens from now on. Must be called inside a tokio runtime.
    pub(super) fn listen() -> Self {
        let (told, first) = watch::channel(false);
        let mut wishes = Wishes::listen();
        tokio::spawn(async move {
            wishes.next().await;
            if told.send(true).is_ok() {
                wishes.next().await;
                // Whatever holds the program up, a reader that does not read or a tenant that does not answer.
                process::exit(i32::from(INTERRUPTED));
            }
        });
        Self(first)
    }

    /// Returns when there has been a first one.
    pub(super) async fn first(&mut self) {
        if self.0.wait_for(|told| *told).await.is_err() {
            // Nobody listens: no signals can be had from this system.
            std::future::pending().await
        }
    }
}

/// What the system tells a process that somebody wants to end.
#[cfg(unix)]
struct Wishes(Option<(Signal, Signal)>);

#[cfg(unix)]
impl Wishes {
    /// When this returns, no such signal ends the process by itself any more.
    fn listen() -> Self {
        Self(signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok()))
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some((interrupt, terminate)) => tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            },
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
struct Wishes;

#[cfg(not(unix))]
impl Wishes {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

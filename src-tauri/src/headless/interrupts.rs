//! The wish of somebody outside that a command ends: Ctrl-C, or the system's signal to terminate.

use std::process;

use tokio::sync::watch;

use super::INTERRUPTED;

/// Told of each such wish. A second one ends the process on the spot.
#[derive(Debug, Clone)]
pub(super) struct Interrupts(watch::Receiver<bool>);

impl Interrupts {
    /// Listens from now on. Must be called inside a tokio runtime.
    pub(super) fn listen() -> Self {
        let (told, first) = watch::channel(false);
        tokio::spawn(async move {
            wish().await;
            if told.send(true).is_ok() {
                wish().await;
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

#[cfg(unix)]
async fn wish() {
    use tokio::signal::unix::{SignalKind, signal};

    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    match (interrupt, terminate) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        },
        _ => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn wish() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

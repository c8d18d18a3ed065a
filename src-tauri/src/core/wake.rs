//! Notices that the computer has slept, or that the network is another one, and has every link look after its socket at once.

use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant, SystemTime},
};

use futures_util::{Stream, StreamExt as _};
use if_watch::{IfEvent, tokio::IfWatcher};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::Jobs;

/// Between two looks at the clocks: after a sleep, nobody waits for longer than this.
const TICK: Duration = Duration::from_secs(3);
/// How far two clocks may drift apart between two looks, and how late a look may come, before that counts as a sleep. A wall clock that is set
/// forward by more looks like one, and costs a ping.
const SLACK: Duration = Duration::from_secs(6);
/// A network that comes up brings several addresses; they are one piece of news.
const SETTLE: Duration = Duration::from_millis(500);
/// Until the system is asked once more to tell of its networks.
const AGAIN: Duration = Duration::from_secs(60);

/// Watches for as long as the app runs.
pub(super) fn watch(jobs: &Jobs) {
    tokio::spawn(watch_clocks(jobs.clone()));
    tokio::spawn(watch_networks(jobs.clone()));
}

async fn watch_clocks(jobs: Jobs) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut clocks = Clocks { wall: SystemTime::now(), monotonic: Instant::now() };
    loop {
        ticks.tick().await;
        if clocks.slept_until(Clocks { wall: SystemTime::now(), monotonic: Instant::now() }) {
            tracing::info!("the computer has slept");
            jobs.post(|desk| desk.look_after_links()).await;
        }
    }
}

async fn watch_networks(jobs: Jobs) {
    loop {
        match IfWatcher::new() {
            Ok(mut networks) => {
                // First it tells what is there already.
                let _ = timeout(SETTLE * 2, async { while networks.next().await.is_some_and(|event| event.is_ok()) {} }).await;
                while network(&mut networks, SETTLE).await.is_some() {
                    tracing::info!("there is a network");
                    jobs.post(|desk| desk.look_after_links()).await;
                    sleep(TICK).await;
                }
            }
            Err(error) => tracing::info!(%error, "the system does not tell of its networks"),
        }
        tracing::warn!("changes of the network are not noticed at once");
        sleep(AGAIN).await;
    }
}

/// Waits for a network by which an agent may be reached, and for `settle` from then on. `None`: nobody tells of networks any more.
async fn network(events: &mut (impl Stream<Item = io::Result<IfEvent>> + Unpin), settle: Duration) -> Option<()> {
    while !is_way_out(&events.next().await?.ok()?) {}
    let settled = sleep(settle);
    tokio::pin!(settled);
    loop {
        tokio::select! {
            biased;
            // A watcher that has failed says so again and again.
            event = events.next() => drop(event?.ok()?),
            () = &mut settled => return Some(()),
        }
    }
}

/// Whether there is an address now by which an agent may be reached.
fn is_way_out(event: &IfEvent) -> bool {
    let IfEvent::Up(network) = event else { return false };
    match network.addr() {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    }
}

/// What the clocks said at the last look.
struct Clocks {
    wall: SystemTime,
    monotonic: Instant,
}

impl Clocks {
    /// Whether the computer has slept since the last look. On Linux and macOS the monotonic clock stands still meanwhile, so the wall clock
    /// runs ahead of it; on Windows it goes on, and this look comes late.
    fn slept_until(&mut self, now: Self) -> bool {
        let wall = now.wall.duration_since(self.wall).unwrap_or_default();
        let monotonic = now.monotonic.saturating_duration_since(self.monotonic);
        *self = now;
        wall.saturating_sub(monotonic) > SLACK || monotonic > TICK + SLACK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_a_wall_clock_that_runs_ahead_or_a_look_that_comes_late() {
        let seconds = Duration::from_secs;
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        let slept =
            |by: Duration, on: Duration| Clocks { wall, monotonic }.slept_until(Clocks { wall: wall + by, monotonic: monotonic + on });
        assert!(!slept(seconds(3), seconds(3)), "a usual look");
        assert!(!slept(seconds(8), seconds(8)), "a busy computer");
        assert!(slept(seconds(3600), seconds(2)), "the monotonic clock stood still");
        assert!(slept(seconds(3600), seconds(3600)), "it went on");
        let mut clocks = Clocks { wall, monotonic };
        let back = Clocks { wall: wall - seconds(3600), monotonic: monotonic + seconds(3) };
        assert!(!clocks.slept_until(back), "a wall clock that is set back is no sleep");
        assert!(
            !clocks.slept_until(Clocks { wall: wall - seconds(3597), monotonic: monotonic + seconds(6) }),
            "and the next look is as usual"
        );
    }

    #[test]
    fn addresses_that_lead_nowhere_are_no_news() {
        for (network, news) in [
            ("192.0.2.7/24", true),
            ("2001:db8::7/64", true),
            ("127.0.0.1/8", false),
            ("169.254.3.4/16", false),
            ("::1/128", false),
            ("fe80::1/64", false),
        ] {
            let network: if_watch::IpNet = network.parse().unwrap();
            assert_eq!(is_way_out(&IfEvent::Up(network)), news, "{network}");
            assert!(!is_way_out(&IfEvent::Down(network)), "what has gone is noticed by the sockets");
        }
    }

    #[tokio::test]
    async fn the_addresses_of_a_network_are_one_piece_of_news_and_a_watcher_that_fails_is_none() {
        let event = |network: &str, up: bool| {
            let network = network.parse().unwrap();
            Ok(if up { IfEvent::Up(network) } else { IfEvent::Down(network) })
        };
        let events = [event("192.0.2.6/24", false), event("fe80::7/64", true), event("192.0.2.7/24", true), event("2001:db8::7/64", true)];
        let mut events = futures_util::stream::iter(events).chain(futures_util::stream::pending());
        assert_eq!(network(&mut events, Duration::ZERO).await, Some(()));
        assert!(futures_util::FutureExt::now_or_never(events.next()).is_none(), "all of it was taken");

        // As if-watch does when its connection to the system has ended.
        let failing = || futures_util::stream::repeat_with(|| Err(io::Error::other("closed")));
        assert_eq!(network(&mut failing(), Duration::ZERO).await, None);
        let mut events = futures_util::stream::iter([event("192.0.2.7/24", true)]).chain(failing());
        assert_eq!(network(&mut events, Duration::from_secs(3600)).await, None);
    }
}

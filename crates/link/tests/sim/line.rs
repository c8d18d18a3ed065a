//! The bytes of a socket on their way: slow, held up, lost from some byte on, cut inside a frame.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf, duplex, split},
    sync::watch,
    time::{Instant, sleep},
};

use crate::{chance::Chance, weather::Weather};

/// What a line holds, in bytes.
const CAPACITY: usize = 1 << 20;
/// How long the agent may keep a socket of which it has not heard that it is gone.
const LINGERS: u64 = 90_000;
/// For so long a link waits for what it wrote to an earlier socket (`Timing::doubt`).
const DOUBT: Duration = Duration::from_secs(3);

/// One end of a line. What is reset ends with an error (RFC 9293 §3.5.3), not as if it had been closed.
pub(crate) struct End {
    stream: DuplexStream,
    reset: Arc<AtomicBool>,
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let ended = buffer.filled().len() == before && buffer.remaining() > 0;
        Poll::Ready(if ended && self.reset.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) })
    }
}

impl AsyncWrite for End {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The lines of one window, one after the other. What was written to a socket that is gone can arrive when there is another one: at the latest when
/// the link concludes that it never will.
#[derive(Clone, Default)]
pub(crate) struct Lines {
    laid: Arc<AtomicU64>,
    /// What these and the ones before hold up is let go.
    let_go: Arc<watch::Sender<u64>>,
    /// When the newest one could be used.
    since: Arc<Mutex<Option<Instant>>>,
    /// How many changes of the conversation are under way: a list that lacks what a late one has brought would take that away again.
    changes: Arc<AtomicU64>,
}

impl Lines {
    /// A line between a client and the agent, and its two ends.
    pub(crate) fn lay(&self, chance: &Chance, weather: &Weather) -> (End, End) {
        let number = self.laid.fetch_add(1, Ordering::Relaxed) + 1;
        let reset = Arc::new(AtomicBool::new(false));
        let (client, outer) = duplex(CAPACITY);
        let (inner, server) = duplex(CAPACITY);
        let (from_client, to_client) = split(outer);
        let (from_server, to_server) = split(inner);
        let line = |fate| Line {
            number,
            fate,
            reset: reset.clone(),
            chance: chance.clone(),
            weather: weather.clone(),
            let_go: self.let_go.subscribe(),
        };
        let (up, down) = (line(Fate::up(chance, weather)), line(Fate::down(chance, weather)));
        // What a client wrote before it let go of the line still arrives, so each direction ends by itself.
        tokio::spawn(up.carry(from_client, to_server));
        tokio::spawn(down.carry(from_server, to_client));
        (End { stream: client, reset: reset.clone() }, End { stream: server, reset })
    }

    /// The newest line can be used. What the ones before it hold up arrives soon, or when the link will have waited for it long enough.
    pub(crate) fn are_used(&self, chance: &Chance) {
        *self.since.lock().unwrap() = Some(Instant::now());
        if chance.percent(70) || self.changes.load(Ordering::Relaxed) > 0 {
            let (own, within) = (self.clone(), chance.below(DOUBT.as_millis().try_into().unwrap()));
            let before = self.laid.load(Ordering::Relaxed) - 1;
            tokio::spawn(async move {
                sleep(Duration::from_millis(within)).await;
                own.let_go(before);
            });
        }
    }

    /// The agent has been asked for its messages and has read them. If that is the list that the link goes by, what was held up comes right after it.
    pub(crate) fn list_was_read(&self) {
        let in_time = self.since.lock().unwrap().is_some_and(|since| since + DOUBT <= Instant::now());
        if in_time && self.changes.load(Ordering::Relaxed) == 0 {
            self.let_go(self.laid.load(Ordering::Relaxed) - 1);
        }
    }

    /// A change of the conversation begins: nothing is later than a link waits for it.
    pub(crate) fn change_begins(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn change_ends(&self) {
        self.changes.fetch_sub(1, Ordering::Relaxed);
    }

    /// The window has died. To start it again takes longer than anything is held up by then.
    pub(crate) fn are_left(&self) {
        self.let_go(self.laid.load(Ordering::Relaxed));
    }

    fn let_go(&self, up_to: u64) {
        self.let_go.send_modify(|number| *number = up_to.max(*number));
    }
}

/// What becomes of one direction of a line, after so many bytes.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Whole,
    Closed(u64),
    Reset(u64),
    /// Carries nothing any more, and does not say so.
    Silent(u64),
    /// Carries nothing for so long, or until there is another line.
    HeldUp(u64, Duration),
}

impl Fate {
    fn up(chance: &Chance, weather: &Weather) -> Self {
        if weather.strikes(15) {
            return Self::HeldUp(chance.below(4_000), Duration::from_millis(chance.below(60_000)));
        }
        Self::down(chance, weather)
    }

    fn down(chance: &Chance, weather: &Weather) -> Self {
        match () {
            () if weather.strikes(20) => Self::Closed(chance.below(6_000)),
            () if weather.strikes(20) => Self::Reset(chance.below(6_000)),
            () if weather.strikes(12) => Self::Silent(chance.below(6_000)),
            () => Self::Whole,
        }
    }

    fn after(self) -> u64 {
        match self {
            Self::Whole => u64::MAX,
            Self::Closed(bytes) | Self::Reset(bytes) | Self::Silent(bytes) | Self::HeldUp(bytes, _) => bytes,
        }
    }
}

/// One direction.
struct Line {
    number: u64,
    fate: Fate,
    reset: Arc<AtomicBool>,
    chance: Chance,
    weather: Weather,
    let_go: watch::Receiver<u64>,
}

impl Line {
    async fn carry(mut self, mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
        let mut buffer = vec![0; 2_048];
        let mut carried = 0;
        let mut late = false;
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if !late {
                sleep(self.chance.delay(400)).await;
            }
            let mut piece = &buffer[..length];
            let end = if self.weather.is_calm() { u64::MAX } else { self.fate.after().saturating_sub(carried) };
            carried += u64::try_from(length).unwrap();
            let over = u64::try_from(length).unwrap() >= end;
            if over && let Fate::HeldUp(_, by) = self.fate {
                self.hold_up(by).await;
                // What was held up comes at once, then.
                (self.fate, late) = (Fate::Whole, true);
            } else if over {
                piece = &piece[..usize::try_from(end).unwrap()];
            }
            if to.write_all(piece).await.is_err() || to.flush().await.is_err() {
                break;
            }
            match self.fate {
                _ if !over => {}
                Fate::Whole | Fate::HeldUp(..) => {}
                Fate::Closed(_) => break,
                Fate::Reset(_) => {
                    self.reset.store(true, Ordering::Relaxed);
                    break;
                }
                Fate::Silent(_) => {
                    // Until somebody gives up; and that is not heard either.
                    while matches!(from.read(&mut buffer).await, Ok(1..)) {}
                    if !self.weather.is_calm() {
                        sleep(Duration::from_millis(self.chance.below(LINGERS))).await;
                    }
                    break;
                }
            }
        }
        let _ = to.shutdown().await;
    }

    async fn hold_up(&mut self, by: Duration) {
        let number = self.number;
        tokio::select! {
            biased;
            _ = self.let_go.wait_for(|let_go| *let_go >= number) => {}
            () = sleep(by) => {}
        }
    }
}

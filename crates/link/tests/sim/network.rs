//! A network in memory, with the agent at its other end: real frames (RFC 6455) on lines that are slow, fall silent, and break at any byte.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use callbox_identity::AccessToken;
use callbox_link::{LinkError, Network, Wire};
use callbox_protocol::UiMessage;
use callbox_sandbox::{BareAgent, Said, Seat};
use futures_util::{SinkExt, StreamExt, future::BoxFuture};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role},
    },
};
use url::Url;

use crate::{CONVERSATION, chance::Chance, diary::Diary, tokens::Tokens, weather::Weather};

/// What a line holds, in bytes.
const CAPACITY: usize = 1 << 20;

#[derive(Clone)]
pub(crate) struct Ether {
    pub(crate) agent: Arc<BareAgent>,
    pub(crate) tokens: Tokens,
    pub(crate) chance: Chance,
    pub(crate) weather: Weather,
    /// How many sockets were asked for.
    pub(crate) opened: Arc<AtomicU64>,
    pub(crate) diary: Diary,
}

impl Ether {
    /// What goes wrong before the agent has been asked.
    async fn way(&self) -> Result<(), LinkError> {
        sleep(self.chance.delay(3_000)).await;
        if !self.weather.strikes(30) {
            return Ok(());
        }
        Err(match self.chance.below(8) {
            0 => LinkError::Rejected,
            1 => LinkError::RateLimited { retry_in: Some(Duration::from_secs(3)) },
            2 => LinkError::Intercepted { status: 302 },
            3 => LinkError::Unwell { status: 503, retry_in: None },
            4 => {
                sleep(Duration::from_secs(15)).await;
                LinkError::TimedOut
            }
            5 => LinkError::Broken,
            _ => LinkError::Unreachable,
        })
    }
}

impl Network for Ether {
    fn open(&self, url: Url, token: AccessToken) -> BoxFuture<'static, Result<Box<dyn Wire>, LinkError>> {
        let ether = self.clone();
        ether.opened.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            assert!(!url.as_str().contains("token"), "a token in an address: {url}");
            ether.way().await?;
            if !ether.tokens.is_good(&token) {
                return Err(LinkError::Rejected);
            }
            let pk = url.query_pairs().find(|(name, _)| name == "_pk").map(|(_, pk)| pk.into_owned()).unwrap();
            let seat = ether.agent.connect(CONVERSATION, "ada", &pk).unwrap();
            let (client, outer) = duplex(CAPACITY);
            let (inner, server) = duplex(CAPACITY);
            ether.diary.note(|| format!("       [{}] opens", &pk[..4]));
            tokio::spawn(serve(server, seat, ether.tokens.clone(), token, Diary::of(&ether.diary, &pk[..4])));
            tokio::spawn(line(outer, inner, ether.chance.clone(), ether.weather.clone()));
            sleep(ether.chance.delay(500)).await;
            Ok(Box::new(client) as Box<dyn Wire>)
        })
    }

    fn messages(&self, _url: Url, token: AccessToken) -> BoxFuture<'static, Result<Vec<UiMessage>, LinkError>> {
        let ether = self.clone();
        Box::pin(async move {
            ether.way().await?;
            if !ether.tokens.is_good(&token) {
                return Err(LinkError::Rejected);
            }
            let stored = ether.agent.messages(CONVERSATION);
            ether.diary.note(|| format!("       get-messages: {} now", stored.len()));
            // What is read is old by the time it arrives.
            sleep(ether.chance.delay(2_000)).await;
            Ok(stored.into_iter().map(|message| serde_json::from_value(message).unwrap()).collect())
        })
    }
}

/// The agent's end: a token that has ended is noticed at the next message, as the hosted agent does.
async fn serve(stream: DuplexStream, mut seat: Seat, tokens: Tokens, token: AccessToken, diary: Diary) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    loop {
        tokio::select! {
            biased;
            said = seat.next() => match said {
                Said::Frame(text) => {
                    diary.note(|| format!("< {}", short(&text)));
                    if socket.send(Message::text(text)).await.is_err() {
                        return;
                    }
                }
                Said::Close { code, reason } => return close(&mut socket, code, reason).await,
                Said::Drop => return,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(_))) if !tokens.is_good(&token) => return close(&mut socket, 1008, "Unauthorized".to_owned()).await,
                Some(Ok(Message::Text(text))) => {
                    diary.note(|| format!("> {}", short(text.as_str())));
                    seat.receive(text.as_str());
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

async fn close(socket: &mut WebSocketStream<DuplexStream>, code: u16, reason: String) {
    if socket.send(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))).await.is_ok() {
        let goodbye = async { while let Some(Ok(_)) = socket.next().await {} };
        let _ = timeout(Duration::from_secs(2), goodbye).await;
    }
}

fn short(text: &str) -> String {
    text.chars().take(4_000).collect()
}

/// What becomes of a line.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Whole,
    /// Breaks after so many bytes in one direction.
    Breaks(u64),
    /// Carries nothing after so many bytes, and does not say so.
    Silent(u64),
}

/// Carries bytes both ways for as long as the line holds.
async fn line(client: DuplexStream, server: DuplexStream, chance: Chance, weather: Weather) {
    let fate = |chance: &Chance| match () {
        () if weather.strikes(35) => Fate::Breaks(chance.below(6_000)),
        () if weather.strikes(12) => Fate::Silent(chance.below(6_000)),
        () => Fate::Whole,
    };
    let (up, down) = (fate(&chance), fate(&chance));
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    let up = carry(from_client, to_server, up, chance.clone(), weather.clone());
    let down = carry(from_server, to_client, down, chance, weather.clone());
    // What a client wrote before it let go of the line still arrives: that is left to run when the other direction has ended.
    let up = tokio::spawn(up);
    down.await;
    let _ = timeout(Duration::from_secs(5), up).await;
}

async fn carry(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>, fate: Fate, chance: Chance, weather: Weather) {
    let mut buffer = vec![0; 2_048];
    let mut carried = 0;
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        sleep(chance.delay(400)).await;
        let mut piece = &buffer[..length];
        let end = match fate {
            Fate::Breaks(at) | Fate::Silent(at) if !weather.is_calm() => at.saturating_sub(carried),
            _ => u64::MAX,
        };
        carried += u64::try_from(length).unwrap();
        let broken = u64::try_from(length).unwrap() >= end;
        if broken {
            piece = &piece[..usize::try_from(end).unwrap()];
        }
        if to.write_all(piece).await.is_err() || to.flush().await.is_err() {
            break;
        }
        if broken && matches!(fate, Fate::Silent(_)) {
            // Until somebody gives up.
            while matches!(from.read(&mut buffer).await, Ok(1..)) {}
            break;
        }
        if broken {
            break;
        }
    }
    let _ = to.shutdown().await;
}

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
use tokio::time::{sleep, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role},
    },
};
use url::Url;

use crate::{
    CONVERSATION,
    chance::Chance,
    diary::Diary,
    line::{End, Lines},
    tokens::Tokens,
    weather::Weather,
};

/// What the agent may send twice: chunks have numbers, the others name what they are about. It never does that with a list or a clear.
const DOUBLED: [&str; 5] = [
    "cf_agent_use_chat_response",
    "cf_agent_stream_resuming",
    "cf_agent_stream_pending",
    "cf_agent_stream_resume_none",
    "cf_agent_message_updated",
];

/// The network of one window.
#[derive(Clone)]
pub(crate) struct Ether {
    pub(crate) agent: Arc<BareAgent>,
    pub(crate) tokens: Tokens,
    pub(crate) chance: Chance,
    pub(crate) weather: Weather,
    /// How many sockets were asked for.
    pub(crate) opened: Arc<AtomicU64>,
    pub(crate) lines: Lines,
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

    /// What goes wrong on the way back.
    async fn way_back(&self, most: u64) -> Result<(), LinkError> {
        sleep(self.chance.delay(most)).await;
        if self.weather.strikes(4) { Err(LinkError::Broken) } else { Ok(()) }
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
            let (client, server) = ether.lines.lay(&ether.chance, &ether.weather);
            Diary::of(&ether.diary, &pk[..4]).note("opens", "");
            let doubles = Doubles { chance: ether.chance.clone(), weather: ether.weather.clone() };
            tokio::spawn(serve(server, seat, ether.tokens.clone(), token, doubles, Diary::of(&ether.diary, &pk[..4])));
            ether.way_back(500).await?;
            ether.lines.are_used(&ether.chance);
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
            ether.diary.note("       get-messages: ", &stored.len().to_string());
            ether.lines.list_was_read();
            // What is read is old by the time it arrives.
            ether.way_back(2_000).await?;
            Ok(stored.into_iter().map(|message| serde_json::from_value(message).unwrap()).collect())
        })
    }
}

/// Frames that the agent sends twice.
struct Doubles {
    chance: Chance,
    weather: Weather,
}

impl Doubles {
    fn times(&self, text: &str) -> usize {
        let doubles = self.weather.strikes(2) && DOUBLED.iter().any(|kind| text.contains(kind)) && self.chance.percent(50);
        1 + usize::from(doubles)
    }
}

/// The agent's end: a token that has ended is noticed at the next message, as the hosted agent does.
async fn serve(stream: End, mut seat: Seat, tokens: Tokens, token: AccessToken, doubles: Doubles, diary: Diary) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    loop {
        tokio::select! {
            biased;
            said = seat.next() => match said {
                Said::Frame(text) => {
                    for _ in 0..doubles.times(&text) {
                        diary.note("< ", &text);
                        if socket.send(Message::text(text.clone())).await.is_err() {
                            return;
                        }
                    }
                }
                Said::Close { code, reason } => return close(&mut socket, code, reason).await,
                Said::Drop => return,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(_))) if !tokens.is_good(&token) => return close(&mut socket, 1008, "Unauthorized".to_owned()).await,
                Some(Ok(Message::Text(text))) => {
                    diary.note("> ", text.as_str());
                    seat.receive(text.as_str());
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

async fn close(socket: &mut WebSocketStream<End>, code: u16, reason: String) {
    if socket.send(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))).await.is_ok() {
        let goodbye = async { while let Some(Ok(_)) = socket.next().await {} };
        let _ = timeout(Duration::from_secs(2), goodbye).await;
    }
}

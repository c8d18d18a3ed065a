//! The WebSocket: an HTTP request with the token in its header that becomes a socket (RFC 6455), and a task that writes to it.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use callbox_identity::{AccessToken, Entropy, Obstacle, Presentation};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::Upgraded;
use rustls::ClientConfig;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};
use url::Url;

use super::{
    Wire,
    answer::{again, failure, read_refusal},
    client::builder,
    tls::tls_config,
};
use crate::LinkError;

/// The largest message from an agent, in bytes. The protocol has no limit of its own in this direction.
const MAX_RECEIVED: usize = 64 << 20;

/// How many messages may wait to be written. A person does not type so fast: if they pile up, the line is dead.
const MAX_WAITING: usize = 64;

/// What came from a socket.
#[derive(Debug)]
pub(crate) enum SocketEvent {
    /// A text message.
    Text(String),
    /// A sign of life: ping, pong, or a binary message, which this protocol does not use.
    Alive,
    /// The agent closed it; 1005 if it gave no code (RFC 6455 §7.1.5).
    Closed { code: u16, reason: String },
    /// It ended without a close frame, or with something that is no WebSocket.
    Broken,
}

/// An open socket. Dropping it cuts the connection.
pub(crate) struct Socket {
    incoming: SplitStream<WebSocketStream<Box<dyn Wire>>>,
    outgoing: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
}

/// How to get to an agent.
#[derive(Clone)]
pub(crate) struct Road {
    /// The agent is on this computer: no proxy is asked.
    pub(crate) local: bool,
    /// `None`: the usual one.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// For the handshake, all in all.
    pub(crate) patience: Duration,
}

impl Road {
    /// An HTTP client that can become a socket: HTTP/1.1 (no other version can be upgraded), no redirects.
    fn client(self) -> Result<reqwest::Client, LinkError> {
        let tls = match self.tls {
            Some(tls) => tls,
            None => tls_config().map_err(|_| Obstacle::Insecure)?,
        };
        let builder = builder(&tls, self.local).http1_only().tcp_nodelay(true);
        builder.build().map_err(|_| Obstacle::Insecure.into())
    }
}

/// Makes an HTTP request that becomes a socket, with this token.
///
/// # Errors
/// See [`LinkError`].
pub(super) async fn open(url: Url, token: AccessToken, road: Road) -> Result<Upgraded, LinkError> {
    let (entropy, patience) = (road.entropy.clone(), road.patience);
    // The system's certificates are read from the disk, the first time.
    let client = tokio::task::spawn_blocking(move || road.client()).await.map_err(|_| LinkError::Broken)??;
    timeout(patience, handshake(&client, url, token, &*entropy)).await.map_err(|_| LinkError::TimedOut)?
}

async fn handshake(client: &reqwest::Client, url: Url, token: AccessToken, entropy: &dyn Entropy) -> Result<Upgraded, LinkError> {
    let mut presentation = Presentation::new(token, Method::GET, url.clone());
    let (response, key) = loop {
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce);
        let key = STANDARD.encode(nonce);
        let request = client
            .get(url.clone())
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key)
            .headers(presentation.fields());
        let response = request.send().await.map_err(|error| failure(&error))?;
        if !again(&mut presentation, &response)? {
            break (response, key);
        }
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(read_refusal(response).await);
    }
    check(response.headers(), &key).map_err(LinkError::NotAnAgent)?;
    response.upgrade().await.map_err(|error| failure(&error))
}

/// What RFC 6455 §4.1 asks of the answer to a handshake that offered neither sub-protocol nor extension.
fn check(headers: &HeaderMap, key: &str) -> Result<(), &'static str> {
    let has = |name: header::HeaderName, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    if !has(header::UPGRADE, "websocket") || !has(header::CONNECTION, "upgrade") {
        return Err("it switches to another protocol");
    }
    if headers.get(header::SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| accept.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err("its handshake belongs to another socket");
    }
    if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) || headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err("it uses what was not offered");
    }
    Ok(())
}

/// Writes what is queued. Ends with the socket, or after a close frame.
async fn write(mut sink: SplitSink<WebSocketStream<Box<dyn Wire>>, Message>, mut queue: mpsc::Receiver<Message>) {
    while let Some(message) = queue.recv().await {
        let last = message.is_close();
        if sink.send(message).await.is_err() || last {
            return;
        }
    }
}

impl Socket {
    /// The client's end of a socket on `wire`, right after the handshake.
    pub(crate) async fn new(wire: Box<dyn Wire>) -> Self {
        let config = WebSocketConfig::default().max_message_size(Some(MAX_RECEIVED)).max_frame_size(Some(MAX_RECEIVED));
        let stream = WebSocketStream::from_raw_socket(wire, Role::Client, Some(config)).await;
        let (sink, incoming) = stream.split();
        let (outgoing, queue) = mpsc::channel(MAX_WAITING);
        Self { incoming, outgoing, writer: tokio::spawn(write(sink, queue)) }
    }

    /// The next thing that came. After [`SocketEvent::Closed`] or [`SocketEvent::Broken`] there is nothing more. Safe to cancel.
    pub(crate) async fn next(&mut self) -> SocketEvent {
        match self.incoming.next().await {
            Some(Ok(Message::Text(text))) => SocketEvent::Text(text.as_str().to_owned()),
            Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                SocketEvent::Closed { code: code.into(), reason: reason.as_str().to_owned() }
            }
            Some(Ok(Message::Close(None))) => SocketEvent::Closed { code: 1005, reason: String::new() },
            Some(Ok(_)) => SocketEvent::Alive,
            // A message beyond the limit: named as the peer would name it (RFC 6455 §7.4.1).
            Some(Err(Error::Capacity(_))) => SocketEvent::Closed { code: 1009, reason: "A message was larger than 64 MiB".to_owned() },
            Some(Err(_)) | None => SocketEvent::Broken,
        }
    }

    /// Queues a text message. False: so much is waiting already that the line must be dead.
    pub(crate) fn send(&self, text: String) -> bool {
        self.outgoing.try_send(Message::text(text)).is_ok()
    }

    /// Queues a ping.
    pub(crate) fn ping(&self) -> bool {
        self.outgoing.try_send(Message::Ping(Vec::new().into())).is_ok()
    }

    /// Sends what is queued and a close frame, then cuts the connection; after `patience` in any case.
    pub(crate) async fn close(mut self, patience: Duration) {
        let goodbye = CloseFrame { code: 1000.into(), reason: "".into() };
        if self.outgoing.try_send(Message::Close(Some(goodbye))).is_ok() {
            let _ = timeout(patience, &mut self.writer).await;
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The example of RFC 6455 §1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn answer(change: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let usual =
            [("upgrade", "WebSocket"), ("connection", "keep-alive, Upgrade"), ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")];
        for (name, value) in usual.iter().chain(change) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_handshake_is_believed_only_if_it_is_the_answer_to_ours() {
        assert_eq!(check(&answer(&[]), KEY), Ok(()));
        for wrong in [
            ("upgrade", "h2c"),
            ("connection", "close"),
            ("sec-websocket-accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("sec-websocket-protocol", "chat"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ] {
            assert!(check(&answer(&[wrong]), KEY).is_err(), "{wrong:?}");
        }
    }
}

//! What lies between the clients and the agent: it writes down every frame, and it can cut a socket.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::{
    Router,
    body::Body,
    extract::{
        FromRequestParts as _, Request, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message as Wire, protocol::CloseFrame as WireClose},
};
use tokio_util::sync::CancellationToken;

type Upstream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Whose socket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Theirs,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    passed: watch::Receiver<()>,
}

struct Inner {
    agent: Mutex<u16>,
    started: Instant,
    room: String,
    recording: Mutex<Recording>,
    swallows: Mutex<Option<(Side, String)>>,
    ours_out: AtomicBool,
    passed: watch::Sender<()>,
    http: reqwest::Client,
}

#[derive(Default)]
struct Recording {
    lines: Vec<String>,
    sockets: u64,
    open: Vec<(Side, u64, CancellationToken)>,
    /// The sockets that our client has had.
    ours: Vec<u64>,
}

impl Proxy {
    /// In front of an agent at this port, for one conversation.
    pub(crate) async fn start(agent: u16, room: &str, http: reqwest::Client) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (room, recording, (tell, passed)) = (room.to_owned(), Mutex::default(), watch::channel(()));
        let (agent, swallows, ours_out) = (Mutex::new(agent), Mutex::default(), AtomicBool::new(false));
        let inner = Arc::new(Inner { agent, started: Instant::now(), room, recording, swallows, ours_out, passed: tell, http });
        let router = Router::new().fallback(carry).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner, passed }
    }

    /// The agent came back at another port.
    pub(crate) fn moved(&self, agent: u16) {
        *self.inner.agent.lock().unwrap() = agent;
    }

    /// Cuts all sockets of one side, without a goodbye.
    pub(crate) fn cut(&self, side: Side) {
        let recording = self.inner.recording.lock().unwrap();
        recording.open.iter().filter(|(of, ..)| *of == side).for_each(|(.., token)| token.cancel());
    }

    /// Writes down what the agent says the conversation is, and gives the recording up to this. Nothing if it is longer than this already: what
    /// the agent said may be older than the last frame.
    pub(crate) fn note(&self, messages: &[Value], lines: usize) -> Option<Vec<String>> {
        let mut recording = self.inner.recording.lock().unwrap();
        if recording.lines.len() > lines {
            return None;
        }
        let line = json!({"dir": "meta", "text": "GET get-messages", "room": self.inner.room, "messages": messages});
        write(&mut recording, self.inner.started, line);
        Some(recording.lines.clone())
    }

    /// Everything that has passed until now is known.
    pub(crate) fn seen(&mut self) {
        self.passed.mark_unchanged();
    }

    /// Returns when anything has passed since then.
    pub(crate) async fn passed(&mut self) {
        self.passed.changed().await.unwrap();
    }

    /// How many sockets there have been.
    pub(crate) fn sockets(&self) -> u64 {
        self.inner.recording.lock().unwrap().sockets
    }

    /// How many of them were our client's.
    pub(crate) fn opened_by_ours(&self) -> usize {
        self.inner.recording.lock().unwrap().ours.len()
    }

    /// The sockets that are open at these sides.
    pub(crate) fn clients(&self, sides: &[Side]) -> Vec<u64> {
        let recording = self.inner.recording.lock().unwrap();
        recording.open.iter().filter(|(side, ..)| sides.contains(side)).map(|(_, conn, _)| *conn).collect()
    }

    /// The frames of this type that our client was sent.
    pub(crate) fn heard_by_ours(&self, kind: &str) -> Vec<Value> {
        let recording = self.inner.recording.lock().unwrap();
        let heard = |line: &String| {
            let line: Value = serde_json::from_str(line).unwrap();
            let ours = line["conn"].as_u64().is_some_and(|conn| recording.ours.contains(&conn));
            (ours && line["dir"] == "in" && line["type"] == kind).then(|| serde_json::from_str(line["raw"].as_str().unwrap()).unwrap())
        };
        recording.lines.iter().filter_map(heard).collect()
    }

    /// The next frame of this side with this in it does not reach the agent, and its socket ends there.
    pub(crate) fn swallow(&self, side: Side, what: &str) {
        *self.inner.swallows.lock().unwrap() = Some((side, what.to_owned()));
    }

    /// Whether our client is kept out: it has no socket then, and gets none.
    pub(crate) fn keep_ours_out(&self, out: bool) {
        self.inner.ours_out.store(out, Ordering::SeqCst);
        if out {
            self.cut(Side::Ours);
        }
    }

    /// How many frames with this in them a client has sent.
    pub(crate) fn sent_by(&self, side: Side, what: &str) -> usize {
        let recording = self.inner.recording.lock().unwrap();
        let sent = |line: &String| {
            let line: Value = serde_json::from_str(line).unwrap();
            let by = |conn: u64| if recording.ours.contains(&conn) { Side::Ours } else { Side::Theirs };
            line["conn"].as_u64().map(by) == Some(side)
                && line["dir"] == "out"
                && line["raw"].as_str().is_some_and(|raw| raw.contains(what))
        };
        recording.lines.iter().filter(|line| sent(line)).count()
    }

    /// How long the recording is.
    pub(crate) fn lines(&self) -> usize {
        self.inner.recording.lock().unwrap().lines.len()
    }

    /// The recording so far.
    pub(crate) fn recording(&self) -> Vec<String> {
        self.inner.recording.lock().unwrap().lines.clone()
    }
}

impl Inner {
    fn write(&self, line: Value) {
        write(&mut self.recording.lock().unwrap(), self.started, line);
        self.passed.send_replace(());
    }

    /// Writes down the list that a client was told.
    fn told(&self, side: Side, messages: &[u8]) {
        let conn = self.recording.lock().unwrap().open.iter().rfind(|(of, ..)| *of == side).map(|(_, conn, _)| *conn);
        if let (Some(conn), Ok(messages)) = (conn, serde_json::from_slice::<Vec<Value>>(messages)) {
            self.write(json!({"dir": "meta", "text": "GET get-messages", "conn": conn, "room": self.room, "messages": messages}));
        }
    }

    fn open(&self, side: Side) -> (u64, CancellationToken) {
        let mut recording = self.recording.lock().unwrap();
        recording.sockets += 1;
        let (conn, token) = (recording.sockets, CancellationToken::new());
        recording.open.push((side, conn, token.clone()));
        if side == Side::Ours {
            recording.ours.push(conn);
        }
        write(&mut recording, self.started, json!({"dir": "meta", "text": "socket open", "conn": conn, "room": self.room}));
        self.passed.send_replace(());
        (conn, token)
    }

    fn closed(&self, conn: u64) {
        let mut recording = self.recording.lock().unwrap();
        recording.open.retain(|(_, other, _)| *other != conn);
        write(&mut recording, self.started, json!({"dir": "meta", "text": "socket closed", "conn": conn, "room": self.room}));
        self.passed.send_replace(());
    }

    fn swallows(&self, side: Side, text: &str) -> bool {
        self.swallows.lock().unwrap().take_if(|(of, what)| *of == side && text.contains(what.as_str())).is_some()
    }

    fn frame(&self, conn: u64, direction: &str, raw: &str) {
        let parsed: Value = serde_json::from_str(raw).unwrap_or_default();
        self.write(json!({"conn": conn, "dir": direction, "type": parsed["type"], "raw": raw}));
    }
}

fn write(recording: &mut Recording, started: Instant, line: Value) {
    let mut timed = serde_json::Map::from_iter([("t".to_owned(), json!(started.elapsed().as_millis()))]);
    if let Value::Object(line) = line {
        timed.extend(line);
    }
    recording.lines.push(Value::Object(timed).to_string());
}

async fn carry(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let port = *inner.agent.lock().unwrap();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    // Only our client has a token.
    let side = if request.headers().contains_key(header::AUTHORIZATION) { Side::Ours } else { Side::Theirs };
    if side == Side::Ours && inner.ours_out.load(Ordering::SeqCst) {
        return gone();
    }
    if !request.headers().contains_key(header::UPGRADE) {
        let Ok(answer) = inner.http.get(format!("http://127.0.0.1:{port}{path}")).send().await else { return gone() };
        let status = answer.status();
        let Ok(body) = answer.bytes().await else { return gone() };
        if path.contains("/get-messages") {
            inner.told(side, &body);
        }
        return (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response();
    }
    let mut parts = request.into_parts().0;
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else { return gone() };
    let Ok((agent, _)) = connect_async(format!("ws://127.0.0.1:{port}{path}")).await else { return gone() };
    upgrade.on_upgrade(move |client| pump(inner, side, client, agent))
}

fn gone() -> Response {
    StatusCode::BAD_GATEWAY.into_response()
}

async fn pump(inner: Arc<Inner>, side: Side, mut client: WebSocket, mut agent: Upstream) {
    let (conn, cut) = inner.open(side);
    loop {
        tokio::select! {
            () = cut.cancelled() => break,
            message = client.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    inner.frame(conn, "out", &text);
                    if inner.swallows(side, &text) {
                        break;
                    }
                    if agent.send(Wire::text(text.as_str())).await.is_err() {
                        break;
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.map(|CloseFrame { code, reason }| WireClose { code: code.into(), reason: reason.as_str().into() });
                    let _ = agent.close(frame).await;
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
            message = agent.next() => match message {
                Some(Ok(Wire::Text(text))) => {
                    inner.frame(conn, "in", &text);
                    if client.send(Message::text(text.as_str())).await.is_err() {
                        break;
                    }
                }
                Some(Ok(Wire::Close(frame))) => {
                    let frame = frame.map(|WireClose { code, reason }| CloseFrame { code: code.into(), reason: reason.as_str().into() });
                    let _ = client.send(Message::Close(frame)).await;
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    // Written down before either end can notice.
    inner.closed(conn);
}

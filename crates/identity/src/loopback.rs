//! The second way back from the browser: a listener on this computer (RFC 8252 §7.3), for one attempt, until that is over.
//!
//! Everybody on this computer can knock, and pages in the browser can make it knock. So only a plain navigation to exactly the callback's
//! address counts: GET, the right `Host` (a name that resolves to 127.0.0.1 is not it), nothing prefetched, nothing sent by a script. All
//! else gets a status and changes nothing; what does count is a link like any other, and may still be forged.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use callbox_vault::Secret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

use crate::CallbackOutcome;

const PATH: &str = "/callback";
/// A browser sends its request at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request: the longest link, and what browsers say about themselves.
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;
/// How many may knock without saying anything. One more, and the first of them is sent away.
const MAX_SILENT: usize = 32;

/// A listener that nobody knows of yet.
pub(crate) struct Loopback {
    listener: TcpListener,
    port: u16,
}

impl Loopback {
    /// Listens on any free port of 127.0.0.1. The literal and not `localhost`, which can be somebody else's (RFC 8252 §8.3).
    ///
    /// # Errors
    /// The system's.
    pub(crate) async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Where the tenant has to send the browser.
    pub(crate) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Hands every link to `take` and shows in the browser what became of it; until the sender of `over` is gone. What `take` gives beside the
    /// outcome is held until the browser has its answer.
    pub(crate) async fn serve<T, F, G>(self, mut over: oneshot::Receiver<()>, take: T)
    where
        T: Fn(Secret<String>) -> F + Send + Sync + 'static,
        F: Future<Output = (CallbackOutcome, G)> + Send + 'static,
        G: Send + 'static,
    {
        let take = Arc::new(take);
        let mut silent: VecDeque<oneshot::Sender<()>> = VecDeque::new();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    // Out of file descriptors, or a connection that was gone at once: the next one may work.
                    Err(_) => { tokio::time::sleep(Duration::from_millis(100)).await; continue }
                },
                _ = &mut over => return,
            };
            silent.retain(|connection| !connection.is_closed());
            if silent.len() >= MAX_SILENT {
                silent.pop_front();
            }
            let (keep, sent_away) = oneshot::channel();
            silent.push_back(keep);
            tokio::spawn(converse(stream, self.port, sent_away, take.clone()));
        }
    }
}

/// One connection: a request, an answer, the end.
async fn converse<T, F, G>(mut stream: TcpStream, port: u16, mut sent_away: oneshot::Receiver<()>, take: Arc<T>)
where
    T: Fn(Secret<String>) -> F,
    F: Future<Output = (CallbackOutcome, G)>,
{
    let request = tokio::select! {
        request = timeout(PATIENCE, read(&mut stream, port)) => request,
        _ = &mut sent_away => return,
    };
    drop(sent_away);
    let (answer, _held) = match request {
        Ok(Ok(Request::Link { link, japanese })) => {
            let (outcome, held) = take(link).await;
            let page = match outcome {
                CallbackOutcome::Completed | CallbackOutcome::Connected(_) => Page::Done,
                CallbackOutcome::Failed(_) | CallbackOutcome::NotConnected(_) => Page::Failed,
                CallbackOutcome::Ignored(_) => Page::Stray,
            };
            (page.answer(japanese), Some(held))
        }
        Ok(Ok(Request::Refused(status))) => (bare(status), None),
        // Nobody is there who wants an answer.
        Ok(Err(_)) | Err(_) => return,
    };
    // A browser that has gone meanwhile misses a page.
    let _ = timeout(PATIENCE, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

/// What a request is.
#[derive(Debug)]
enum Request {
    /// A navigation to the callback. `link` is its whole address.
    Link { link: Secret<String>, japanese: bool },
    /// Anything else, and the status that it gets.
    Refused(&'static str),
}

async fn read(stream: &mut TcpStream, port: u16) -> io::Result<Request> {
    // One buffer of the final size: growing would leave copies of the code behind.
    let mut head = Secret::new(vec![0; MAX_HEAD]);
    let mut len = 0;
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(room) = head.expose_mut().get_mut(len..len + read) else {
            return Ok(Request::Refused("431 Request Header Fields Too Large"));
        };
        room.copy_from_slice(&chunk[..read]);
        len += read;
        if let Some(request) = judge(&head.expose()[..len], port) {
            return Ok(request);
        }
    }
}

/// What these bytes ask for; `None` if the head of the request is not complete. Any bytes at all may be passed.
fn judge(bytes: &[u8], port: u16) -> Option<Request> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(Request::Refused("400 Bad Request")),
    }
    Some(match sort(&request, port) {
        Ok(link) => {
            let japanese = header(&request, "accept-language").next().is_some_and(|languages| languages.starts_with(b"ja"));
            Request::Link { link, japanese }
        }
        Err(status) => Request::Refused(status),
    })
}

fn header<'a>(request: &'a httparse::Request<'_, '_>, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    request.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

fn sort(request: &httparse::Request<'_, '_>, port: u16) -> Result<Secret<String>, &'static str> {
    let host = format!("127.0.0.1:{port}");
    // Exactly one (RFC 9112 §3.2). Another name is a page that had its own name rebound to this address.
    let hosts: Vec<_> = header(request, "host").collect();
    if hosts != [host.as_bytes()] {
        return Err("421 Misdirected Request");
    }
    if request.method != Some("GET") {
        return Err("405 Method Not Allowed");
    }
    let target = request.path.unwrap_or_default();
    if target.split('?').next() != Some(PATH) {
        return Err("404 Not Found");
    }
    // A navigation has no origin; what has one is a script's. What is fetched ahead may never be looked at.
    let by_script = header(request, "origin").next().is_some();
    let ahead = ["sec-purpose", "purpose"].iter().any(|name| header(request, name).any(|purpose| purpose.starts_with(b"prefetch")));
    if by_script || ahead {
        return Err("403 Forbidden");
    }
    Ok(Secret::new(format!("http://{host}{target}")))
}

/// What the browser shows at the end. Nothing of the request is in it.
#[derive(Debug, Clone, Copy)]
enum Page {
    Done,
    Failed,
    Stray,
}

impl Page {
    fn answer(self, japanese: bool) -> String {
        let (status, text) = match (self, japanese) {
            (Self::Done, false) => ("200 OK", "You are signed in. You can close this page and go back to Callbox."),
            (Self::Done, true) => ("200 OK", "サインインしました。このページを閉じて Callbox に戻ってください。"),
            (Self::Failed, false) => ("200 OK", "The sign-in did not succeed. Callbox says why. You can close this page."),
            (Self::Failed, true) => {
                ("200 OK", "サインインできませんでした。理由は Callbox に表示されています。このページを閉じてください。")
            }
            (Self::Stray, false) => ("404 Not Found", "Callbox does not wait for this sign-in any more. You can close this page."),
            (Self::Stray, true) => ("404 Not Found", "Callbox はこのサインインをもう待っていません。このページを閉じてください。"),
        };
        let language = if japanese { "ja" } else { "en" };
        let body = format!(
            "<!doctype html><html lang=\"{language}\"><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>Callbox</title><p>{text}</p></html>\n"
        );
        respond(status, "text/html; charset=utf-8", &body)
    }
}

fn bare(status: &str) -> String {
    respond(status, "text/plain", "")
}

fn respond(status: &str, kind: &str, body: &str) -> String {
    let allow = if status.starts_with("405") { "Allow: GET\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(head: &str) -> Option<Result<String, &'static str>> {
        Some(match judge(head.as_bytes(), 4711)? {
            Request::Link { link, .. } => Ok(link.expose().clone()),
            Request::Refused(status) => Err(&status[..3]),
        })
    }

    fn get(target: &str, headers: &str) -> Option<Result<String, &'static str>> {
        verdict(&format!("GET {target} HTTP/1.1\r\n{headers}\r\n"))
    }

    const HOST: &str = "Host: 127.0.0.1:4711\r\n";

    #[test]
    fn a_navigation_to_the_callback_is_a_link() {
        let link = get("/callback?code=c&state=s", &format!("{HOST}Sec-Fetch-Mode: navigate\r\n"));
        assert_eq!(link, Some(Ok("http://127.0.0.1:4711/callback?code=c&state=s".to_owned())));
    }

    #[test]
    fn anything_else_is_refused() {
        for (target, headers, status) in [
            ("/callback?code=c", String::new(), "421"),
            ("/callback?code=c", "Host: evil.example:4711\r\n".to_owned(), "421"),
            ("/callback?code=c", "Host: localhost:4711\r\n".to_owned(), "421"),
            ("/callback?code=c", "Host: 127.0.0.1\r\n".to_owned(), "421"),
            ("/callback?code=c", "Host: 127.0.0.1:4712\r\n".to_owned(), "421"),
            ("/callback?code=c", format!("{HOST}{HOST}"), "421"),
            ("/callback?code=c", format!("{HOST}Origin: https://evil.example\r\n"), "403"),
            ("/callback?code=c", format!("{HOST}Origin: null\r\n"), "403"),
            ("/callback?code=c", format!("{HOST}Sec-Purpose: prefetch;prerender\r\n"), "403"),
            ("/callback?code=c", format!("{HOST}Purpose: prefetch\r\n"), "403"),
            ("/favicon.ico", HOST.to_owned(), "404"),
            ("/", HOST.to_owned(), "404"),
            ("/callback/", HOST.to_owned(), "404"),
            ("//callback", HOST.to_owned(), "404"),
            ("/Callback", HOST.to_owned(), "404"),
            ("http://127.0.0.1:4711/callback", HOST.to_owned(), "404"),
            ("*", HOST.to_owned(), "404"),
        ] {
            assert_eq!(get(target, &headers), Some(Err(status)), "{target} {headers:?}");
        }
        for method in ["POST", "HEAD", "OPTIONS", "get"] {
            assert_eq!(verdict(&format!("{method} /callback HTTP/1.1\r\n{HOST}\r\n")), Some(Err("405")), "{method}");
        }
        for nonsense in ["\0\0\0\0", "GET /callback\r\n\r\n", "GET /call\0back HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}"] {
            assert_eq!(verdict(nonsense), Some(Err("400")), "{nonsense:?}");
        }
        assert_eq!(get("/callback", &"X: y\r\n".repeat(MAX_HEADERS + 1)), Some(Err("400")));
    }

    #[test]
    fn a_head_that_is_cut_off_anywhere_is_waited_for() {
        let whole = format!("GET /callback?code=c HTTP/1.1\r\n{HOST}\r\n");
        for end in 0..whole.len() {
            assert_eq!(verdict(&whole[..end]), None, "{end}");
        }
        assert!(verdict(&whole).is_some());
    }
}

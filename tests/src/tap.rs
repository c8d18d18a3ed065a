//! A tap on the line between the app and its tenant: a proxy that passes everything on and remembers it, so that a test knows the secrets
//! that it must not find anywhere else.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::{Url, form_urlencoded};

use crate::{Result, error::While as _};

/// What is secret in a token request (RFC 6749 §4.1.3 and §6, RFC 7636 §4.5) and in its answer (§5.1).
const SENT: [&str; 3] = ["code", "code_verifier", "refresh_token"];
const RECEIVED: [&str; 3] = ["access_token", "refresh_token", "id_token"];

type Sides = Arc<Mutex<Vec<[Vec<u8>; 2]>>>;

/// A proxy on loopback for plain HTTP. It listens until it is dropped.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    heard: Sides,
    task: JoinHandle<()>,
}

impl Tap {
    /// Begins to listen.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn new() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.doing("the tap")?;
        let address = listener.local_addr().doing("the tap")?;
        let heard = Sides::default();
        let kept = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever hangs up has said enough.
                tokio::spawn(pass(stream, Arc::clone(&kept)));
            }
        });
        Ok(Self { address, heard, task })
    }

    /// What `http_proxy` has to be.
    #[must_use]
    pub fn proxy(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every secret that went over the line so far, with its name in the protocol.
    #[must_use]
    pub fn secrets(&self) -> Vec<(&'static str, String)> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for [asked, answered] in heard.iter() {
            for body in bodies(asked) {
                let form: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
                found.extend(SENT.iter().filter_map(|name| Some((*name, form.get(*name)?.clone()))));
            }
            for answer in bodies(answered).filter_map(|body| serde_json::from_slice::<Value>(body).ok()) {
                found.extend(RECEIVED.iter().filter_map(|name| Some((*name, answer[*name].as_str()?.to_owned()))));
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects to the host of the first request and passes everything on; a proxy's client keeps a connection for one host.
async fn pass(mut client: TcpStream, heard: Sides) -> std::io::Result<()> {
    let mut head = vec![0; 16 * 1024];
    let length = client.read(&mut head).await?;
    head.truncate(length);
    let first = String::from_utf8_lossy(&head).split(' ').nth(1).and_then(|target| Url::parse(target).ok());
    let Some(address) = first.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?))) else { return Ok(()) };
    let mut server = TcpStream::connect(address).await?;
    server.write_all(&head).await?;
    let index = {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push([head, Vec::new()]);
        heard.len() - 1
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    tokio::try_join!(carry(&mut from_client, &mut to_server, &heard, index, 0), carry(&mut from_server, &mut to_client, &heard, index, 1))?;
    Ok(())
}

async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    heard: &Sides,
    connection: usize,
    side: usize,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        heard.lock().unwrap_or_else(PoisonError::into_inner)[connection][side].extend_from_slice(&buffer[..length]);
        to.write_all(&buffer[..length]).await?;
    }
}

/// The bodies of the messages on one side of a connection, by their lengths (RFC 9112 §6.2).
fn bodies(mut said: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = said.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&said[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0usize);
        let body = &said[end..said.len().min(end + length)];
        said = &said[end + body.len()..];
        Some(body)
    })
}

#[cfg(test)]
mod tests {
    use super::bodies;

    #[test]
    fn bodies_are_told_apart_by_their_lengths() {
        let said = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nx=yGET /b HTTP/1.1\r\nhost: c\r\n\r\nPOST /d HTTP/1.1\r\ncontent-length: 2\r\n\r\nzz";
        assert_eq!(bodies(said).collect::<Vec<_>>(), [&b"x=y"[..], b"", b"zz"]);
    }
}

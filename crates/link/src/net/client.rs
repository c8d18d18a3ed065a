//! The HTTP client, one recipe for everything that goes out: whom it trusts, and through which proxy it goes.

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;
use url::Url;

use super::tls::tls_config;
use crate::address::is_loopback;

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(15);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// See [`tls_config`].
    #[error("TLS could not be set up ({0}).")]
    Tls(#[source] rustls::Error),
    /// The proxy settings are not usable.
    #[error("HTTP could not be set up ({0}).")]
    Http(#[source] reqwest::Error),
}

/// The client for requests to `target`, and to whatever else is on the same side of the proxy. It follows no redirects, so that no token
/// follows one to somewhere else; it trusts whom the socket trusts ([`tls_config`]); and it goes through the proxy that the socket goes
/// through: `https_proxy`, `all_proxy` and `no_proxy`, or the system's settings on macOS and Windows. What is on this computer is reached
/// without one.
///
/// # Errors
/// See [`ClientError`].
pub fn http_client(target: &Url) -> Result<reqwest::Client, ClientError> {
    let tls = tls_config().map_err(ClientError::Tls)?;
    builder(&tls, is_loopback(target)).connect_timeout(CONNECT).build().map_err(ClientError::Http)
}

/// What all clients have in common.
pub(super) fn builder(tls: &Arc<ClientConfig>, local: bool) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("Callbox/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured((**tls).clone())
        .redirect(reqwest::redirect::Policy::none())
        // What is kept open while the computer sleeps looks alive afterwards, and a request on it would wait in vain. Requests are rare.
        .pool_max_idle_per_host(0);
    if local { builder.no_proxy() } else { builder }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    #[tokio::test]
    async fn each_request_has_a_connection_of_its_own_so_that_none_is_dead_after_a_sleep() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let client = http_client(&url).unwrap();
        let mut open = Vec::new();
        for request in 0..2 {
            let answer = tokio::spawn(client.get(url.clone()).send());
            let (mut stream, _) = timeout(CONNECT, listener.accept()).await.expect("a connection").unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            assert_eq!(answer.await.unwrap().unwrap().status(), 200, "request {request}");
            open.push(stream);
        }
    }
}

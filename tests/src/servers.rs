//! Servers in the way of a connection: one with a certificate that nobody knows, and a company's proxy that does not let everything through.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{Error, Result, error::While as _};

/// Listens with a certificate for 127.0.0.1 that it has issued itself; the port comes back. Nobody gets further than that.
///
/// # Errors
/// When there is no port.
pub async fn self_signed() -> Result<u16> {
    let bad = |error: &dyn std::fmt::Display| Error::unexpected(format!("no certificate: {error}"));
    let key = KeyPair::generate().map_err(|error| bad(&error))?;
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).map_err(|error| bad(&error))?;
    let certificate = params.self_signed(&key).map_err(|error| bad(&error))?;
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&error))?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .map_err(|error| bad(&error))?;
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.doing("a port")?;
    let port = listener.local_addr().doing("a port")?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            // A client that does not trust the certificate ends here.
            tokio::spawn(async move { acceptor.accept(stream).await });
        }
    });
    Ok(port)
}

/// A proxy that answers every request with one status.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn refusing(status: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.doing("a port")?;
        let port = listener.local_addr().doing("a port")?.port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(refuse(stream, status, seen.clone()));
            }
        });
        Ok(Self { port, requests })
    }

    /// The first lines of the requests that it has had.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn refuse(mut stream: TcpStream, status: u16, seen: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(head.lines().next().unwrap_or_default().to_owned());
    let answer = format!("HTTP/1.1 {status} No\r\nproxy-authenticate: Basic realm=\"work\"\r\ncontent-length: 0\r\n\r\n");
    // Whoever has gone does not want to know.
    let _ = stream.write_all(answer.as_bytes()).await;
}

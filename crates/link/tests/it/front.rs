//! A company: its certificate authority, and a server with TLS in front of the sandbox's agent.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

static NAMES: AtomicU32 = AtomicU32::new(1);

/// The first and the last year of a certificate that is good now, and for longer than anybody will run this.
pub(crate) const GOOD: (i32, i32) = (2020, 2120);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Each has a name of its own, as in the field.
        params.distinguished_name.push(DnType::CommonName, format!("Authority {}", NAMES.fetch_add(1, Ordering::Relaxed)));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// As a system keeps it in a file.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A client's configuration that trusts this authority and nobody else.
    pub(crate) fn trusting(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let client = client.with_safe_default_protocol_versions().unwrap();
        Arc::new(client.with_root_certificates(roots).with_no_client_auth())
    }

    /// A front for `name` that takes TLS off and hands everything on to `agent`; its port.
    pub(crate) async fn front(&self, name: &str, (first, last): (i32, i32), agent: SocketAddr) -> u16 {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(first, 1, 1), date_time_ymd(last, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        // As a front in the field does: a client that took the first offer could not have a socket.
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let name = name.to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, name) = (acceptor.clone(), name.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate ends here.
                    let Ok(outside) = acceptor.accept(stream).await else { return };
                    let Ok(inside) = TcpStream::connect(agent).await else { return };
                    let _ = hand_on(outside, inside, &name, agent).await;
                });
            }
        });
        port
    }
}

/// Copies both ways. The sandbox answers to its own name alone, so that is what each request gets.
async fn hand_on(outside: TlsStream<TcpStream>, inside: TcpStream, name: &str, agent: SocketAddr) -> io::Result<()> {
    let ((mut from, mut to), (mut answers, mut requests)) = (tokio::io::split(outside), inside.into_split());
    let back = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to).await });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            back.abort();
            return Ok(());
        }
        match std::str::from_utf8(&buffer[..len]) {
            Ok(text) if text.starts_with("GET /") => {
                let text = text.replacen(&format!("\r\nhost: {name}"), &format!("\r\nhost: {}\r\nx-host: ", agent.ip()), 1);
                requests.write_all(text.as_bytes()).await?;
            }
            _ => requests.write_all(&buffer[..len]).await?,
        }
    }
}

//! The network: how requests are made and what their answers mean. Everything that decides what to do about it is in `machine`.

mod answer;
mod client;
mod history;
mod route;
mod socket;
mod tls;

use std::time::Duration;

use callbox_identity::AccessToken;
use callbox_protocol::UiMessage;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

pub(crate) use self::socket::{Road, Socket, SocketEvent};
pub use self::{
    client::{ClientError, http_client},
    route::proxy_of,
    tls::{Authorities, authorities, tls_config},
};
use crate::LinkError;

/// The bytes of a socket after its handshake.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// How a link gets to its agent. The app uses the network of the computer; a simulation brings its own.
pub trait Network: Send + Sync {
    /// Makes the request that becomes a socket (RFC 6455 §4.1), with this token.
    fn open(&self, url: Url, token: AccessToken) -> BoxFuture<'static, Result<Box<dyn Wire>, LinkError>>;

    /// Fetches all messages of a conversation, oldest first, with this token.
    fn messages(&self, url: Url, token: AccessToken) -> BoxFuture<'static, Result<Vec<UiMessage>, LinkError>>;
}

/// The network of this computer.
pub(crate) struct Internet {
    pub(crate) http: reqwest::Client,
    pub(crate) road: Road,
    /// For the beginning of an answer with messages, and for each further piece of it.
    pub(crate) patience: Duration,
}

impl Network for Internet {
    fn open(&self, url: Url, token: AccessToken) -> BoxFuture<'static, Result<Box<dyn Wire>, LinkError>> {
        let road = self.road.clone();
        Box::pin(async move { Ok(Box::new(socket::open(url, token, road).await?) as Box<dyn Wire>) })
    }

    fn messages(&self, url: Url, token: AccessToken) -> BoxFuture<'static, Result<Vec<UiMessage>, LinkError>> {
        Box::pin(history::fetch(self.http.clone(), url, token, self.patience))
    }
}

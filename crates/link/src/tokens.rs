//! Where a link gets its tokens.

use callbox_identity::{AccessToken, Service, Session, SessionState, TokenError};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

/// Who is signed in, and tokens for it: a session, a machine, or what a simulation has in their place.
pub trait TokenSource: Send + Sync {
    /// See [`Session::state`].
    fn state(&self) -> watch::Receiver<SessionState>;

    /// See [`Session::access_token`], and [`Session::access_token_after_rejection`] if there is a rejected one.
    fn access_token(&self, rejected: Option<AccessToken>) -> BoxFuture<'static, Result<AccessToken, TokenError>>;
}

impl TokenSource for Session {
    fn state(&self) -> watch::Receiver<SessionState> {
        self.state()
    }

    fn access_token(&self, rejected: Option<AccessToken>) -> BoxFuture<'static, Result<AccessToken, TokenError>> {
        let session = self.clone();
        Box::pin(async move {
            match rejected {
                Some(rejected) => session.access_token_after_rejection(&rejected).await,
                None => session.access_token().await,
            }
        })
    }
}

impl TokenSource for Service {
    fn state(&self) -> watch::Receiver<SessionState> {
        self.state()
    }

    fn access_token(&self, rejected: Option<AccessToken>) -> BoxFuture<'static, Result<AccessToken, TokenError>> {
        let service = self.clone();
        Box::pin(async move {
            match rejected {
                Some(rejected) => service.access_token_after_rejection(&rejected).await,
                None => service.access_token().await,
            }
        })
    }
}

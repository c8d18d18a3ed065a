//! Tokens for a machine that speaks for itself (RFC 6749 §4.4): for automated use, with a client that somebody has made for it.
//!
//! One actor asks the tenant, one request at a time: however many want a token, the tenant is asked once. With a [`TokenShelf`] that holds for all
//! processes of this user, and a token is used as long as it is good; without, nothing is kept but in memory.

mod quota;
mod shelf;

use std::sync::Arc;

use callbox_vault::{Secret, VaultError};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

pub use self::{
    quota::Quota,
    shelf::{TokenShelf, client_secret_key},
};
use crate::{
    AccessToken, Account, Clock, Dpop, Entropy, Issuer, SessionState, Storage, TokenError, Trouble,
    discovery::Metadata,
    dpop::{self, Binding, ProofKey, Prover, Servers, Unfit},
    fetch::Form,
    find,
    record::Spare,
    refresh::{Held, Pause},
    token::{self, Refusal},
};

/// A confidential client. The secret is the user's own: from the keychain or the environment, never from a command line.
#[derive(Clone)]
pub struct ServiceConfig {
    pub issuer: Issuer,
    pub client_id: String,
    pub client_secret: Secret<String>,
    /// Auth0's name for the agent's API.
    pub audience: Option<String>,
    /// What the tokens are for, at tenants that go by RFC 8707.
    pub resource: Option<String>,
    /// Auth0's name for the organization that the machine acts in.
    pub organization: Option<String>,
    pub scopes: Vec<String>,
    /// Whether the tokens are bound to a key of this computer (RFC 9449): see [`Profile::service_dpop`](crate::Profile::service_dpop). `Auto`: if the
    /// tenant offers it.
    pub dpop: Dpop,
    /// `None`: every process asks for a token of its own.
    pub shelf: Option<TokenShelf>,
    /// Must not follow redirects, so that no secret follows one.
    pub http: reqwest::Client,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// The handle on a machine's tokens. Clones are the same machine; it ends when the last one is dropped.
#[derive(Clone)]
pub struct Service {
    wishes: mpsc::Sender<Wish>,
    state: watch::Receiver<SessionState>,
    quota: watch::Receiver<Option<Quota>>,
}

struct Wish {
    /// The fingerprint of a token that an agent has refused.
    rejected: Option<u64>,
    reply: oneshot::Sender<Result<AccessToken, TokenError>>,
}

impl Service {
    /// Starts the actor; the tenant is not asked before somebody wants a token. Must be called inside a tokio runtime.
    #[must_use]
    pub fn spawn(config: ServiceConfig) -> Self {
        let (wishes, inbox) = mpsc::channel(256);
        let (iss, client) = (config.issuer.as_str().to_owned(), config.client_id.clone());
        let account = Account { iss, sub: client.clone(), name: client, email: None, picture: None };
        let (publish, state) = watch::channel(SessionState::SignedIn { account, storage: Storage::SessionOnly(VaultError::NotUsed) });
        let (told, quota) = watch::channel(None);
        tokio::spawn(async move {
            let machine = Machine {
                config,
                told,
                metadata: None,
                servers: Arc::default(),
                prover: None,
                held: None,
                refused: None,
                pause: Pause::default(),
            };
            machine.run(inbox).await;
            drop(publish);
        });
        Self { wishes, state, quota }
    }

    /// Always signed in, as the client itself; nothing is kept after it.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<SessionState> {
        self.state.clone()
    }

    /// What the tenant has said last of how many tokens it gives.
    #[must_use]
    pub fn quota(&self) -> Option<Quota> {
        self.quota.borrow().clone()
    }

    /// As [`crate::Session::access_token`].
    ///
    /// # Errors
    /// See [`TokenError`]; a client or secret that the tenant does not take is [`TokenError::Configuration`].
    pub async fn access_token(&self) -> Result<AccessToken, TokenError> {
        self.ask(None).await
    }

    /// As [`crate::Session::access_token_after_rejection`].
    ///
    /// # Errors
    /// As [`Service::access_token`].
    pub async fn access_token_after_rejection(&self, rejected: &AccessToken) -> Result<AccessToken, TokenError> {
        self.ask(Some(rejected.fingerprint())).await
    }

    async fn ask(&self, rejected: Option<u64>) -> Result<AccessToken, TokenError> {
        let (reply, answer) = oneshot::channel();
        self.wishes.send(Wish { rejected, reply }).await.map_err(|_| TokenError::Closed)?;
        answer.await.unwrap_or(Err(TokenError::Closed))
    }
}

struct Machine {
    config: ServiceConfig,
    told: watch::Sender<Option<Quota>>,
    metadata: Option<Metadata>,
    /// For proofs.
    servers: Arc<Servers>,
    /// Who has the key of its tokens; made for the first of them.
    prover: Option<Arc<Prover>>,
    held: Option<Held>,
    /// Of a token that an agent has refused: nobody gets it again.
    refused: Option<u64>,
    pause: Pause,
}

impl Machine {
    /// One wish after the other: who had to wait finds what the first one was given.
    async fn run(mut self, mut inbox: mpsc::Receiver<Wish>) {
        while let Some(Wish { rejected, reply }) = inbox.recv().await {
            // Nobody waits for it any more.
            if reply.is_closed() {
                continue;
            }
            self.refused = rejected.or(self.refused);
            let answer = self.token().await;
            if let Err(error) = &answer {
                tracing::info!(code = error.code(), "no access token for the machine");
            }
            let _ = reply.send(answer);
        }
    }

    async fn token(&mut self) -> Result<AccessToken, TokenError> {
        let (now, wall) = (Instant::now(), self.config.clock.now());
        let usable = |held: &&Held| held.is_fresh(now, wall) && self.refused != Some(held.token.fingerprint());
        if let Some(held) = self.held.as_ref().filter(usable) {
            return Ok(held.token.clone());
        }
        if let Some(trouble) = self.pause.holds(now) {
            return Err(trouble.into());
        }
        let answer = match self.config.shelf.clone() {
            Some(shelf) => self.share(&shelf).await,
            None => self.fetch().await,
        };
        match &answer {
            Ok(_) => self.pause.succeeded(),
            Err(TokenError::Transient(trouble)) => self.pause.failed(trouble, Instant::now()),
            Err(_) => {}
        }
        answer
    }

    /// One process after the other: who had to wait finds what the first one was given.
    async fn share(&mut self, shelf: &TokenShelf) -> Result<AccessToken, TokenError> {
        let key = self.key();
        let Some(_alone) = shelf.alone(&key).await else { return Err(Trouble::Elsewhere.into()) };
        if let Some(spare) = shelf.get(&key, &self.config.client_secret).await
            && let Some(prover) = self.prover_of(shelf, &key, &spare).await
            && let Some(held) = Held::found(spare.access, spare.lifetime, spare.since, Instant::now(), self.config.clock.now())
            && self.refused != Some(held.token.fingerprint())
        {
            return Ok(self.held.insert(held.bound(prover)).token.clone());
        }
        let token = self.fetch().await?;
        if let Some(held) = &self.held {
            // The key first: a token without its key is worth nothing.
            if let Some(prover) = held.token.prover() {
                shelf.put_key(&key, prover.key()).await;
            }
            shelf.put(&key, &Spare::of(held, &self.config.client_secret)).await;
        }
        Ok(token)
    }

    /// Who has the key that a token from the shelf is bound to: `Some(None)` if it is bound to none. `None`: it is not to be used.
    async fn prover_of(&mut self, shelf: &TokenShelf, key: &str, spare: &Spare) -> Option<Option<Arc<Prover>>> {
        match (&spare.thumbprint, self.config.dpop) {
            (None, Dpop::Required) | (Some(_), Dpop::Off) => None,
            (None, _) => Some(None),
            (Some(thumbprint), _) => {
                let known = self.prover.clone().filter(|prover| prover.key().thumbprint() == thumbprint);
                let prover = match known {
                    Some(prover) => prover,
                    None => self.prover(shelf.key(key, thumbprint).await?),
                };
                self.prover = Some(prover.clone());
                Some(Some(prover))
            }
        }
    }

    fn prover(&self, key: ProofKey) -> Arc<Prover> {
        Arc::new(Prover::new(key, self.servers.clone(), self.config.clock.clone(), self.config.entropy.clone()))
    }

    /// What the next token is to be bound to.
    fn bind(&mut self) -> Result<Option<Binding>, TokenError> {
        let offered = self.metadata.as_ref().is_some_and(|metadata| metadata.binds);
        match self.config.dpop {
            Dpop::Off => return Ok(None),
            Dpop::Auto if !offered => return Ok(None),
            Dpop::Required if !offered => return Err(TokenError::CannotBind),
            Dpop::Auto | Dpop::Required => {}
        }
        let prover = match self.prover.clone() {
            Some(prover) => prover,
            None => self.prover(ProofKey::generate().map_err(|_| Trouble::Crashed)?),
        };
        self.prover = Some(prover.clone());
        Ok(Some(Binding { prover, access: self.config.dpop == Dpop::Required }))
    }

    fn key(&self) -> String {
        let ServiceConfig { issuer, client_id, audience, resource, organization, scopes, .. } = &self.config;
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let (audience, resource, organization, scopes) = (text(audience), text(resource), text(organization), scopes.join(" "));
        shelf::token_key(&[issuer.as_str(), client_id, &audience, &resource, &organization, &scopes])
    }

    async fn fetch(&mut self) -> Result<AccessToken, TokenError> {
        let endpoint = match &self.metadata {
            Some(metadata) => metadata.token.clone(),
            None => {
                let ServiceConfig { issuer, http, clock, .. } = &self.config;
                let metadata = find::discover(http, &**clock, issuer).await?.1;
                self.servers.is_ahead(metadata.ahead);
                self.metadata.insert(metadata).token.clone()
            }
        };
        let binding = self.bind()?;
        let ServiceConfig { client_id, client_secret, audience, resource, organization, scopes, http, clock, .. } = &self.config;
        let scope = Some(scopes.join(" ")).filter(|scope| !scope.is_empty());
        let form = || {
            Form::new(&[
                ("grant_type", Some("client_credentials")),
                ("client_id", Some(client_id)),
                ("client_secret", Some(client_secret.expose())),
                ("audience", audience.as_deref()),
                ("resource", resource.as_deref()),
                ("organization", organization.as_deref()),
                ("scope", scope.as_deref()),
            ])
        };
        let (since, since_wall) = (Instant::now(), clock.now());
        let reply = dpop::post(http, binding.as_ref().map(|binding| &*binding.prover), &endpoint, form).await?;
        if let Some(quota) = Quota::read(&reply.headers) {
            self.told.send_replace(Some(quota));
        }
        let tokens = token::read(&reply, clock.now()).map_err(|refusal| match refusal {
            // There is no grant that could have ended.
            Refusal::InvalidGrant => TokenError::Malformed("it speaks of a grant that was not presented"),
            other => other.into(),
        })?;
        let grant = tokens.rest.grant().map_err(TokenError::Malformed)?;
        let prover = dpop::fits(binding.as_ref(), grant.kind).map_err(|unfit| match unfit {
            Unfit::Unbound => TokenError::CannotBind,
            unfit => TokenError::Malformed(unfit.what()),
        })?;
        let held = Held::new(grant.access, grant.lifetime, since, since_wall).bound(prover);
        Ok(self.held.insert(held).token.clone())
    }
}

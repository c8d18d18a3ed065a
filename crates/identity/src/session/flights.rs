//! The I/O of a session: what goes out and what comes back. Nothing is decided or remembered here but the tenant's keys.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use callbox_vault::Secret;
use tokio::time::Instant;

use super::{my_account::Purpose, owed::Revocation};
use crate::{
    Account, Clock, DiscoveryError, Entropy, IdTokenError, Profile, SignInError, Trouble,
    attempts::Attempt,
    connected,
    discovery::Metadata,
    dpop::{self, Binding, ProofKey, Prover, Servers, Unfit},
    fetch::{Form, Reply, Request, fetch},
    find,
    id_token::{Expected, IdToken, LEEWAY},
    jwks::{KeySet, RefetchLimit},
    lock::Lock,
    refresh::Held,
    token::{self, Grant, Refusal},
};

/// For how long the tenant's keys are believed: a key that it has withdrawn is forgotten by then.
const KEYS_AGE: Duration = Duration::from_secs(600);

/// What every flight needs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Wings {
    pub(super) http: reqwest::Client,
    pub(super) profile: Arc<Profile>,
    pub(super) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    keys: Arc<Mutex<Keys>>,
    /// For proofs.
    servers: Arc<Servers>,
    /// By how many seconds the tenant's clock was ahead of this computer's when it said so last; [`UNHEARD`] before. Nobody else's counts: an agent could
    /// end a session by it.
    ahead: Arc<AtomicI64>,
}

#[derive(Default)]
struct Keys {
    set: Option<(Arc<KeySet>, Instant)>,
    limit: RefetchLimit,
}

/// A sign-in that has succeeded.
pub(super) struct Proof {
    pub(super) account: Account,
    pub(super) refresh: Option<Secret<String>>,
    /// The number of the refresh token: one more than the last that was kept.
    pub(super) generation: u64,
    /// Keeps other processes from storing a refreshed token over this sign-in, until it is stored itself.
    pub(super) lock: Option<Arc<Lock>>,
    pub(super) held: Held,
    pub(super) binding: Option<Binding>,
    pub(super) granted: Vec<String>,
    /// See [`super::actor::Live::ends`].
    pub(super) ends: Option<u64>,
    /// See [`Record::browser`](crate::record::Record::browser).
    pub(super) browser: Option<String>,
    /// See [`super::actor::Live::left`].
    pub(super) left: u64,
    pub(super) metadata: Arc<Metadata>,
}

/// What an ID token says.
struct Believed {
    account: Account,
    ends: Option<u64>,
    browser: Option<String>,
}

/// The tenant has not said yet what time it is.
const UNHEARD: i64 = i64::MIN;

impl Wings {
    pub(super) fn new(http: reqwest::Client, profile: Profile, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let (keys, servers, ahead) = (Arc::default(), Arc::default(), Arc::new(AtomicI64::new(UNHEARD)));
        Self { http, profile: Arc::new(profile), clock, entropy, keys, servers, ahead }
    }

    /// The tenant's metadata, from the tenant.
    pub(super) async fn discover(&self) -> Result<Arc<Metadata>, DiscoveryError> {
        let (_, metadata) = find::discover(&self.http, &*self.clock, &self.profile.issuer).await?;
        self.servers.is_ahead(metadata.ahead);
        self.is_ahead(metadata.ahead);
        Ok(Arc::new(metadata))
    }

    /// The tenant has answered, and perhaps said what time it is.
    fn is_ahead(&self, seconds: Option<i64>) {
        match seconds {
            Some(seconds) => self.ahead.store(seconds, Ordering::Relaxed),
            // One that never says so is taken to have the same time.
            None => drop(self.ahead.compare_exchange(UNHEARD, 0, Ordering::Relaxed, Ordering::Relaxed)),
        }
    }

    /// The time by the tenant's clock: what the tenant says of the end of a session is meant by that. `None` until it has answered since the start:
    /// this computer's own clock may be wrong, and ends nothing.
    pub(super) fn tenants_time(&self) -> Option<SystemTime> {
        let ahead = Some(self.ahead.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNHEARD)?;
        let (here, by) = (self.clock.now(), Duration::from_secs(ahead.unsigned_abs()));
        let there = if ahead < 0 { here.checked_sub(by) } else { here.checked_add(by) };
        Some(there.unwrap_or(here))
    }

    /// A request to the tenant that needs no proof; its answer may have a nonce for those that do.
    async fn fetch(&self, request: Request) -> Result<Reply, Trouble> {
        let url = request.url().clone();
        let reply = fetch(&self.http, request).await?;
        self.servers.heard(&url, &reply.headers, self.clock.now());
        Ok(reply)
    }

    /// Makes proofs with this key.
    pub(super) fn prover(&self, key: ProofKey) -> Arc<Prover> {
        Arc::new(Prover::new(key, self.servers.clone(), self.clock.clone(), self.entropy.clone()))
    }

    /// What a sign-in at this tenant is bound to: a new key, or none.
    ///
    /// # Errors
    /// [`SignInError::Unbound`] if it has to be bound and cannot.
    pub(super) fn bind(&self, metadata: &Metadata) -> Result<Option<Binding>, SignInError> {
        if !self.profile.binds(metadata)? {
            return Ok(None);
        }
        let key = ProofKey::generate().map_err(|_| SignInError::Trouble(Trouble::Crashed))?;
        Ok(Some(Binding { prover: self.prover(key), access: self.profile.needs_bound_tokens() }))
    }

    /// Presents a refresh token (RFC 6749 §6), once, with a proof if it is bound. A tenant that asks for its nonce has not taken it yet.
    pub(super) async fn refresh(
        &self,
        metadata: &Metadata,
        token: &Secret<String>,
        purpose: Purpose,
        prover: Option<&Prover>,
    ) -> Result<Reply, Trouble> {
        let Profile { client_id, audience, resource, .. } = &*self.profile;
        let tenants_own = (purpose == Purpose::MyAccount).then(|| connected::audience(&self.profile.issuer));
        let form = || {
            Form::new(&[
                ("grant_type", Some("refresh_token")),
                ("client_id", Some(client_id)),
                ("refresh_token", Some(token.expose())),
                // Whoever names a resource names one in every request (RFC 8707 §2); of another API, that one's.
                ("resource", resource.as_deref().map(|resource| tenants_own.as_deref().unwrap_or(resource))),
                // A tenant that knows both goes by the audience, and must not take the resource for another one.
                ("audience", tenants_own.as_deref().or(audience.as_deref().filter(|_| resource.is_some()))),
                ("scope", tenants_own.as_ref().map(|_| connected::SCOPES)),
            ])
        };
        let reply = dpop::post(&self.http, prover, &metadata.token, form).await?;
        self.is_ahead(dpop::ahead(&reply.headers, self.clock.now()));
        Ok(reply)
    }

    /// Makes a refresh token worthless (RFC 7009 §2).
    pub(super) async fn revoke(&self, metadata: &Metadata, token: &Secret<String>) -> Revocation {
        let Some(endpoint) = &metadata.revocation else { return Revocation::Refused };
        for _ in 0..2 {
            let form = Form::new(&[
                ("client_id", Some(&self.profile.client_id)),
                ("token", Some(token.expose())),
                ("token_type_hint", Some("refresh_token")),
            ]);
            match self.fetch(Request::Post(endpoint.clone(), form)).await {
                // A network's sign-in page has status 200 too.
                Ok(reply) if reply.status == 200 && (reply.is_blank() || reply.begins_as_json()) => return Revocation::Done,
                Ok(reply) if reply.status != 200 && reply.trouble(self.clock.now()).is_none() => return Revocation::Refused,
                Ok(reply) => {
                    tracing::info!(status = reply.status, "a refresh token could not be revoked");
                    return Revocation::Unheard;
                }
                Err(trouble) => tracing::info!(code = trouble.code(), "a refresh token could not be revoked"),
            }
        }
        Revocation::Unheard
    }

    /// Turns a code into a session (RFC 6749 §4.1.3, RFC 7636 §4.5), at the endpoints that were recorded with the attempt.
    pub(super) async fn exchange(&self, attempt: &Attempt, code: &Secret<String>) -> Result<Proof, SignInError> {
        let (since, since_wall) = (Instant::now(), self.clock.now());
        let reply = self.present_code(attempt, code).await?;
        self.is_ahead(dpop::ahead(&reply.headers, self.clock.now()));
        let tokens = token::read(&reply, self.clock.now()).map_err(|refusal| match refusal {
            Refusal::Trouble(trouble) => SignInError::Trouble(trouble),
            Refusal::InvalidGrant => SignInError::CodeRejected,
            Refusal::Interaction(error) => SignInError::Interaction(error),
            Refusal::Proof(error) => SignInError::ProofRefused(error),
            Refusal::Configuration(error) => SignInError::Configuration(error),
        })?;
        let believed = match tokens.rest.grant().map_err(SignInError::Malformed) {
            Ok(grant) => match dpop::fits(attempt.binding.as_ref(), grant.kind) {
                Ok(prover) => self.believe(attempt, &grant, &reply).await.map(|account| (account, grant, prover)),
                Err(unfit) => Err(unfit.into()),
            },
            Err(error) => Err(error),
        };
        match believed {
            Ok((Believed { account, ends, browser }, grant, prover)) => {
                let granted = grant.scopes.unwrap_or_else(|| attempt.wish.scopes.clone());
                let binding = attempt.binding.clone().map(|binding| Binding { access: prover.is_some(), ..binding });
                let held = Held::new(grant.access, grant.lifetime, since, since_wall).bound(prover);
                let metadata = attempt.metadata.clone();
                let refresh = tokens.refresh;
                Ok(Proof { account, refresh, generation: 1, lock: None, held, binding, granted, ends, browser, left: 0, metadata })
            }
            Err(error) => {
                // A session that nobody believes should not live on at the tenant.
                if let Some(token) = &tokens.refresh {
                    self.revoke(&attempt.metadata, token).await;
                }
                Err(error)
            }
        }
    }

    /// A code is good once, so a lost reply is as bad as a refusal: trying once more can only help.
    async fn present_code(&self, attempt: &Attempt, code: &Secret<String>) -> Result<Reply, Trouble> {
        let form = || {
            Form::new(&[
                ("grant_type", Some("authorization_code")),
                ("client_id", Some(&self.profile.client_id)),
                ("code", Some(code.expose())),
                ("code_verifier", Some(attempt.verifier.expose())),
                ("redirect_uri", Some(&attempt.redirect_uri)),
                ("resource", self.profile.resource.as_deref()),
            ])
        };
        let prover = attempt.binding.as_ref().map(|binding| &*binding.prover);
        let send = || dpop::post(&self.http, prover, &attempt.metadata.token, form);
        match send().await {
            Err(Trouble::Unreachable | Trouble::ReplyLost | Trouble::TimedOut) => send().await,
            answer => answer,
        }
    }

    /// Who has signed in, by the ID token.
    async fn believe(&self, attempt: &Attempt, grant: &Grant, reply: &Reply) -> Result<Believed, SignInError> {
        let token = match &grant.id_token {
            Some(token) => token,
            None if self.profile.asks_who() => return Err(SignInError::IdToken(IdTokenError::Missing)),
            None => {
                let account = Account::untold(&attempt.metadata.issuer, &self.profile);
                return Ok(Believed { account, ends: None, browser: None });
            }
        };
        let token = IdToken::parse(token.expose()).map_err(SignInError::IdToken)?;
        token.check_access_token(&grant.access).map_err(SignInError::IdToken)?;
        let expected = Expected {
            issuer: &attempt.metadata.issuer,
            client_id: &self.profile.client_id,
            now: self.now(reply),
            organization: self.profile.organization.as_deref(),
            max_age: self.profile.max_age,
        };
        let verify = |keys: &KeySet| {
            let account = token.verify(keys, &expected, attempt.nonce.expose())?;
            Ok(Believed { account, ends: token.session_expiry(), browser: token.browser_session() })
        };
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner).set.clone();
        let answer = match known.filter(|(_, since)| since.elapsed() < KEYS_AGE) {
            Some((keys, _)) => verify(&keys),
            None => return verify(&*self.fetch_keys(&attempt.metadata).await?).map_err(SignInError::IdToken),
        };
        let may_ask = || self.keys.lock().unwrap_or_else(PoisonError::into_inner).limit.allow(Instant::now());
        match answer {
            // The tenant may have a new key since.
            Err(IdTokenError::UnknownKey) if may_ask() => verify(&*self.fetch_keys(&attempt.metadata).await?).map_err(SignInError::IdToken),
            answer => answer.map_err(SignInError::IdToken),
        }
    }

    async fn fetch_keys(&self, metadata: &Metadata) -> Result<Arc<KeySet>, SignInError> {
        let jwks = metadata.jwks.as_ref().ok_or(SignInError::IdToken(IdTokenError::UnknownKey))?;
        let mut trouble = Trouble::Unreachable;
        for _ in 0..2 {
            match self.fetch(Request::Get(jwks.clone())).await {
                Ok(reply) => match (reply.trouble(self.clock.now()), KeySet::read(&reply)) {
                    (None, Some(keys)) => {
                        let keys = Arc::new(keys);
                        self.keys.lock().unwrap_or_else(PoisonError::into_inner).set = Some((keys.clone(), Instant::now()));
                        return Ok(keys);
                    }
                    (None, None) => trouble = Trouble::Intercepted { status: reply.status },
                    (Some(unwell), _) => trouble = unwell,
                },
                Err(failed) => trouble = failed,
            }
        }
        Err(trouble.into())
    }

    /// The time to judge a token by: this computer's, unless it is far from the tenant's (`Date`); a wrong clock is no reason to keep
    /// anybody out.
    fn now(&self, reply: &Reply) -> SystemTime {
        let here = self.clock.now();
        let Some(there) = reply.date() else { return here };
        let apart = here.duration_since(there).or_else(|_| there.duration_since(here)).unwrap_or_default();
        if apart > LEEWAY {
            tracing::warn!(seconds = apart.as_secs(), "this computer's clock and the tenant's differ");
            there
        } else {
            here
        }
    }
}

impl From<Unfit> for SignInError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Unbound => Self::Unbound,
            Unfit::Foreign => Self::Malformed(unfit.what()),
        }
    }
}

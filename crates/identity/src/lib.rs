//! Sign-in, refresh and sign-out at an OAuth 2.1 tenant.
//!
//! A [`Session`] is one account at one tenant, run by one actor. What it promises:
//!
//! - **Sign-in** is Authorization Code with PKCE S256 in the system browser (RFC 8252, OpenID Connect Core). Several attempts may wait at
//!   once, each keyed by its `state`, good once and for ten minutes. A forged, late, doubled or malformed link changes nothing. An attempt
//!   has two ways back: the app's own link, and, where the system does not open that, a listener on loopback ([`Session::open_loopback`]).
//! - **Only `invalid_grant`, another subject in the tenant's answer, or the user ends a session.** Every other failure leaves it as it is;
//!   how to go on is part of each error ([`Retry`]), not guessed from text.
//! - **One refresh at a time**, across processes too ([`Session::spawn_shared`]). It runs in the actor: a caller that goes away changes
//!   nothing. A rotated refresh token is in the vault before anything else of the answer is looked at. A lost reply is answered by presenting
//!   the same token once more, at once; never an older one.
//! - **Bound to this computer** where the tenant offers it and the agent takes it (DPoP, RFC 9449): each sign-in has a key, which is made before the
//!   browser opens and lies in the vault; a token that somebody else gets hold of is worth nothing without it ([`Presentation`]).
//! - **Several accounts** may be signed in at one profile, each with a [`Session`] and a [`Slot`] in the vault of its own; [`accounts`] tells who.
//! - **A restart needs no browser and no network** to know who is signed in: the vault holds the refresh token and a small account record.
//! - **An agent's address is enough** where the agent says which tenant it trusts ([`find_agent`]); every step is kept to be shown.
//! - **Accounts at other services** are connected at the tenant where it offers that ([`Session::begin_connect`]), by the same refresh token.
//! - **No secret is shown**: tokens, codes and verifiers are [`callbox_vault::Secret`]s, and no error, log or `Debug` carries one.
//!
//! Everything that decides is free of I/O and lives in its own module; the actor in `session` only carries requests out and results in.
//! Time, randomness, the vault and the HTTP client are passed in.

mod account;
mod attempts;
mod callback;
mod challenge;
mod clock;
mod connected;
mod discovery;
mod dpop;
mod entropy;
mod error;
mod fetch;
mod find;
mod id_token;
mod inspect;
mod journal;
mod jwks;
pub mod lock;
mod loopback;
mod obstacle;
mod profile;
mod profile_file;
mod query;
mod record;
mod refresh;
mod service;
mod session;
mod slots;
mod token;

pub use account::Account;
pub use attempts::AttemptId;
pub use callback::Ignored;
pub use challenge::Challenge;
pub use clock::{Clock, SystemClock};
pub use connected::{ConnectError, ConnectStart, ConnectedAccount, Problem};
pub use dpop::{Answered, Presentation};
pub use entropy::{Entropy, SystemEntropy};
pub use error::{DiscoveryError, IdTokenError, ProfileError, Retry, SignInError, TenantError, TokenError, Trouble};
pub use find::{
    FindError, Found, LOOPBACK, Mismatch, RegistrationError, Step, compare_with_agent, find_agent, is_client_forgotten, renew_client,
};
pub use inspect::{AgentAnswer, Inspected, Offers, inspect_agent, inspect_tenant};
pub use obstacle::Obstacle;
pub use profile::{Conversations, Dpop, Issuer, Profile, ScreenHint};
pub use profile_file::ProfileFileError;
pub use service::{Quota, Service, ServiceConfig, TokenShelf, client_secret_key};
pub use session::{CallbackOutcome, Config, Session, SessionState, SignInStage, SignInStart, SignOut, SignedOutReason, Storage};
pub use slots::{Known, Slot, accounts};
pub use token::AccessToken;

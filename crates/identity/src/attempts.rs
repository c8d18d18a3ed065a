//! Sign-ins that wait for the browser: PKCE (RFC 7636), `state` (RFC 6749 §10.12) and `nonce` (OpenID Connect Core §3.1.2.1) of each.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use callbox_vault::Secret;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, basic::BasicClient};
use tokio::{sync::oneshot, time::Instant};
use url::Url;

use crate::{Entropy, Ignored, Profile, ScreenHint, SignInError, discovery::Metadata, dpop::Binding, entropy};

/// How long a person may take at the browser.
pub(crate) const TTL: Duration = Duration::from_secs(600);
/// How many attempts can wait at once; one more ends the oldest.
const MAX_WAITING: usize = 16;
/// How many are remembered, to tell a doubled link from a forged one.
const MAX_REMEMBERED: usize = 64;

/// Names one sign-in attempt of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub(crate) u64);

/// Everything that one attempt needs when its link comes back. The exchange uses the endpoints recorded here, not today's.
pub(crate) struct Attempt {
    pub(crate) id: AttemptId,
    pub(crate) nonce: Secret<String>,
    pub(crate) verifier: Secret<String>,
    /// Where the browser is sent back to; of a claimed attempt, where it came back.
    pub(crate) redirect_uri: String,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) wish: Wish,
    /// The key that the code and everything after it is bound to, made for this attempt.
    pub(crate) binding: Option<Binding>,
    loopback: Option<Door>,
}

/// What a sign-in asks for beside the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) scopes: Vec<String>,
    /// Who is expected (OpenID Connect Core §3.1.2.1, `login_hint`).
    pub(crate) login_hint: Option<String>,
    /// The person is to be asked whether the app may come back without them (OpenID Connect Core §11).
    pub(crate) consent: bool,
    /// The person chooses among accounts, whoever the browser is signed in as.
    pub(crate) somebody_else: bool,
}

/// A sign-in that can begin.
pub(crate) struct Opening {
    pub(crate) wish: Wish,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) binding: Option<Binding>,
}

/// The second way back. Whoever listens there stops when this is gone.
struct Door {
    redirect_uri: String,
    _open: oneshot::Sender<()>,
}

enum Phase {
    Waiting(Box<Attempt>),
    Used,
    Over,
}

struct Entry {
    id: AttemptId,
    state: Secret<String>,
    expires: Instant,
    phase: Phase,
}

/// All attempts of a session, by `state`.
#[derive(Default)]
pub(crate) struct Attempts {
    entries: Vec<Entry>,
}

impl Attempts {
    /// Opens an attempt; the page to show comes back.
    ///
    /// # Errors
    /// When the profile's redirect URI is not one.
    pub(crate) fn open(
        &mut self,
        id: AttemptId,
        profile: &Profile,
        opening: Opening,
        entropy: &dyn Entropy,
        now: Instant,
    ) -> Result<Url, SignInError> {
        let (state, nonce, verifier) = (entropy::token(entropy), entropy::token(entropy), entropy::token(entropy));
        let (redirect_uri, Opening { wish, metadata, binding }) = (profile.redirect_uri.clone(), opening);
        let attempt = Attempt { id, nonce, verifier, redirect_uri, metadata, wish, binding, loopback: None };
        let url = page(profile, &attempt, &attempt.redirect_uri, &state)?;
        self.sweep(now);
        let waiting = self.entries.iter().filter(|entry| matches!(entry.phase, Phase::Waiting(_))).count();
        if waiting >= MAX_WAITING
            && let Some(oldest) = self.entries.iter_mut().find(|entry| matches!(entry.phase, Phase::Waiting(_)))
        {
            oldest.phase = Phase::Over;
        }
        if self.entries.len() >= MAX_REMEMBERED {
            self.entries.remove(0);
        }
        self.entries.push(Entry { id, state, expires: now + TTL, phase: Phase::Waiting(Box::new(attempt)) });
        Ok(url)
    }

    /// Gives an attempt that waits a second way back, in place of an earlier second one; the page that leads there comes back. `None`: the
    /// attempt does not wait any more.
    pub(crate) fn open_door(
        &mut self,
        id: AttemptId,
        profile: &Profile,
        redirect_uri: String,
        open: oneshot::Sender<()>,
        now: Instant,
    ) -> Option<Result<Url, SignInError>> {
        self.sweep(now);
        let entry = self.entries.iter_mut().find(|entry| entry.id == id)?;
        let Phase::Waiting(attempt) = &mut entry.phase else { return None };
        let url = page(profile, attempt, &redirect_uri, &entry.state);
        attempt.loopback = Some(Door { redirect_uri, _open: open });
        Some(url)
    }

    /// Takes the attempt that a link with this `state` and this address (without the query) belongs to. It is taken once.
    ///
    /// # Errors
    /// Why there is none; nothing has changed then.
    pub(crate) fn claim(&mut self, state: &str, address: &str, now: Instant) -> Result<Attempt, Ignored> {
        self.sweep(now);
        // Every entry is compared: how long this takes tells nothing.
        let mut found = None;
        for entry in &mut self.entries {
            if verify_slices_are_equal(entry.state.expose().as_bytes(), state.as_bytes()).is_ok() {
                found = Some(entry);
            }
        }
        let entry = found.ok_or(Ignored::Unknown)?;
        match std::mem::replace(&mut entry.phase, Phase::Used) {
            Phase::Used => Err(Ignored::AlreadyUsed),
            Phase::Over => {
                entry.phase = Phase::Over;
                Err(Ignored::Over)
            }
            Phase::Waiting(attempt) if is_redirect(&attempt.redirect_uri, address) => Ok(*attempt),
            Phase::Waiting(mut attempt) => match attempt.loopback.take() {
                // The exchange has to name the way that was taken (RFC 6749 §4.1.3).
                Some(door) if door.redirect_uri == address => {
                    Ok(Attempt { redirect_uri: door.redirect_uri.clone(), loopback: Some(door), ..*attempt })
                }
                door => {
                    attempt.loopback = door;
                    entry.phase = Phase::Waiting(attempt);
                    Err(Ignored::NotOurs)
                }
            },
        }
    }

    /// Ends all that wait. Whether there were any.
    pub(crate) fn cancel(&mut self) -> bool {
        self.end(|_| true)
    }

    /// Ends what is too old. Whether there was any.
    pub(crate) fn sweep(&mut self, now: Instant) -> bool {
        self.end(|entry| entry.expires <= now)
    }

    fn end(&mut self, which: impl Fn(&Entry) -> bool) -> bool {
        let mut any = false;
        for entry in self.entries.iter_mut().filter(|entry| which(entry)) {
            if matches!(entry.phase, Phase::Waiting(_)) {
                entry.phase = Phase::Over;
                any = true;
            }
        }
        any
    }

    /// The newest that waits.
    pub(crate) fn newest(&self) -> Option<AttemptId> {
        self.waiting().map(|entry| entry.id).last()
    }

    /// When the next one will be too old.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.waiting().map(|entry| entry.expires).min()
    }

    fn waiting(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| matches!(entry.phase, Phase::Waiting(_)))
    }
}

/// The tenant's page for one attempt (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1, Auth0's `audience`, RFC 8707).
fn page(profile: &Profile, attempt: &Attempt, redirect_uri: &str, state: &Secret<String>) -> Result<Url, SignInError> {
    let Attempt { metadata, nonce, verifier, wish, .. } = attempt;
    let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| SignInError::Malformed("the redirect URI is not an address"))?;
    let client = BasicClient::new(ClientId::new(profile.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(metadata.authorization.clone()))
        .set_redirect_uri(redirect);
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.expose().clone()));
    let mut request = client
        .authorize_url(|| CsrfToken::new(state.expose().clone()))
        .add_scopes(wish.scopes.iter().cloned().map(Scope::new))
        .set_pkce_challenge(challenge)
        .add_extra_param("nonce", nonce.expose().clone());
    if let Some(audience) = &profile.audience {
        request = request.add_extra_param("audience", audience.clone());
    }
    // Whoever adds an account is not the one who is expected here.
    let expected = profile.login_hint.as_ref().filter(|_| !wish.somebody_else);
    // With a session in the browser, the tenant would skip its page for newcomers.
    let newcomer = profile.screen_hint == Some(ScreenHint::Signup);
    let page = if newcomer { Some("login") } else { wish.somebody_else.then_some("select_account") };
    // Some tenants give no refresh token to an app that does not want the question put; to others it means nothing.
    let lasting = ["openid", "offline_access"].iter().all(|scope| wish.scopes.iter().any(|asked| asked == scope));
    let consent = (wish.consent && lasting).then_some("consent");
    let prompts: Vec<&str> = page.into_iter().chain(consent).collect();
    let asked = [
        ("login_hint", wish.login_hint.as_ref().or(expected).cloned()),
        ("organization", profile.organization.clone()),
        ("connection", profile.connection.clone()),
        ("screen_hint", profile.screen_hint.map(|hint| hint.as_str().to_owned())),
        ("max_age", profile.max_age.map(|seconds| seconds.to_string())),
        ("prompt", Some(prompts.join(" ")).filter(|prompts| !prompts.is_empty())),
    ];
    for (name, value) in asked {
        if let Some(value) = value {
            request = request.add_extra_param(name, value);
        }
    }
    if let Some(resource) = &profile.resource {
        request = request.add_extra_param("resource", resource.clone());
    }
    // RFC 9449 §10: whoever takes the code has to have the key too.
    if let Some(binding) = &attempt.binding {
        request = request.add_extra_param("dpop_jkt", binding.prover.key().thumbprint().to_owned());
    }
    Ok(request.url().0)
}

/// Whether a link's address is the redirect URI. Systems write the scheme in lower case, and some put a slash behind a bare host.
pub(crate) fn is_redirect(redirect_uri: &str, address: &str) -> bool {
    let (Some((scheme, rest)), Some((their_scheme, their_rest))) = (redirect_uri.split_once(':'), address.split_once(':')) else {
        return false;
    };
    let bare = !rest.trim_start_matches('/').contains('/');
    let same = rest == their_rest || (bare && their_rest.strip_suffix('/') == Some(rest));
    scheme.eq_ignore_ascii_case(their_scheme) && same
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::atomic::AtomicU8, sync::atomic::Ordering};

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::{
        Issuer, SystemClock,
        discovery::tests::metadata,
        dpop::{ProofKey, Prover},
    };

    /// Bytes that differ from call to call and can be told beforehand.
    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::SeqCst));
        }
    }

    const REDIRECT: &str = "dev.callbox.desktop://callback";

    fn drawn(n: u8) -> String {
        URL_SAFE_NO_PAD.encode([n; 32])
    }

    fn profile() -> Profile {
        let agent = Url::parse("https://agent.example/agents/chat-agent").unwrap();
        let mut profile = Profile::new("p", agent, Issuer::parse("https://tenant.example/").unwrap(), "the-client");
        profile.audience = Some("https://api.example".to_owned());
        profile
    }

    fn opening(binding: Option<Binding>) -> Opening {
        let wish = Wish { scopes: profile().scopes, login_hint: None, consent: false, somebody_else: false };
        Opening { wish, metadata: Arc::new(metadata()), binding }
    }

    /// `n` attempts; the states are `drawn(0)`, `drawn(3)`, `drawn(6)`, …
    fn attempts(n: u64, now: Instant) -> (Attempts, Vec<Url>) {
        let (mut attempts, entropy) = (Attempts::default(), Counting(AtomicU8::new(0)));
        let open = |id| attempts.open(AttemptId(id), &profile(), opening(None), &entropy, now).unwrap();
        let urls = (0..n).map(open).collect();
        (attempts, urls)
    }

    #[test]
    fn the_page_carries_everything_that_binds_the_answer_and_no_verifier() {
        let (_, urls) = attempts(1, Instant::now());
        let params: HashMap<_, _> = urls[0].query_pairs().into_owned().collect();
        let challenge = URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, drawn(2).as_bytes()));
        let expected = [
            ("response_type", "code"),
            ("client_id", "the-client"),
            ("redirect_uri", REDIRECT),
            ("scope", "openid profile email offline_access"),
            ("audience", "https://api.example"),
            ("state", &drawn(0)),
            ("nonce", &drawn(1)),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        assert_eq!(params.len(), expected.len());
        for (name, value) in expected {
            assert_eq!(params[name], value, "{name}");
        }
        assert!(!urls[0].as_str().contains(&drawn(2)));
    }

    #[test]
    fn the_page_of_a_bound_sign_in_names_the_key_and_both_of_its_ways_back_do() {
        let (now, entropy) = (Instant::now(), Arc::new(Counting(AtomicU8::new(0))));
        let key = ProofKey::generate().unwrap();
        let thumbprint = key.thumbprint().to_owned();
        let prover = Arc::new(Prover::new(key, Arc::default(), Arc::new(SystemClock), entropy.clone()));
        let (mut attempts, binding) = (Attempts::default(), Some(Binding { prover, access: false }));
        let url = attempts.open(AttemptId(0), &profile(), opening(binding), &*entropy, now).unwrap();
        let (open, _over) = oneshot::channel();
        let second = attempts.open_door(AttemptId(0), &profile(), "http://127.0.0.1:4711/callback".to_owned(), open, now).unwrap().unwrap();
        for url in [url, second] {
            let named: Vec<_> = url.query_pairs().filter(|(name, _)| name == "dpop_jkt").map(|(_, value)| value.into_owned()).collect();
            assert_eq!(named, [thumbprint.as_str()]);
        }
    }

    #[test]
    fn the_page_is_asked_for_what_the_profile_says_and_for_somebody_else_where_one_is_added() {
        let with = |wish| Opening { wish, ..opening(None) };
        let page = |change: &dyn Fn(&mut Profile), somebody_else: bool| {
            let (mut profile, entropy) = (profile(), Counting(AtomicU8::new(0)));
            change(&mut profile);
            let opening = with(Wish { somebody_else, ..opening(None).wish });
            let url = Attempts::default().open(AttemptId(0), &profile, opening, &entropy, Instant::now()).unwrap();
            let params: HashMap<_, _> = url.query_pairs().into_owned().collect();
            let said = |name: &str| params.get(name).cloned().unwrap_or_default();
            ["organization", "connection", "screen_hint", "login_hint", "max_age", "prompt"].map(said)
        };
        let all = |profile: &mut Profile| {
            profile.organization = Some("org_acme".to_owned());
            profile.connection = Some("google-oauth2".to_owned());
            profile.login_hint = Some("ada@example.com".to_owned());
            profile.max_age = Some(600);
        };
        assert_eq!(page(&|_| {}, false), [""; 6]);
        assert_eq!(page(&all, false), ["org_acme", "google-oauth2", "", "ada@example.com", "600", ""]);
        assert_eq!(page(&all, true), ["org_acme", "google-oauth2", "", "", "600", "select_account"], "not the one who is known");
        let both = |somebody_else| {
            let mut attempts = Attempts::default();
            let opening = with(Wish { somebody_else, consent: true, ..opening(None).wish });
            let entropy = Counting(AtomicU8::new(0));
            let url = attempts.open(AttemptId(0), &profile(), opening, &entropy, Instant::now()).unwrap();
            url.query_pairs().find(|(name, _)| name == "prompt").map(|(_, value)| value.into_owned())
        };
        assert_eq!((both(false).as_deref(), both(true).as_deref()), (Some("consent"), Some("select_account consent")));
        let hint = |hint| move |profile: &mut Profile| profile.screen_hint = Some(hint);
        assert_eq!(page(&hint(ScreenHint::Signup), false)[2..], ["signup", "", "", "login"].map(str::to_owned));
        assert_eq!(page(&hint(ScreenHint::Login), true)[2..], ["login", "", "", "select_account"].map(str::to_owned));
    }

    #[test]
    fn an_attempt_is_taken_once_and_by_its_own_state_only() {
        let now = Instant::now();
        let (mut attempts, _) = attempts(2, now);
        assert_eq!(attempts.claim("nobody", REDIRECT, now).err(), Some(Ignored::Unknown));
        assert_eq!(attempts.claim("", REDIRECT, now).err(), Some(Ignored::Unknown));
        let taken = attempts.claim(&drawn(0), REDIRECT, now).unwrap();
        assert_eq!((taken.id, taken.nonce.expose(), taken.verifier.expose()), (AttemptId(0), &drawn(1), &drawn(2)));
        assert_eq!(attempts.claim(&drawn(0), REDIRECT, now).err(), Some(Ignored::AlreadyUsed));
        assert_eq!(attempts.claim(&drawn(3), REDIRECT, now).unwrap().id, AttemptId(1));
    }

    #[test]
    fn a_link_to_another_address_leaves_the_attempt_alone() {
        let now = Instant::now();
        let (mut attempts, _) = attempts(1, now);
        for other in [
            "dev.callbox.desktop://callback/extra",
            "dev.callbox.desktop://callback//",
            "dev.callbox.desktop://user@callback",
            "dev.callbox.desktop:callback",
            "dev.callbox.desktop://Callback",
            "https://callback",
            "dev.callbox.desktopx://callback",
            "",
        ] {
            assert_eq!(attempts.claim(&drawn(0), other, now).err(), Some(Ignored::NotOurs), "{other}");
        }
        assert!(attempts.claim(&drawn(0), "DEV.callbox.desktop://callback/", now).is_ok());
    }

    #[test]
    fn an_attempt_has_two_ways_back_and_comes_back_once() {
        let now = Instant::now();
        let (mut attempts, urls) = attempts(2, now);
        let door = "http://127.0.0.1:4711/callback";
        let (open, mut over) = oneshot::channel();
        let url = attempts.open_door(AttemptId(0), &profile(), door.to_owned(), open, now).unwrap().unwrap();
        let params = |url: &Url| url.query_pairs().into_owned().collect::<HashMap<_, _>>();
        let (mut first, mut second) = (params(&urls[0]), params(&url));
        assert_eq!((first.remove("redirect_uri").unwrap().as_str(), second.remove("redirect_uri").unwrap().as_str()), (REDIRECT, door));
        assert_eq!(first, second, "state, nonce and challenge are those of the attempt");

        assert_eq!(attempts.claim(&drawn(0), "http://127.0.0.1:4712/callback", now).err(), Some(Ignored::NotOurs));
        assert_eq!(attempts.claim(&drawn(3), door, now).err(), Some(Ignored::NotOurs), "the other attempt has no such way");
        assert_eq!(over.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        let taken = attempts.claim(&drawn(0), door, now).unwrap();
        assert_eq!((taken.redirect_uri.as_str(), taken.verifier.expose()), (door, &drawn(2)));
        assert_eq!(attempts.claim(&drawn(0), REDIRECT, now).err(), Some(Ignored::AlreadyUsed));
        drop(taken);
        assert_eq!(over.try_recv(), Err(oneshot::error::TryRecvError::Closed), "nobody listens any more");
        let (open, _over) = oneshot::channel();
        assert!(attempts.open_door(AttemptId(0), &profile(), door.to_owned(), open, now).is_none());
    }

    #[test]
    fn an_attempt_that_is_cancelled_closes_its_second_way() {
        let now = Instant::now();
        let (mut attempts, _) = attempts(1, now);
        let (open, mut over) = oneshot::channel();
        attempts.open_door(AttemptId(0), &profile(), "http://127.0.0.1:4711/callback".to_owned(), open, now).unwrap().unwrap();
        attempts.cancel();
        assert_eq!(over.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn an_attempt_lives_for_ten_minutes() {
        let now = Instant::now();
        let (mut attempts, _) = attempts(2, now);
        assert_eq!(attempts.next_expiry(), Some(now + TTL));
        assert!(attempts.claim(&drawn(0), REDIRECT, now + TTL - Duration::from_secs(1)).is_ok());
        assert_eq!(attempts.claim(&drawn(3), REDIRECT, now + TTL).err(), Some(Ignored::Over));
        assert_eq!((attempts.newest(), attempts.next_expiry()), (None, None));
    }

    #[test]
    fn cancelling_ends_all_that_wait_and_says_so() {
        let now = Instant::now();
        let (mut attempts, _) = attempts(2, now);
        assert_eq!(attempts.newest(), Some(AttemptId(1)));
        assert!(attempts.cancel());
        assert!(!attempts.cancel());
        assert_eq!(attempts.claim(&drawn(3), REDIRECT, now).err(), Some(Ignored::Over));
    }

    #[test]
    fn what_waits_and_what_is_remembered_is_bounded() {
        let now = Instant::now();
        let (mut attempts, _) = attempts(80, now);
        assert_eq!(attempts.waiting().count(), MAX_WAITING);
        assert_eq!(attempts.entries.len(), MAX_REMEMBERED);
        assert_eq!(attempts.newest(), Some(AttemptId(79)));
        assert_eq!(attempts.claim(&drawn(0), REDIRECT, now).err(), Some(Ignored::Unknown));
    }
}

//! A tenant that has forgotten the client as which this installation has registered itself.

use serde_json::Value;

use super::{RegistrationError, discover, registration};
use crate::{
    Clock, Profile, TenantError,
    fetch::{Form, Request, fetch},
};

/// A token that nobody has.
const NO_TOKEN: &str = "none";

/// Whether the tenant says that it does not know this profile's client. A sign-in would end on its page then, and nothing would come back.
///
/// It is asked at its revocation endpoint, for a token that nobody has: the client is looked at first, and that there is no such token is no error
/// (RFC 7009 §2.1 and §2.2). False also where it cannot be found out.
pub async fn is_client_forgotten(http: &reqwest::Client, clock: &dyn Clock, profile: &Profile) -> bool {
    let Ok((_, metadata)) = discover(http, clock, &profile.issuer).await else { return false };
    let Some(endpoint) = metadata.revocation else { return false };
    let form = Form::new(&[("client_id", Some(&profile.client_id)), ("token", Some(NO_TOKEN)), ("token_type_hint", Some("refresh_token"))]);
    let Ok(reply) = fetch(http, Request::Post(endpoint, form)).await else { return false };
    let error = reply.json().and_then(|members| members.get("error").and_then(Value::as_str).map(|error| TenantError::new(error, None)));
    matches!(reply.status, 400..500) && error.is_some_and(|error| error.forgot_client())
}

/// Registers this installation once more, as it was registered before: the same profile with another client. What was granted to the client that
/// is forgotten is lost; nobody is signed in.
///
/// # Errors
/// See [`RegistrationError`].
pub async fn renew_client(http: &reqwest::Client, clock: &dyn Clock, profile: &Profile, name: &str) -> Result<Profile, RegistrationError> {
    let (_, metadata) = discover(http, clock, &profile.issuer).await?;
    registration::register(http, clock, &metadata, profile.clone(), name).await
}

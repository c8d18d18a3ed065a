//! Making this installation known to a tenant (RFC 7591), as a native app without a secret.
//!
//! Each installation registers for itself: at some tenants a new sign-in of a client ends the earlier ones of the same client, and two
//! computers that shared one would sign each other out.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::{LOOPBACK, RegistrationError, Step};
use crate::{
    Clock, Profile, TenantError,
    discovery::Metadata,
    fetch::{Reply, Request, fetch},
    profile::OWN_LINK,
};

/// Makes `profile` that of a new client. The browser is to come back where the profile says; if the tenant does not allow that or the other
/// way, it is asked for this computer's ports alone.
///
/// # Errors
/// See [`RegistrationError`].
pub(crate) async fn register(
    http: &reqwest::Client,
    clock: &dyn Clock,
    metadata: &Metadata,
    mut profile: Profile,
    name: &str,
) -> Result<Profile, RegistrationError> {
    let endpoint = metadata.registration.as_ref().ok_or(RegistrationError::Unavailable)?;
    let ask = async |redirect_uris: &[&str]| -> Result<String, RegistrationError> {
        let request = Request::Json(endpoint.clone(), request(name, redirect_uris, &profile.scopes));
        read(&fetch(http, request).await?, redirect_uris[0], clock.now())
    };
    let wanted = profile.redirect_uri.clone();
    let other = if wanted == LOOPBACK { OWN_LINK } else { LOOPBACK };
    let mut answer = ask(&[&wanted, other]).await;
    let mut redirect_uri = wanted;
    if let Err(RegistrationError::Redirect(_)) = answer {
        answer = ask(&[LOOPBACK]).await;
        LOOPBACK.clone_into(&mut redirect_uri);
    }
    profile.client_id = answer?;
    profile.provenance.retain(|step| !matches!(step, Step::Registered { .. }));
    profile.provenance.push(Step::Registered { redirect_uri: redirect_uri.clone() });
    profile.redirect_uri = redirect_uri;
    Ok(profile)
}

/// The request's body (RFC 7591 §2; OpenID Connect Dynamic Client Registration 1.0 §2 for `application_type`).
fn request(name: &str, redirect_uris: &[&str], scopes: &[String]) -> Value {
    let mut request = json!({
        "client_name": name,
        "redirect_uris": redirect_uris,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        // Left out, some tenants make a client with a secret, which no app on a computer can keep.
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    });
    // Nothing to ask for is nothing to say: an empty text is no scope (RFC 6749 §3.3), and refused by some.
    if !scopes.is_empty() {
        request["scope"] = scopes.join(" ").into();
    }
    request
}

/// Reads the answer: the id of a client that the tenant knows now. A tenant may change what it was asked for (RFC 7591 §3.2.1), so that is looked at.
///
/// # Errors
/// Why there is no client that this app could be.
fn read(reply: &Reply, redirect_uri: &str, now: SystemTime) -> Result<String, RegistrationError> {
    if let Some(trouble) = reply.trouble(now) {
        return Err(trouble.into());
    }
    let intercepted = crate::Trouble::Intercepted { status: reply.status };
    let Some(members) = reply.json() else { return Err(intercepted.into()) };
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if !matches!(reply.status, 200 | 201) {
        let Some(error) = text("error") else { return Err(intercepted.into()) };
        let told = TenantError::new(error, text("error_description"));
        let about_redirect = error == "invalid_redirect_uri" || text("error_description").is_some_and(|text| text.contains("redirect_uri"));
        // Cloudflare Access has one code for everything.
        return Err(if about_redirect { RegistrationError::Redirect(told) } else { RegistrationError::Refused(told) });
    }
    let client_id = text("client_id").filter(|id| !id.is_empty() && id.len() <= 1024 && id.chars().all(|c| !c.is_control()));
    let client_id = client_id.ok_or(RegistrationError::Malformed("it names no client"))?;
    if text("token_endpoint_auth_method").is_some_and(|method| method != "none") {
        return Err(RegistrationError::NotPublic);
    }
    let uris = members.get("redirect_uris").and_then(Value::as_array);
    if uris.is_some_and(|uris| !uris.iter().any(|uri| uri == redirect_uri)) {
        return Err(RegistrationError::Malformed("it leads the browser somewhere else"));
    }
    let grants = members.get("grant_types").and_then(Value::as_array);
    if grants.is_some_and(|grants| !grants.iter().any(|grant| grant == "authorization_code")) {
        return Err(RegistrationError::Malformed("it allows no sign-in"));
    }
    Ok(client_id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Trouble, fetch::tests::reply};

    const REDIRECT: &str = "http://127.0.0.1/callback";

    fn read_as(status: u16, body: &Value) -> Result<String, RegistrationError> {
        read(&reply(status, &[], &body.to_string()), REDIRECT, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn the_request_is_that_of_a_native_app_without_a_secret() {
        let body = request("Callbox on this computer", &[REDIRECT], &["openid".to_owned(), "chat".to_owned()]);
        assert_eq!(
            body,
            json!({
                "client_name": "Callbox on this computer",
                "redirect_uris": [REDIRECT],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "application_type": "native",
                "scope": "openid chat",
            })
        );
        assert_eq!(request("Callbox", &[REDIRECT], &[]).get("scope"), None, "an empty text is no scope");
    }

    #[test]
    fn a_client_without_a_secret_is_registered_whatever_else_the_tenant_says() {
        for body in [
            json!({"client_id": "c"}),
            json!({"client_id": "c", "redirect_uris": [REDIRECT, "app://x"], "token_endpoint_auth_method": "none", "client_name": "Other"}),
            json!({"client_id": "c", "grant_types": ["authorization_code"], "client_id_issued_at": 7}),
        ] {
            assert_eq!(read_as(201, &body), Ok("c".to_owned()), "{body}");
        }
    }

    #[test]
    fn a_client_that_this_app_cannot_be_is_refused() {
        let malformed = |what| Err(RegistrationError::Malformed(what));
        for (body, expected) in [
            (json!({}), malformed("it names no client")),
            (json!({"client_id": ""}), malformed("it names no client")),
            (json!({"client_id": "a\nb"}), malformed("it names no client")),
            (json!({"client_id": "c", "redirect_uris": ["https://evil.example/"]}), malformed("it leads the browser somewhere else")),
            (json!({"client_id": "c", "grant_types": ["client_credentials"]}), malformed("it allows no sign-in")),
            (
                json!({"client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_post"}),
                Err(RegistrationError::NotPublic),
            ),
        ] {
            assert_eq!(read_as(201, &body), expected, "{body}");
        }
    }

    #[test]
    fn refusals_say_whose_turn_it_is() {
        let told = |error: &str, why: &str| TenantError::new(error, Some(why));
        for (status, error, why, expected) in [
            (400, "invalid_redirect_uri", "no", RegistrationError::Redirect(told("invalid_redirect_uri", "no"))),
            (
                400,
                "invalid_client_metadata",
                "redirect_uri is not allowed by the account configuration",
                RegistrationError::Redirect(told("invalid_client_metadata", "redirect_uri is not allowed by the account configuration")),
            ),
            (400, "invalid_client_metadata", "no", RegistrationError::Refused(told("invalid_client_metadata", "no"))),
            (403, "access_denied", "off", RegistrationError::Refused(told("access_denied", "off"))),
            (429, "too_many_requests", "", Trouble::RateLimited { retry_in: None }.into()),
            (503, "x", "", Trouble::Unwell { status: 503, retry_in: None }.into()),
        ] {
            assert_eq!(read_as(status, &json!({"error": error, "error_description": why})), Err(expected), "{status} {error}");
        }
        assert_eq!(read_as(404, &json!([])), Err(Trouble::Intercepted { status: 404 }.into()));
    }
}

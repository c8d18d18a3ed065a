//! Who is signed in.

use crate::Profile;

/// A person at a tenant. `iss` and `sub` together are the identity; the rest is for showing and may change.
///
/// A tenant that is OAuth alone does not say who signed in. Then there is one account for each client, named after the tenant: whoever signs in
/// on this computer for this profile is taken to be the same person. Where the app has registered itself there is one for each agent instead, for
/// a tenant that forgets a client gets another one for the same person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The tenant's issuer identifier, exactly as it names itself.
    pub iss: String,
    /// The subject identifier, unique at this tenant and never shown.
    pub sub: String,
    /// What to call the person: the name, else the address, else the subject identifier.
    pub name: String,
    /// The e-mail address, if the tenant told it.
    pub email: Option<String>,
    /// The address of a picture, if the tenant told it. Fetched by nobody unless the user asks.
    pub picture: Option<String>,
}

impl Account {
    /// Somebody of whom the tenant tells nothing.
    pub(crate) fn untold(iss: &str, profile: &Profile) -> Self {
        let sub = if profile.registered_itself() { format!("agent:{}", profile.agent) } else { format!("client:{}", profile.client_id) };
        Self { iss: iss.to_owned(), sub, name: profile.issuer.host(), email: None, picture: None }
    }
}

//! Who is signed in.

/// A person at a tenant. `iss` and `sub` together are the identity; the rest is for showing and may change.
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

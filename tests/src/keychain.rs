//! The keychain, as another program of the same user sees it.

use std::process::{Command, Output};

use crate::{Error, Look, Result, error::While as _, wait};

/// The name under which the app keeps its entries.
pub const SERVICE: &str = "dev.callbox.desktop";

/// An entry of the app.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the app calls it.
    pub user: String,
    pub secret: String,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("user", &self.user).finish_non_exhaustive()
    }
}

fn secret_tool(arguments: &[&str]) -> Result<Output> {
    Command::new("secret-tool").args(arguments).output().doing("secret-tool could not be started")
}

/// Everything that the app has in the keychain.
///
/// # Errors
/// When the keychain does not answer.
pub fn entries() -> Result<Vec<Entry>> {
    let output = secret_tool(&["search", "--all", "--unlock", "service", SERVICE])?;
    let (secrets, attributes) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Nothing found is a failure without a word.
    let complained = attributes.lines().any(|line| !line.starts_with("attribute."));
    if complained {
        return Err(Error::unexpected(format!("the keychain does not answer: {attributes}")));
    }
    // One of each for every entry, in the same order on the two outputs.
    let secrets = secrets.lines().filter_map(|line| line.strip_prefix("secret = "));
    let users = attributes.lines().filter_map(|line| line.strip_prefix("attribute.username = "));
    Ok(users.zip(secrets).map(|(user, secret)| Entry { user: user.to_owned(), secret: secret.to_owned() }).collect())
}

/// Returns when nothing of the app is left in the keychain; the window leaves the account a moment before the last entry is gone.
///
/// # Errors
/// [`Error::TimedOut`] with what is left.
pub async fn emptied() -> Result<()> {
    wait::until("the keychain is empty", async || {
        // An entry may go while it is read, which is a complaint and no answer.
        let left = entries().map_err(|error| error.to_string());
        Ok(Look::when(left.as_ref().is_ok_and(Vec::is_empty).then_some(()), left))
    })
    .await
}

/// Removes the entries whose names begin like this.
///
/// # Errors
/// When there is none, or the keychain does not answer.
pub fn remove(kind: &str) -> Result<()> {
    let found: Vec<Entry> = entries()?.into_iter().filter(|entry| entry.user.starts_with(kind)).collect();
    for entry in &found {
        secret_tool(&["clear", "service", SERVICE, "username", &entry.user])?;
    }
    if found.is_empty() { Err(Error::unexpected(format!("the keychain has no {kind}"))) } else { Ok(()) }
}

/// Removes what an earlier test has left.
///
/// # Errors
/// When the keychain does not answer.
pub fn clear() -> Result<()> {
    secret_tool(&["clear", "service", SERVICE])?;
    let left = entries()?;
    if left.is_empty() { Ok(()) } else { Err(Error::unexpected(format!("still in the keychain: {left:?}"))) }
}

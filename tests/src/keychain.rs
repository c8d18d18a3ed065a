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

/// How often the keychain is read anew because it has changed in the meantime.
const MAX_READS: usize = 20;

/// Everything that the app has in the keychain.
///
/// # Errors
/// When the keychain does not answer.
pub fn entries() -> Result<Vec<Entry>> {
    // An entry that is found and gone before it can be read makes secret-tool complain, in different words for each of its steps.
    let mut complaint = String::new();
    for _ in 0..MAX_READS {
        match read()? {
            Ok(entries) => return Ok(entries),
            Err(why) => complaint = why,
        }
    }
    Err(Error::unexpected(format!("the keychain does not answer: {complaint}")))
}

/// The entries, or what the tool complained of.
fn read() -> Result<std::result::Result<Vec<Entry>, String>> {
    let output = secret_tool(&["search", "--all", "--unlock", "service", SERVICE])?;
    let (secrets, attributes) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Nothing found is a failure without a word.
    if attributes.lines().any(|line| !line.starts_with("attribute.")) {
        return Ok(Err(attributes.into_owned()));
    }
    // One of each for every entry, in the same order on the two outputs.
    let secrets: Vec<_> = secrets.lines().filter_map(|line| line.strip_prefix("secret = ")).collect();
    let users: Vec<_> = attributes.lines().filter_map(|line| line.strip_prefix("attribute.username = ")).collect();
    if secrets.len() != users.len() {
        return Ok(Err(format!("{} names for {} secrets", users.len(), secrets.len())));
    }
    Ok(Ok(users.into_iter().zip(secrets).map(|(user, secret)| Entry { user: user.to_owned(), secret: secret.to_owned() }).collect()))
}

/// Returns when so many accounts are kept signed in.
///
/// # Errors
/// [`Error::TimedOut`] with how many are.
pub async fn until_sessions(count: usize) -> Result<()> {
    wait::until(&format!("{count} accounts are kept"), async || {
        let kept = sessions()?;
        Ok(Look::when((kept == count).then_some(()), kept))
    })
    .await
}

/// Returns when the app has an entry in the keychain whose name begins like this; some are written while the window goes on.
///
/// # Errors
/// [`Error::TimedOut`] with what is there.
pub async fn holds(kind: &str) -> Result<()> {
    wait::until(&format!("{kind} is in the keychain"), async || {
        let kept = entries()?;
        Ok(Look::when(kept.iter().any(|entry| entry.user.starts_with(kind)).then_some(()), kept))
    })
    .await
}

/// How many accounts the app keeps signed in.
///
/// # Errors
/// When the keychain does not answer.
pub fn sessions() -> Result<usize> {
    Ok(entries()?.iter().filter(|entry| entry.user.starts_with("session-")).count())
}

/// Returns when nothing of the app is left in the keychain; the window leaves the account a moment before the last entry is gone.
///
/// # Errors
/// [`Error::TimedOut`] with what is left.
pub async fn emptied() -> Result<()> {
    rid_of("").await
}

/// Returns when the app has no entry in the keychain whose name begins like this; the window leaves the account a moment before they are gone.
///
/// # Errors
/// [`Error::TimedOut`] with what is left.
pub async fn rid_of(kind: &str) -> Result<()> {
    wait::until("the keychain is rid of it", async || {
        let left = entries()?.into_iter().filter(|entry| entry.user.starts_with(kind)).collect::<Vec<_>>();
        Ok(Look::when(left.is_empty().then_some(()), left))
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

/// Removes what an earlier test has left, and what the last call of a program that has ended since may still bring.
///
/// # Errors
/// [`Error::TimedOut`] with what stays.
pub async fn clear() -> Result<()> {
    wait::until("the keychain is empty", async || {
        secret_tool(&["clear", "service", SERVICE])?;
        let left = entries()?;
        Ok(Look::when(left.is_empty().then_some(()), left))
    })
    .await
}

//! Where a machine's token lies from one process to the next, so that a command that runs every minute does not ask its tenant every minute: many
//! tenants count what they give, and some charge for it.

use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use callbox_vault::{Secret, Vault};

use crate::{
    Issuer,
    dpop::ProofKey,
    lock::{self, Taken},
    record::Spare,
};

/// A vault, and the folder of the locks that all processes of this user share.
#[derive(Debug, Clone)]
pub struct TokenShelf {
    pub vault: Vault,
    pub locks: PathBuf,
}

impl TokenShelf {
    /// Waits until no other process asks for this token. `None`: one does, and has not come to an end in a minute.
    pub(super) async fn alone(&self, key: &str) -> Option<Taken> {
        match lock::take(self.locks.clone(), key.to_owned()).await {
            Taken::Elsewhere => None,
            taken => Some(taken),
        }
    }

    /// The token that lies there, if it was given for this secret.
    pub(super) async fn get(&self, key: &str, secret: &Secret<String>) -> Option<Spare> {
        let bytes = self.vault.get(key).await.ok().flatten()?;
        Spare::decode(&bytes).filter(|spare| spare.came_with(secret))
    }

    /// The key with this hash, if it lies beside the token.
    pub(super) async fn key(&self, key: &str, thumbprint: &str) -> Option<ProofKey> {
        let bytes = self.vault.get(&key_name(key)).await.ok().flatten()?;
        ProofKey::decode(&bytes, thumbprint)
    }

    pub(super) async fn put_key(&self, key: &str, proof: &ProofKey) {
        let Ok(bytes) = proof.encode(None) else { return };
        if let Err(why) = self.vault.set(&key_name(key), bytes).await {
            tracing::info!(code = why.code(), "the key of the machine's token is not kept");
        }
    }

    pub(super) async fn put(&self, key: &str, spare: &Spare) {
        // A vault that does not take it is no reason to give nobody the token.
        if let Err(why) = self.vault.set(key, spare.encode()).await {
            tracing::info!(code = why.code(), "the machine's token is not kept");
        }
    }
}

/// The place of the key in the vault, beside the token.
fn key_name(token: &str) -> String {
    token.replacen("machine", "dpop", 1)
}

/// The name in a vault of the secret of this client. A hash, because some keychains limit and join names.
#[must_use]
pub fn client_secret_key(issuer: &Issuer, client_id: &str) -> String {
    name("client", &[issuer.as_str(), client_id])
}

/// The name of the machine's token: for the same issuer, client, audience, resource, organization and scopes it is the same.
pub(super) fn token_key(parts: &[&str]) -> String {
    name("machine", parts)
}

fn name(kind: &str, parts: &[&str]) -> String {
    let hash = digest(&SHA256, parts.join("\n").as_bytes());
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}-{hex}")
}

//! What is owed to the tenant: refresh tokens of sessions that are over here, and that the tenant has not been told of (RFC 7009).
//!
//! They wait in the vault, a few of them and not for ever, and are revoked at the next start or sign-in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use callbox_vault::{Secret, Vault};
use serde::{Deserialize, Serialize};

use super::{actor::Actor, flights::Wings};

const VERSION: u32 = 1;
/// More than anybody signs out of while there is no network.
const MAX_OWED: usize = 8;
/// A token that is older has ended by itself: the life that tenants usually give it.
const MAX_AGE: Duration = Duration::from_secs(30 * 86_400);

/// What became of a token that was to be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revocation {
    /// The tenant says that it is worthless now.
    Done,
    /// The tenant does not do that, or not for this app. Asking again changes nothing.
    Refused,
    /// The tenant has not heard of it.
    Unheard,
}

struct Debt {
    token: Secret<String>,
    /// Seconds since 1970.
    since: u64,
}

#[derive(Serialize)]
struct StoredDebt<'a> {
    rt: &'a str,
    since: u64,
}

#[derive(Serialize)]
struct Stored<'a> {
    v: u32,
    owed: Vec<StoredDebt<'a>>,
}

fn encode(debts: &[Debt]) -> Secret<Vec<u8>> {
    let owed = debts.iter().map(|debt| StoredDebt { rt: debt.token.expose(), since: debt.since }).collect();
    let mut bytes = Vec::with_capacity(64 + debts.iter().map(|debt| 2 * debt.token.expose().len() + 64).sum::<usize>());
    // Strings and numbers always serialize.
    let _ = serde_json::to_writer(&mut bytes, &Stored { v: VERSION, owed });
    Secret::new(bytes)
}

/// What cannot be read is owed to nobody.
fn decode(bytes: &Secret<Vec<u8>>) -> Vec<Debt> {
    #[derive(Deserialize)]
    struct ReadDebt {
        rt: String,
        since: u64,
    }
    #[derive(Deserialize)]
    struct Read {
        v: u32,
        owed: Vec<ReadDebt>,
    }
    let read = serde_json::from_slice::<Read>(bytes.expose()).ok().filter(|read| read.v == VERSION);
    read.into_iter().flat_map(|read| read.owed).map(|debt| Debt { token: Secret::new(debt.rt), since: debt.since }).collect()
}

fn seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Keeps a token that could not be revoked. Whether it will be tried again, also after the app has ended.
pub(super) async fn owe(vault: &Vault, key: &str, token: Secret<String>, now: SystemTime) -> bool {
    let Ok(known) = vault.get(key).await else { return false };
    let mut debts = known.map(|bytes| decode(&bytes)).unwrap_or_default();
    debts.push(Debt { token, since: seconds(now) });
    let surplus = debts.len().saturating_sub(MAX_OWED);
    debts.drain(..surplus);
    matches!(vault.set(key, encode(&debts)).await, Ok(callbox_vault::Kept::Protected))
}

/// Revokes what is owed, as far as the tenant hears it.
async fn pay(wings: &Wings, vault: &Vault, key: &str) {
    let Ok(Some(bytes)) = vault.get(key).await else { return };
    let oldest = seconds(wings.clock.now()).saturating_sub(MAX_AGE.as_secs());
    let mut debts = decode(&bytes);
    debts.retain(|debt| debt.since >= oldest);
    if !debts.is_empty() {
        let Ok(metadata) = wings.discover().await else { return };
        let mut left = Vec::new();
        for debt in debts {
            if wings.revoke(&metadata, &debt.token).await == Revocation::Unheard {
                left.push(debt);
            }
        }
        debts = left;
    }
    if debts.is_empty() {
        // If it cannot be removed now, it is when the vault works again.
        let _ = vault.delete(key).await;
    } else {
        let _ = vault.set(key, encode(&debts)).await;
    }
}

impl Actor {
    /// The place of what is owed in the vault.
    pub(super) fn owed_key(&self) -> String {
        self.key.replacen("session", "revoke", 1)
    }

    /// Tries once, in its own time.
    pub(super) fn pay_what_is_owed(&self) {
        let (wings, vault, key) = (self.wings.clone(), self.vault.clone(), self.owed_key());
        tokio::spawn(async move { pay(&wings, &vault, &key).await });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_few_tokens_wait_and_the_oldest_make_room() {
        let vault = Vault::memory();
        for n in 0..MAX_OWED as u64 + 3 {
            assert!(
                !owe(&vault, "k", Secret::new(format!("token-{n}")), UNIX_EPOCH + Duration::from_secs(n)).await,
                "memory ends with the app"
            );
        }
        let debts = decode(&vault.get("k").await.unwrap().unwrap());
        let shown: Vec<_> = debts.iter().map(|debt| (debt.token.expose().clone(), debt.since)).collect();
        assert_eq!(shown, (3..MAX_OWED as u64 + 3).map(|n| (format!("token-{n}"), n)).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_list_is_empty() {
        for bytes in ["", "{}", "{\"v\":2,\"owed\":[{\"rt\":\"x\",\"since\":1}]}", "{\"v\":1,\"owed\":7}"] {
            assert!(decode(&bytes.as_bytes().into()).is_empty(), "{bytes}");
        }
    }
}

//! What is owed to the tenant: refresh tokens of sessions that are over here, and that the tenant has not been told of (RFC 7009).
//!
//! They wait in the vault, a few of them and not for ever, and are revoked at the next start or sign-in.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use callbox_vault::{Secret, Vault};
use serde::{Deserialize, Serialize};

use super::{actor::Actor, flights::Wings, sharing::Sharing};
use crate::{lock, record};

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

/// The list of a profile's debts, whichever of its accounts they are of. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger {
    vault: Vault,
    key: String,
    /// The folder of the locks that all processes of this user share.
    locks: Option<PathBuf>,
}

impl Ledger {
    /// Changes the list, with nobody else at it. Whether the change is kept, also after the app has ended.
    async fn change(&self, change: impl FnOnce(&mut Vec<Debt>)) -> bool {
        let _alone = match &self.locks {
            Some(folder) => Some(lock::take(folder.clone(), self.key.clone()).await),
            None => None,
        };
        let Ok(known) = self.vault.get(&self.key).await else { return false };
        let mut debts = known.map(|bytes| decode(&bytes)).unwrap_or_default();
        change(&mut debts);
        if debts.is_empty() {
            self.vault.delete(&self.key).await.is_ok()
        } else {
            matches!(self.vault.set(&self.key, encode(&debts)).await, Ok(callbox_vault::Kept::Protected))
        }
    }

    /// Keeps a token that could not be revoked. Whether it will be tried again, also after the app has ended.
    pub(super) async fn owe(&self, token: Secret<String>, now: SystemTime) -> bool {
        self.change(move |debts| {
            debts.push(Debt { token, since: seconds(now) });
            let surplus = debts.len().saturating_sub(MAX_OWED);
            debts.drain(..surplus);
        })
        .await
    }

    /// Revokes what is owed, as far as the tenant hears it.
    async fn pay(&self, wings: &Wings) {
        let Ok(Some(bytes)) = self.vault.get(&self.key).await else { return };
        let oldest = seconds(wings.clock.now()).saturating_sub(MAX_AGE.as_secs());
        let (due, mut settled): (Vec<_>, Vec<_>) = decode(&bytes).into_iter().partition(|debt| debt.since >= oldest);
        if !due.is_empty() {
            let Ok(metadata) = wings.discover().await else { return };
            for debt in due {
                if wings.revoke(&metadata, &debt.token).await != Revocation::Unheard {
                    settled.push(debt);
                }
            }
        }
        // Somebody may have signed out meanwhile: only what is settled goes. If it cannot be removed now, it is when the vault works again.
        let is_settled = |debt: &Debt| settled.iter().any(|settled| settled.token.expose() == debt.token.expose());
        self.change(|debts| debts.retain(|debt| !is_settled(debt))).await;
    }
}

impl Actor {
    /// What the profile owes.
    pub(super) fn ledger(&self) -> Ledger {
        let key = record::key(&self.wings.profile).replacen("session", "revoke", 1);
        Ledger { vault: self.vault.clone(), key, locks: self.sharing.as_ref().map(Sharing::folder) }
    }

    /// Tries once, in its own time.
    pub(super) fn pay_what_is_owed(&self) {
        let (wings, ledger) = (self.wings.clone(), self.ledger());
        tokio::spawn(async move { ledger.pay(&wings).await });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_few_tokens_wait_and_the_oldest_make_room() {
        let ledger = Ledger { vault: Vault::memory(), key: "k".to_owned(), locks: None };
        for n in 0..MAX_OWED as u64 + 3 {
            assert!(!ledger.owe(Secret::new(format!("token-{n}")), UNIX_EPOCH + Duration::from_secs(n)).await, "memory ends with the app");
        }
        let debts = decode(&ledger.vault.get("k").await.unwrap().unwrap());
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

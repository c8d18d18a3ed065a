//! The operating system's keychain, by way of keyring-core and the platform's store.

use std::{collections::HashMap, sync::Arc};

use keyring_core::{CredentialStore, Entry, Error};

use crate::{Backend, Secret, VaultError};

/// The key under which a probe writes and removes an empty note.
const PROBE: &str = "probe";

/// How often an entry is looked for again that was found and gone before the call reached it. More in a row is a keychain that contradicts
/// itself.
const MAX_LOOKS: usize = 20;

/// Opened on first use, on the vault's thread; opened again after a failure, because a keychain may start later than the app or be
/// restarted under it.
pub(crate) struct SystemBackend {
    service: String,
    store: Option<Arc<CredentialStore>>,
}

impl SystemBackend {
    pub(crate) fn new(service: &str) -> Self {
        Self { service: service.to_owned(), store: None }
    }

    fn entry(&mut self, key: &str) -> Result<Entry, Failed> {
        let store = match &self.store {
            Some(store) => store.clone(),
            None => self.store.insert(platform::open().map_err(Failed::ToOpen)?).clone(),
        };
        store.build(&self.service, key, Some(&HashMap::from(platform::MODIFIERS))).map_err(Failed::ToCall)
    }

    /// Finds the entry and runs `call` on it, which on some platforms are two steps: another process may remove the entry between them, and
    /// then it is looked for again.
    fn look<T>(&mut self, key: &str, call: &impl Fn(&Entry) -> Result<T, Error>) -> Result<T, Failed> {
        let mut looks = 0;
        loop {
            looks += 1;
            match self.entry(key).and_then(|entry| call(&entry).map_err(Failed::ToCall)) {
                Err(Failed::ToCall(Error::PlatformFailure(cause))) if looks < MAX_LOOKS && platform::is_gone(cause.as_ref()) => {}
                answer => return answer,
            }
        }
    }

    /// Runs `call` on the entry. When a connection from earlier fails, once more on a new one.
    fn with_entry<T>(&mut self, key: &str, call: impl Fn(&Entry) -> Result<T, Error>) -> Result<Option<T>, VaultError> {
        let was_open = self.store.is_some();
        let mut answer = self.look(key, &call);
        if let Err(Failed::ToCall(Error::PlatformFailure(_))) = answer {
            self.store = None;
            if was_open {
                answer = self.look(key, &call);
            }
        }
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(Failed::ToCall(Error::NoEntry)) => Ok(None),
            Err(Failed::ToCall(error)) => Err(explain(error)),
            // Whatever the reason is, nobody is there to be talked to.
            Err(Failed::ToOpen(error)) => match explain(error) {
                VaultError::Backend(why) => {
                    tracing::info!(why, "no keychain");
                    Err(VaultError::Unavailable)
                }
                error => Err(error),
            },
        }
    }
}

enum Failed {
    ToOpen(Error),
    ToCall(Error),
}

impl Backend for SystemBackend {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        Ok(self.with_entry(key, Entry::get_secret)?.map(Secret::new))
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        // A write that finds no entry would be the store's own contradiction.
        let written = self.with_entry(key, |entry| entry.set_secret(value.expose()))?;
        written.ok_or_else(|| VaultError::Backend("the entry vanished while it was written".to_owned()))
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        self.with_entry(key, Entry::delete_credential).map(|_| ())
    }

    /// Only a write tells whether writes work: a Secret Service without a collection reads fine.
    fn probe(&mut self) -> Result<(), VaultError> {
        self.set(PROBE, &Secret::new(b"callbox".to_vec()))?;
        self.delete(PROBE)
    }
}

/// A keychain's error in the vault's terms. Errors that carry the stored bytes are reduced to their kind.
fn explain(error: Error) -> VaultError {
    match error {
        Error::NoStorageAccess(cause) | Error::PlatformFailure(cause) => platform::explain(cause.as_ref()),
        Error::TooLong(_, max) => VaultError::TooLarge { len: 0, max: max as usize },
        Error::BadEncoding(_) | Error::BadDataFormat(..) => VaultError::Backend("the entry is not readable".to_owned()),
        Error::Ambiguous(entries) => VaultError::Backend(format!("{} entries have the same name", entries.len())),
        Error::NoDefaultStore | Error::NotSupportedByStore(_) => VaultError::Unavailable,
        error => VaultError::Backend(error.to_string()),
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{error::Error as StdError, sync::Arc};

    use keyring_core::{CredentialStore, Error};
    use zbus_secret_service_keyring_store::Store;

    use crate::VaultError;

    pub(super) const MODIFIERS: [(&str, &str); 1] = [("label", "Callbox")];

    pub(super) fn open() -> Result<Arc<CredentialStore>, Error> {
        Store::new().map(|store| store as Arc<CredentialStore>)
    }

    /// Whether the object that was called is no longer there. Which of these names a service answers with depends on how far it had come.
    pub(super) fn is_gone(cause: &(dyn StdError + Send + Sync + 'static)) -> bool {
        let text = cause.to_string();
        ["DBus.Error.UnknownMethod", "DBus.Error.UnknownObject", "DBus.Error.UnknownInterface", "Secret.Error.NoSuchObject"]
            .iter()
            .any(|name| text.contains(name))
    }

    /// A refused or dismissed prompt leaves the collection locked; a service without a default collection has nowhere to put a secret.
    pub(super) fn explain(cause: &(dyn StdError + Send + Sync + 'static)) -> VaultError {
        use secret_service::Error as Cause;
        match cause.downcast_ref::<Cause>() {
            Some(Cause::Locked | Cause::Prompt | Cause::PromptDisconnected) => VaultError::Locked,
            Some(Cause::NoResult | Cause::Unavailable) => VaultError::Unavailable,
            _ => {
                let text = cause.to_string();
                // The bus says this in the text only.
                if text.contains("AccessDenied") { VaultError::Denied } else { VaultError::Backend(text) }
            }
        }
    }
}

#[cfg(target_os = "macos")]
mod platform {
    use std::{error::Error as StdError, sync::Arc};

    use apple_native_keyring_store::keychain::Store;
    use keyring_core::{CredentialStore, Error};

    use crate::VaultError;

    pub(super) const MODIFIERS: [(&str, &str); 0] = [];

    pub(super) fn open() -> Result<Arc<CredentialStore>, Error> {
        Store::new().map(|store| store as Arc<CredentialStore>)
    }

    /// One call finds the entry and works on it.
    pub(super) fn is_gone(_: &(dyn StdError + Send + Sync + 'static)) -> bool {
        false
    }

    /// OSStatus values of the Security framework.
    pub(super) fn explain(cause: &(dyn StdError + Send + Sync + 'static)) -> VaultError {
        match cause.downcast_ref::<security_framework::base::Error>().map(|error| error.code()) {
            // errSecUserCanceled, errSecAuthFailed, errSecInvalidOwnerEdit, write permissions.
            Some(-128 | -25293 | -25244 | -61) => VaultError::Denied,
            // errSecInteractionNotAllowed, errSecInteractionRequired.
            Some(-25308 | -25315) => VaultError::Locked,
            // errSecNotAvailable, errSecNoSuchKeychain, errSecInvalidKeychain, errSecNoDefaultKeychain.
            Some(-25291 | -25294 | -25295 | -25307) => VaultError::Unavailable,
            _ => VaultError::Backend(cause.to_string()),
        }
    }
}

#[cfg(target_os = "windows")]
mod platform {
    use std::{error::Error as StdError, sync::Arc};

    use keyring_core::{CredentialStore, Error};
    use windows_native_keyring_store::Store;

    use crate::VaultError;

    /// Secrets stay on this computer: the default would let them roam with the user's profile, and a roamed refresh token is a replayed one.
    pub(super) const MODIFIERS: [(&str, &str); 1] = [("persistence", "Local")];

    pub(super) fn open() -> Result<Arc<CredentialStore>, Error> {
        Store::new().map(|store| store as Arc<CredentialStore>)
    }

    /// One call finds the entry and works on it.
    pub(super) fn is_gone(_: &(dyn StdError + Send + Sync + 'static)) -> bool {
        false
    }

    /// The store names the Win32 error in its text only.
    pub(super) fn explain(cause: &(dyn StdError + Send + Sync + 'static)) -> VaultError {
        let text = cause.to_string();
        if text.contains("ERROR_NO_SUCH_LOGON_SESSION") {
            VaultError::Unavailable
        } else if text.ends_with("error code 5") {
            VaultError::Denied
        } else {
            VaultError::Backend(text)
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
mod platform {
    use std::{error::Error as StdError, sync::Arc};

    use keyring_core::{CredentialStore, Error};

    use crate::VaultError;

    pub(super) const MODIFIERS: [(&str, &str); 0] = [];

    pub(super) fn open() -> Result<Arc<CredentialStore>, Error> {
        Err(Error::NoDefaultStore)
    }

    /// One call finds the entry and works on it.
    pub(super) fn is_gone(_: &(dyn StdError + Send + Sync + 'static)) -> bool {
        false
    }

    pub(super) fn explain(cause: &(dyn StdError + Send + Sync + 'static)) -> VaultError {
        VaultError::Backend(cause.to_string())
    }
}

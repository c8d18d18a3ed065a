//! The operating system's keychain, by way of keyring-core and the platform's store.

use std::{collections::HashMap, sync::Arc};

use keyring_core::{CredentialStore, Entry, Error};

use crate::{Backend, Secret, VaultError};

/// The key under which a probe writes and removes an empty note.
const PROBE: &str = "probe";

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

    fn entry(&mut self, key: &str) -> Result<Entry, Error> {
        let store = match &self.store {
            Some(store) => store.clone(),
            None => self.store.insert(platform::open()?).clone(),
        };
        store.build(&self.service, key, Some(&HashMap::from(platform::MODIFIERS)))
    }

    /// Runs `call` on the entry. When a connection from earlier fails, once more on a new one.
    fn with_entry<T>(&mut self, key: &str, call: impl Fn(&Entry) -> Result<T, Error>) -> Result<T, Error> {
        let was_open = self.store.is_some();
        let first = self.entry(key).and_then(|entry| call(&entry));
        match first {
            Err(Error::PlatformFailure(_)) => {
                self.store = None;
                if was_open { self.entry(key).and_then(|entry| call(&entry)) } else { first }
            }
            answer => answer,
        }
    }
}

impl Backend for SystemBackend {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        match self.with_entry(key, Entry::get_secret) {
            Ok(value) => Ok(Some(Secret::new(value))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(explain(error)),
        }
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        self.with_entry(key, |entry| entry.set_secret(value.expose())).map_err(explain)
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        match self.with_entry(key, Entry::delete_credential) {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(explain(error)),
        }
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

    /// A refused or dismissed prompt leaves the collection locked; a service without a default collection has nowhere to put a secret.
    pub(super) fn explain(cause: &(dyn StdError + Send + Sync + 'static)) -> VaultError {
        use secret_service::Error as Cause;
        match cause.downcast_ref::<Cause>() {
            Some(Cause::Locked | Cause::Prompt | Cause::PromptDisconnected) => VaultError::Locked,
            Some(Cause::NoResult | Cause::Unavailable) => VaultError::Unavailable,
            _ => {
                let text = cause.to_string();
                let says = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
                // The bus names these only in the text: nobody owns the service's name and nobody can be started to; the bus is gone.
                if says(&["AccessDenied"]) {
                    VaultError::Denied
                } else if says(&["ServiceUnknown", "NameHasNoOwner", "NoServer", "Spawn.", "I/O error"]) {
                    VaultError::Unavailable
                } else {
                    VaultError::Backend(text)
                }
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

    pub(super) fn explain(cause: &(dyn StdError + Send + Sync + 'static)) -> VaultError {
        VaultError::Backend(cause.to_string())
    }
}

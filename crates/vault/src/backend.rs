//! What a keychain has to be able to do.

use crate::{Secret, VaultError};

/// A keychain, as the vault's thread sees it. Calls may block for as long as they like; they are made one at a time, from one thread.
///
/// The app uses [`crate::Vault::system`]'s; tests bring their own, to hang, deny or be locked on command.
pub trait Backend: Send + 'static {
    /// The value under `key`; `None` if there is none.
    ///
    /// # Errors
    /// When the keychain cannot say.
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError>;

    /// Puts `value` under `key`, in place of what was there.
    ///
    /// # Errors
    /// When the value is not in the keychain afterwards.
    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError>;

    /// Removes what is under `key`. Nothing there is fine.
    ///
    /// # Errors
    /// When the keychain may still hold it.
    fn delete(&mut self, key: &str) -> Result<(), VaultError>;

    /// Whether secrets can be read and written now. Leaves nothing behind.
    ///
    /// # Errors
    /// What a read or a write would fail with.
    fn probe(&mut self) -> Result<(), VaultError>;
}

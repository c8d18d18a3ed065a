//! The wrapper around everything that must not be seen.

use std::fmt;

use zeroize::Zeroize;

/// A value that is never shown: no `Display`, no `Serialize`, a `Debug` without content; overwritten with zeros when dropped.
///
/// Cloning is possible and meant to be rare: every clone is one more copy in memory, zeroed like the first.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value. Copies of it that were made before are the caller's to wipe.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The value, for whoever builds it up. What grows must have room already: a buffer that moves leaves a copy behind.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl From<&[u8]> for Secret<Vec<u8>> {
    fn from(value: &[u8]) -> Self {
        Self(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let secret = Secret::new("refresh-token".to_owned());
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(…) Some(Secret(…))");
        assert_eq!(secret.expose(), "refresh-token");
    }

    #[test]
    fn every_copy_is_zeroed_on_drop() {
        #[derive(Clone)]
        struct Counted(Arc<AtomicUsize>);
        impl Zeroize for Counted {
            fn zeroize(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let zeroed = Arc::new(AtomicUsize::new(0));
        let secret = Secret::new(Counted(zeroed.clone()));
        let copy = secret.clone();
        drop(secret);
        assert_eq!(zeroed.load(Ordering::SeqCst), 1);
        drop(copy);
        assert_eq!(zeroed.load(Ordering::SeqCst), 2);
    }
}

//! [`super::Control`] over HTTP.

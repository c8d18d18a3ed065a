//! The front end.
pub mod markdown;

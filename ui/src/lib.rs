//! The front end of Callbox.
//!
//! It knows no token, no socket and no file: all that it shows comes from the shell as [`callbox_ipc::Event`]s, all that it wants goes to
//! the shell as commands, and both meet at [`backend`]. What it knows is in [`state`], what it looks like in `ui/styles`, what it says in
//! `ui/locales`. The parts it is drawn from are [`elements`], [`cards`] and [`screens`], each knowing only those before it.

#![allow(clippy::needless_pass_by_value, reason = "components and handlers of events own what they are given")]
#![allow(
    clippy::redundant_closure,
    reason = "views share one type for all closures that are written into them, and none for those with a name"
)]
#![allow(unreachable_pub, reason = "the component macro makes public items of private ones")]

pub mod backend;
pub mod cards;
pub mod elements;
#[cfg(feature = "gallery")]
pub mod gallery;
pub mod i18n;
pub mod markdown;
pub mod root;
pub mod screens;
pub mod state;
pub mod testids;

#[cfg(all(test, not(target_arch = "wasm32")))]
mod styles_tests;

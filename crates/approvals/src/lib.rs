//! Honest display of what an agent wants to do.
//!
//! Whatever an agent says about a tool call comes from outside and may be made to deceive: names and arguments can hide characters,
//! reverse their order, imitate other letters or push the dangerous half out of sight. This crate promises that
//!
//! * every code point of the input is shown, either as itself or as a marker that names it ([`visible`], [`visible_prose`]);
//! * every argument is shown in full, with its size ([`arguments()`]); nothing is cut off and nothing is interpreted as markup;
//! * what deserves a second look is said in words ([`warnings()`]).
//!
//! It draws nothing and decides nothing: it returns plain data for a window or a terminal to draw.

pub mod arguments;
pub mod characters;
mod scripts;
pub mod visible;
pub mod warnings;

pub use arguments::{Argument, Name, Shown, arguments};
pub use characters::Hidden;
pub use visible::{Marker, Span, readable, visible, visible_prose};
pub use warnings::{Warning, warnings};

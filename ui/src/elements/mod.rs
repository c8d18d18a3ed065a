//! The smallest things that are drawn: signs, texts from outside, buttons with a sign. They know neither state nor shell.

pub mod brand;
pub mod copy;
pub mod icon;
pub mod markdown;
pub mod page;
pub mod spans;

pub use brand::Brand;
pub use copy::Copy;
pub use icon::{Icon, Sign};
pub use markdown::Blocks;

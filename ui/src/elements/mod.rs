//! The smallest things that are drawn: signs, texts from outside, buttons with a sign, lists and what is there only at times. They know neither
//! state nor shell.

pub mod brand;
pub mod copy;
pub mod flow;
pub mod icon;
pub mod markdown;
pub mod page;
pub mod spans;
pub mod twice;

pub use brand::Brand;
pub use copy::Copy;
pub use flow::{For, Show};
pub use icon::{Icon, Sign};
pub use markdown::Blocks;
pub use twice::Twice;

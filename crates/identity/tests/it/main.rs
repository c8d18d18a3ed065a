//! Sessions against the sandbox tenant: real HTTP, real tokens, a scripted keychain.

mod callback;
mod faults;
mod keychain;
mod refresh;
mod sign_in;
mod sign_out;
mod world;

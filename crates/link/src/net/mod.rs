//! The network: how requests are made and what their answers mean. Everything that decides what to do about it is in `machine`.

mod answer;
mod client;
mod history;
mod socket;
mod tls;

pub use client::{ClientError, http_client};
pub(crate) use history::fetch as fetch_history;
pub(crate) use socket::{Road, Socket, SocketEvent, open as open_socket};
pub use tls::tls_config;

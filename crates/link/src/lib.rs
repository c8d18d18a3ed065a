//! The authenticated socket to an agent: connect, refresh, reconnect, resume.

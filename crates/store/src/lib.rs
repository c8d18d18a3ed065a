//! The encrypted local store: the list of conversations.

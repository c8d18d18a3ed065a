//! Secrets in the OS keychain: bounded in time, honest about failure.

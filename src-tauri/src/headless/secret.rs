//! `callbox client-secret`: the secret of a machine's client, from stdin into the keychain. It is never an argument: those can be read by others.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::PathBuf,
};

use callbox_vault::{Secret, Vault};
use clap::Args;

use super::{
    DATA_ERROR, FAILED, INTERRUPTED, SIGN_IN, UNAVAILABLE, USAGE,
    account::{complain, with_vault},
    exit_code,
    interrupts::Interrupts,
};
use crate::core::{Client, MachineError};

/// The longest secret that is taken, in bytes.
const MAX_SECRET: usize = 4096;

/// Put the secret of a machine's client into the keychain, for “callbox ask --client-credentials”.
///
/// The secret is read from stdin: one line, which is not shown where it is typed. Which client it is, the profile says (service_client_id) or the
/// variable CALLBOX_CLIENT_ID.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Exit codes:
   0  it is in the keychain, or it is not any more
   2  the command line is wrong, or there is no secret on stdin
  65  the profile or the secret is not what it should be
  66  the profile cannot be read
  69  the keychain does not take it, or does not let go of it; stderr says why
  77  which client it is, is not known
 130  interrupted")]
pub(crate) struct Options {
    /// The agent and tenant, as a TOML file (default: that of the agent that was added last, else the installed one).
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,

    /// Take the secret away instead.
    #[arg(long)]
    pub forget: bool,
}

/// Runs `callbox client-secret`; the exit code comes back.
pub(crate) fn run(options: &Options) -> u8 {
    let done = with_vault(async |folders, vault| {
        Ok(match Client::find(folders, options.profile.as_deref()) {
            Ok(client) if options.forget => forget(&client, vault).await,
            Ok(client) => keep(&client, vault).await,
            Err(error) => complain(&error.to_string(), machine_exit_code(&error)),
        })
    });
    done.unwrap_or_else(|exit| exit)
}

/// A stable name for why a machine cannot speak.
pub(super) fn machine_code(error: &MachineError) -> &'static str {
    match error {
        MachineError::Workspace(error) => error.code(),
        MachineError::NoClient => "machine-without-client",
        MachineError::NoSecret(_) => "machine-without-secret",
        MachineError::Keychain(error) => error.code(),
        MachineError::Token { error, .. } => error.code(),
    }
}

/// The exit code for a machine that cannot speak.
pub(super) fn machine_exit_code(error: &MachineError) -> u8 {
    match error {
        MachineError::Workspace(error) => exit_code(error),
        MachineError::NoClient | MachineError::NoSecret(_) => SIGN_IN,
        MachineError::Token {
            error: callbox_identity::TokenError::Configuration(_) | callbox_identity::TokenError::Interaction(_),
            ..
        } => SIGN_IN,
        MachineError::Keychain(_) | MachineError::Token { .. } => UNAVAILABLE,
    }
}

async fn forget(client: &Client, vault: &Vault) -> u8 {
    match client.forget(vault).await {
        Ok(()) => complain(&format!("The secret of {} is not in the keychain any more.", client.id()), 0),
        Err(why) => complain(&format!("The secret may still be in the keychain. {why}"), UNAVAILABLE),
    }
}

async fn keep(client: &Client, vault: &Vault) -> u8 {
    let mut interrupts = Interrupts::listen();
    let is_typed = io::stdin().is_terminal();
    let read = {
        let silence = is_typed.then(echo::off).flatten();
        if is_typed && silence.is_none() {
            return complain("What is typed here would be seen. Hand the secret over through a pipe instead.", USAGE);
        }
        if is_typed {
            let _ = write!(io::stderr(), "The secret of {}: ", super::plain::prose(client.id()));
        }
        // A thread of its own: a read from a terminal must not hold up the end of the program.
        let (told, read) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || told.send(line()));
        tokio::select! {
            biased;
            () = interrupts.first() => None,
            read = read => Some(read),
        }
    };
    if is_typed {
        let _ = writeln!(io::stderr());
    }
    let secret = match read {
        None => return complain("Stopped.", INTERRUPTED),
        Some(Ok(Ok(secret))) => secret,
        Some(Ok(Err(error))) => return complain(&format!("The secret cannot be read from stdin ({error})."), DATA_ERROR),
        Some(Err(_)) => return complain("The secret cannot be read from stdin.", FAILED),
    };
    if secret.expose().is_empty() {
        return complain("There is no secret on stdin.", USAGE);
    }
    if secret.expose().len() > MAX_SECRET || !secret.expose().iter().all(u8::is_ascii_graphic) {
        return complain("What is on stdin is no client secret: one line of visible characters.", DATA_ERROR);
    }
    match client.keep(vault, secret).await {
        Ok(()) => complain(&format!("The secret of {} is in the keychain.", client.id()), 0),
        Err(why) => complain(&format!("The secret was not kept. {why}"), UNAVAILABLE),
    }
}

/// The first line of stdin. One buffer of the final size: growing would leave copies behind.
fn line() -> io::Result<Secret<Vec<u8>>> {
    let mut secret = Secret::new(Vec::with_capacity(MAX_SECRET + 2));
    let mut stdin = io::stdin().lock();
    let mut byte = Secret::new(vec![0]);
    while secret.expose().len() <= MAX_SECRET && stdin.read(byte.expose_mut())? == 1 {
        match byte.expose()[0] {
            b'\n' => break,
            other => secret.expose_mut().push(other),
        }
    }
    if secret.expose().last() == Some(&b'\r') {
        secret.expose_mut().pop();
    }
    Ok(secret)
}

#[cfg(unix)]
mod echo {
    use std::io;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// What is typed is not shown until this is dropped.
    pub(super) struct Silence(Termios);

    pub(super) fn off() -> Option<Silence> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent).ok()?;
        Some(Silence(before))
    }

    impl Drop for Silence {
        fn drop(&mut self) {
            // The terminal has gone: nobody looks at it.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        }
    }
}

/// Elsewhere what is typed cannot be hidden.
#[cfg(not(unix))]
mod echo {
    pub(super) enum Silence {}

    pub(super) fn off() -> Option<Silence> {
        None
    }
}

#[cfg(test)]
mod tests {
    use callbox_identity::{TokenError, Trouble};
    use callbox_vault::VaultError;

    use super::*;

    #[test]
    fn each_end_has_its_exit_code() {
        let token = |error| MachineError::Token { error, quota: None };
        for (error, exit) in [
            (MachineError::NoClient, 77),
            (MachineError::NoSecret("c".to_owned()), 77),
            (MachineError::Keychain(VaultError::Locked), 69),
            (token(Trouble::RateLimited { retry_in: None }.into()), 69),
            (token(TokenError::Malformed("x")), 69),
        ] {
            assert_eq!(machine_exit_code(&error), exit, "{error:?}");
        }
    }
}

//! `callbox status` and `callbox logout`: who is signed in, and the end of that. The sign-in is the window's.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use callbox_ipc::{AccountEntry, AccountView, SessionView, StorageView};
use callbox_vault::Vault;
use clap::Args;
use serde::Serialize;

use super::{FAILED, IO_ERROR, SIGN_IN, UNAVAILABLE, exit_code, plain};
use crate::{
    IDENTIFIER,
    core::{Left, Standing, Workspace, WorkspaceError},
    folders::Folders,
};

/// Say who is signed in, by what the keychain holds. Nobody else is asked.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Exit codes:
   0  somebody is signed in
   2  the command line is wrong
  65  the profile is not what it should be
  66  the profile cannot be read
  69  the keychain does not answer; stderr says why
  74  the output cannot be written
  77  nobody is signed in")]
pub(crate) struct StatusOptions {
    /// The agent and tenant, as a TOML file (default: that of the agent that was added last, else the installed one).
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,

    /// Whom to ask for, where several are signed in: the address or the name (default: the one whom the window showed last).
    #[arg(long, value_name = "WHO")]
    pub account: Option<String>,

    /// Print one JSON object.
    ///
    /// {"agent", "agent_host", "tenant_host", "signed_in"}; if somebody is, "name", "email", and "kept": whether the sign-in outlives the app; if
    /// nobody is, "code" and "text" of the reason, where there is one. "accounts": everybody who is signed in at any agent, each with "name",
    /// "email", "agent", "agent_host", "tenant_host", and "current": whether it is the one above.
    #[arg(long)]
    pub json: bool,
}

/// Sign out: revoke the sign-in at the tenant, and remove it and the account's list of conversations from this computer.
///
/// The conversations themselves stay with the agent. A window that is open notices when it needs its next token.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Exit codes:
   0  nobody is signed in any more, or nobody was
   1  the list of conversations could not be removed
   2  the command line is wrong
  65  the profile is not what it should be
  66  the profile cannot be read
  69  the keychain did not let go of the sign-in, or the tenant could not be told; stderr says which")]
pub(crate) struct LogoutOptions {
    /// The agent and tenant, as a TOML file (default: that of the agent that was added last, else the installed one).
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,

    /// Whom to sign out, where several are signed in: the address or the name.
    #[arg(long, value_name = "WHO")]
    pub account: Option<String>,
}

/// What `callbox status --json` prints.
#[derive(Serialize)]
struct Line<'a> {
    agent: &'a str,
    agent_host: &'a str,
    tenant_host: &'a str,
    signed_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    accounts: Vec<Other<'a>>,
}

/// One of those who are signed in.
#[derive(Serialize)]
struct Other<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    agent: &'a str,
    agent_host: &'a str,
    tenant_host: &'a str,
    current: bool,
}

fn others(accounts: &[AccountEntry]) -> Vec<Other<'_>> {
    let mut others = Vec::new();
    for AccountEntry { account, agent, agent_host, tenant_host, current, .. } in accounts {
        if let Some(AccountView { name, email }) = account {
            others.push(Other { name, email: email.as_deref(), agent, agent_host, tenant_host, current: *current });
        }
    }
    others
}

/// Runs `callbox status`; the exit code comes back.
pub(crate) fn status(options: &StatusOptions) -> u8 {
    let standing = match with_vault(async |folders, vault| {
        Workspace::standing(folders, options.profile.as_deref(), options.account.as_deref(), vault).await
    }) {
        Ok(standing) => standing,
        Err(exit) => return exit,
    };
    let written = if options.json { write_json(&mut io::stdout(), &standing) } else { write_text(&mut io::stdout(), &standing) };
    match written {
        Ok(()) if matches!(standing.session, SessionView::SignedIn { .. }) => 0,
        Ok(()) => SIGN_IN,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => complain(&format!("The output cannot be written ({error})."), IO_ERROR),
    }
}

/// Runs `callbox logout`; the exit code comes back.
pub(crate) fn logout(options: &LogoutOptions) -> u8 {
    let left = with_vault(async |folders, vault| sign_out(folders, options, vault).await);
    let (who, Left { out, list }) = match left {
        Ok(Some(left)) => left,
        Ok(None) => return complain("Nobody was signed in.", 0),
        Err(exit) => return exit,
    };
    if let Some(why) = out.left_in_keychain {
        return complain(&format!("The sign-in may still be in the keychain. {why}"), UNAVAILABLE);
    }
    if let Some(why) = list {
        return complain(&format!("Signed out, but the list of conversations is still there. {why}"), FAILED);
    }
    let gone = if options.account.is_some() { format!("{who} is signed out") } else { "Signed out".to_owned() };
    if out.will_be_revoked {
        let text = format!("{gone} on this computer. The sign-in server could not be told; it is at the next start or sign-in.");
        return complain(&text, UNAVAILABLE);
    }
    if !out.revoked {
        let text = format!("{gone} on this computer. The sign-in server could not be told; its own sign-in ends by itself after a while.");
        return complain(&text, UNAVAILABLE);
    }
    complain(&format!("{gone}."), 0)
}

/// Who it was, and what the sign-out has achieved; `None` if nobody was signed in.
async fn sign_out(folders: &Folders, options: &LogoutOptions, vault: &Vault) -> Result<Option<(String, Left)>, WorkspaceError> {
    match Workspace::open(folders, options.profile.as_deref(), options.account.as_deref(), vault).await {
        Ok(workspace) => {
            let who = workspace.who();
            Ok(Some((who, workspace.sign_out().await)))
        }
        Err(WorkspaceError::SignedOut { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Does something with this user's folders and keychain. What goes wrong is said, and its exit code comes back.
pub(super) fn with_vault<T>(work: impl AsyncFnOnce(&Folders, &Vault) -> Result<T, WorkspaceError>) -> Result<T, u8> {
    let Some(folders) = Folders::find() else {
        return Err(complain("Callbox does not know where its files are. Set HOME to your home folder, then try again.", FAILED));
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("core").build();
    let runtime = runtime.map_err(|error| complain(&format!("Callbox could not start ({error})."), FAILED))?;
    let done = runtime.block_on(async { work(&folders, &Vault::system(IDENTIFIER)).await });
    // A keychain that does not answer holds nobody up.
    runtime.shutdown_background();
    done.map_err(|error| complain(&error.to_string(), exit_code(&error)))
}

/// Says something on stderr; the exit code is passed on.
pub(super) fn complain(text: &str, exit: u8) -> u8 {
    let _ = writeln!(io::stderr(), "{}", plain::prose(text));
    exit
}

fn write_text(output: &mut impl Write, standing: &Standing) -> io::Result<()> {
    let Standing { profile, session, accounts } = standing;
    let text = match session {
        SessionView::SignedIn { account, storage } => {
            let email = account.email.as_ref().map(|email| format!(" ({email})")).unwrap_or_default();
            let storage = match storage {
                StorageView::Keychain => "kept in the keychain",
                StorageView::SessionOnly { .. } => "not kept",
            };
            format!("{}{email}, {storage}", account.name)
        }
        SessionView::SignedOut { reason: Some(reason) } => format!("nobody. {}", reason.text),
        _ => "nobody".to_owned(),
    };
    for (name, value) in
        [("Agent", format!("{}, {}", profile.name, profile.agent_host)), ("Tenant", profile.tenant_host.clone()), ("Signed in", text)]
    {
        writeln!(output, "{:<11}{}", format!("{name}:"), plain::prose(&value))?;
    }
    for Other { name, email, agent, agent_host, .. } in others(accounts).into_iter().filter(|other| !other.current) {
        let email = email.map(|email| format!(" ({email})")).unwrap_or_default();
        writeln!(output, "{:<11}{}", "Also:", plain::prose(&format!("{name}{email} at {agent}, {agent_host}")))?;
    }
    output.flush()
}

fn write_json(output: &mut impl Write, standing: &Standing) -> io::Result<()> {
    let Standing { profile, session, accounts } = standing;
    let (account, storage, reason) = match session {
        SessionView::SignedIn { account, storage } => (Some(account), Some(storage), None),
        SessionView::SignedOut { reason } => (None, None, reason.as_ref()),
        SessionView::Restoring | SessionView::SigningIn { .. } => (None, None, None),
    };
    plain::write_json(
        output,
        &Line {
            agent: &profile.name,
            agent_host: &profile.agent_host,
            tenant_host: &profile.tenant_host,
            signed_in: account.is_some(),
            name: account.map(|account| account.name.as_str()),
            email: account.and_then(|account| account.email.as_deref()),
            kept: storage.map(|storage| *storage == StorageView::Keychain),
            code: reason.map(|reason| reason.code.as_str()),
            text: reason.map(|reason| reason.text.as_str()),
            accounts: others(accounts),
        },
    )
}

#[cfg(test)]
mod tests {
    use callbox_ipc::{AccountView, ProfileView, UserError};
    use serde_json::{Value, json};

    use super::*;

    fn standing(session: SessionView) -> Standing {
        let profile = ProfileView {
            one_conversation: false,
            name: "House\u{1b}[2J".to_owned(),
            agent_host: "agent.example".to_owned(),
            tenant_host: "t.example:8443".to_owned(),
            sandbox: false,
            provenance: Vec::new(),
        };
        Standing { profile, session, accounts: Vec::new() }
    }

    fn said(standing: &Standing) -> (String, Value) {
        let (mut text, mut line) = (Vec::new(), Vec::new());
        write_text(&mut text, standing).unwrap();
        write_json(&mut line, standing).unwrap();
        (String::from_utf8(text).unwrap(), serde_json::from_slice(&line).unwrap())
    }

    #[test]
    fn status_tells_who_is_signed_in_where_and_a_name_cannot_steer_the_terminal() {
        let account = AccountView { name: "Ada\u{202e}".to_owned(), email: Some("ada@example.com".to_owned()) };
        let (text, line) = said(&standing(SessionView::SignedIn { account, storage: StorageView::Keychain }));
        let expected = "Agent:     House[U+001B][2J, agent.example\nTenant:    t.example:8443\n\
                        Signed in: Ada[U+202E] (ada@example.com), kept in the keychain\n";
        assert_eq!(text, expected);
        let agent = json!({"agent": "House\u{1b}[2J", "agent_host": "agent.example", "tenant_host": "t.example:8443"});
        let mut expected = json!({"signed_in": true, "name": "Ada\u{202e}", "email": "ada@example.com", "kept": true, "accounts": []});
        expected.as_object_mut().unwrap().extend(agent.as_object().unwrap().clone());
        assert_eq!(line, expected);
    }

    #[test]
    fn status_tells_of_everybody_who_is_signed_in() {
        let account = AccountView { name: "Ada".to_owned(), email: None };
        let mut standing = standing(SessionView::SignedIn { account: account.clone(), storage: StorageView::Keychain });
        let entry = |account: AccountView, current| AccountEntry {
            id: String::new(),
            account: Some(account),
            agent: "Desk\u{1b}".to_owned(),
            agent_host: "desk.example".to_owned(),
            tenant_host: "t.example".to_owned(),
            sandbox: false,
            current,
            removable: false,
        };
        let grace = AccountView { name: "Grace".to_owned(), email: Some("grace@example.com".to_owned()) };
        standing.accounts = vec![entry(account, true), entry(grace, false)];
        let (text, line) = said(&standing);
        assert!(text.ends_with("kept in the keychain\nAlso:      Grace (grace@example.com) at Desk[U+001B], desk.example\n"), "{text}");
        let told = json!({"name": "Grace", "email": "grace@example.com", "agent": "Desk\u{1b}", "agent_host": "desk.example",
            "tenant_host": "t.example", "current": false});
        assert_eq!((line["accounts"].as_array().unwrap().len(), &line["accounts"][1]), (2, &told));
    }

    #[test]
    fn status_tells_why_nobody_is_signed_in() {
        let reason = Some(UserError::new("session-ended", "It has ended."));
        let (text, line) = said(&standing(SessionView::SignedOut { reason }));
        assert!(text.ends_with("Signed in: nobody. It has ended.\n"), "{text}");
        assert_eq!((&line["signed_in"], &line["code"]), (&json!(false), &json!("session-ended")));
        let (text, line) = said(&standing(SessionView::SignedOut { reason: None }));
        assert!(text.ends_with("Signed in: nobody\n") && line.get("code").is_none(), "{text}{line}");
    }
}

//! The command line, and the links in it. Each command says what it does and how it ends in its own help.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use url::Url;

/// The scheme of the links with which a browser hands a sign-in back.
pub(crate) const SCHEME: &str = "dev.callbox.desktop";

/// A desktop chat client for AI agents that stand behind a login.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "callbox", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// What to do without a window. Nothing: open it.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Try Callbox with the tenant and the agent that are built in; needs no account, no key and no network.
    #[arg(long)]
    pub sandbox: bool,

    /// The port of the built-in tenant (default: one that is free).
    #[arg(long, value_name = "PORT", requires = "sandbox")]
    pub sandbox_port: Option<u16>,

    /// Talk to this agent instead of the built-in one, signed in at the built-in tenant.
    #[arg(long, value_name = "URL", requires = "sandbox")]
    pub agent: Option<Url>,

    /// The agent and tenant to use, as a TOML file.
    #[arg(long, value_name = "FILE", conflicts_with = "sandbox")]
    pub profile: Option<PathBuf>,

    /// A link that a browser hands to Callbox.
    #[arg(value_name = "LINK", hide = true)]
    pub links: Vec<String>,
}

/// What Callbox does without a window and a display.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    Ask(crate::headless::ask::Options),
    Login(crate::headless::login::Options),
    Status(crate::headless::account::StatusOptions),
    Logout(crate::headless::account::LogoutOptions),
    Doctor(crate::headless::doctor::Options),
    ClientSecret(crate::headless::secret::Options),
    Replay(crate::headless::replay::Options),
}

/// Every argument that is a link of ours, in order, wherever it stands.
///
/// Browsers and desktops hand a link over as an argument of a new process, some with flags of their own beside it. The scheme is compared
/// without regard to case (RFC 3986 §3.1); everything else is the link's business.
pub(crate) fn links<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    arguments
        .into_iter()
        .filter(|argument| argument.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME)))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test that says which arguments were refused")]
mod tests {
    use super::*;

    const LINK: &str = "dev.callbox.desktop://callback?code=a&state=b";

    #[test]
    fn a_link_is_found_wherever_it_stands() {
        for (arguments, found) in [
            (vec![LINK], 1),
            (vec!["--hidden", LINK], 1),
            (vec![LINK, "--flag"], 1),
            (vec![LINK, LINK], 2),
            (vec!["DEV.callbox.Desktop://callback?x"], 1),
            (vec!["dev.callbox.desktop.evil://callback"], 0),
            (vec!["https://example.com/?u=dev.callbox.desktop://callback"], 0),
            (vec!["--profile", "dev.callbox.desktop"], 0),
            (vec![], 0),
        ] {
            assert_eq!(links(arguments.iter().copied()).len(), found, "{arguments:?}");
        }
    }

    #[test]
    fn a_link_alone_or_beside_other_arguments_opens_the_window() {
        for arguments in [vec!["callbox", LINK], vec!["callbox", LINK, LINK], vec!["callbox", "--sandbox", LINK]] {
            let args = Args::try_parse_from(&arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
            assert!(args.command.is_none());
            assert_eq!(args.links.len(), arguments.iter().filter(|argument| **argument == LINK).count());
        }
    }

    #[test]
    fn a_command_takes_its_own_arguments_and_no_others() {
        let args = Args::try_parse_from(["callbox", "replay", "recording.jsonl", "--json"]).map(|args| args.command);
        assert!(matches!(args, Ok(Some(Command::Replay(options))) if options.json));
        for wrong in [vec!["callbox", "replay"], vec!["callbox", "replay", "a", "b"], vec!["callbox", "replay", "a", "--sandbox"]] {
            assert_eq!(Args::try_parse_from(&wrong).map_err(|error| error.exit_code()).err(), Some(2), "{wrong:?}");
        }
    }

    #[test]
    fn a_port_without_the_sandbox_is_refused() {
        assert!(Args::try_parse_from(["callbox", "--sandbox-port", "4000"]).is_err());
        assert!(Args::try_parse_from(["callbox", "--sandbox", "--sandbox-port", "4000"]).is_ok());
        assert!(Args::try_parse_from(["callbox", "--sandbox", "--profile", "x.toml"]).is_err());
    }
}

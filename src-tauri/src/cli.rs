//! The command line, and the links in it.

use std::path::PathBuf;

use clap::Parser;
use url::Url;

/// The scheme of the links with which a browser hands a sign-in back.
pub(crate) const SCHEME: &str = "dev.callbox.desktop";

/// A desktop chat client for AI agents that stand behind a login.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "callbox", version)]
pub(crate) struct Args {
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
    fn a_port_without_the_sandbox_is_refused() {
        assert!(Args::try_parse_from(["callbox", "--sandbox-port", "4000"]).is_err());
        assert!(Args::try_parse_from(["callbox", "--sandbox", "--sandbox-port", "4000"]).is_ok());
        assert!(Args::try_parse_from(["callbox", "--sandbox", "--profile", "x.toml"]).is_err());
    }
}

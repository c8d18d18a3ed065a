//! `callbox ask`: one message to an agent, and its answer, without a window.

mod answer;
mod question;
mod report;
mod side;
mod talk;

use std::{
    io::{self, Read, Write},
    path::PathBuf,
};

use callbox_link::{CommandError, DeliveryError, Link, LinkError, TurnError};
use callbox_protocol::UiMessage;
use callbox_vault::Vault;
use clap::Args;

use self::{
    report::{Event, Report},
    side::Side,
    talk::Talk,
};
use super::{
    DATA_ERROR, DENIED, FAILED, INTERRUPTED, IO_ERROR, NO_INPUT, SIGN_IN, UNAVAILABLE, USAGE, exit_code,
    interrupts::Interrupts,
    secret::{machine_code, machine_exit_code},
    terminal::Terminal,
};
use crate::{
    IDENTIFIER,
    core::{MachineError, WorkspaceError},
    folders::Folders,
};

/// Send one message to an agent and print its answer as it comes.
///
/// You must have signed in, with “callbox login” or in the window; the sign-in is the same. A machine that has a client of its own at the tenant
/// needs none: see --client-credentials. The answer is on stdout. What is beside it is on stderr: the name of a
/// new conversation, what the agent thinks, what its tools do. What would steer the terminal is spelt out.
///
/// If a tool needs your approval, you are asked on the terminal, with every argument in full. Where there is no terminal it is denied,
/// unless --allow names it. What is left undecided waits in the conversation.
///
/// Ctrl-C stops the answer at the agent; a second one ends at once.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Exit codes:
   0  the agent has answered
   1  the agent could not answer, or did not take the message
   2  the command line is wrong, there is nothing to send, or several are signed in and nobody is named
   3  the agent has answered, and something was denied because there is no terminal to ask on
  65  the profile or the text is not what it should be
  66  the profile or the text cannot be read
  69  the agent or the keychain cannot be reached, or the agent refuses; stderr says which and whether the message was sent
  74  the output cannot be written
  77  nobody is signed in, or the machine's client is not known or not taken
 130  interrupted")]
pub(crate) struct Options {
    /// What to say. A single - reads it from stdin.
    #[arg(value_name = "TEXT")]
    pub text: String,

    /// The agent and tenant to use, as a TOML file (default: that of the agent that was added last, else the installed one).
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,

    /// Whose message it is, where several are signed in: the address or the name.
    #[arg(long, value_name = "WHO")]
    pub account: Option<String>,

    /// The conversation to go on with, or to begin under this name: letters, digits and -._~ (default: a new one).
    #[arg(long, value_name = "NAME", value_parser = conversation)]
    pub conversation: Option<String>,

    /// Print JSON, one object a line.
    ///
    /// Each has a "type": "conversation" (id, new); "sent" (message: its id); "text" and "reasoning" (place: [message, part] in the answer;
    /// delta: what comes next there; anew: what was told of this place is void); "tool" (call: the tool call, at each of its states); "part"
    /// (part: anything else in the answer); "decision" (call, tool, approved, by: terminal, allow or default); "link" (online; code and text
    /// if not); "warning" and "error" (code, text); and last "end" (exit: the exit code; messages: the answer's messages, whole).
    #[arg(long, verbatim_doc_comment)]
    pub json: bool,

    /// Speak for a machine, as a confidential client of the tenant (OAuth 2.0 client credentials): no sign-in, no window.
    ///
    /// The client's id is the profile's service_client_id, or in CALLBOX_CLIENT_ID. Its secret is in CALLBOX_CLIENT_SECRET, and then no keychain is
    /// needed; or “callbox client-secret” has put it into the keychain, where the token is kept, too, for the next run. CALLBOX_ORGANIZATION names
    /// the organization that the machine acts in.
    #[arg(long, conflicts_with = "account")]
    pub client_credentials: bool,

    /// Approve this tool without asking, by its exact name, with whatever arguments. May be given several times.
    #[arg(long, value_name = "TOOL")]
    pub allow: Vec<String>,
}

/// The name of a conversation, as an agent's address carries it.
fn conversation(name: &str) -> Result<String, String> {
    const LONGEST: usize = 200;
    let plain = |character: char| character.is_ascii_alphanumeric() || "-._~".contains(character);
    // A dot or two are no name in an address (RFC 3986 §5.2.4).
    if name.is_empty() || name.len() > LONGEST || name == "." || name == ".." || !name.chars().all(plain) {
        return Err(format!("a name has letters, digits and -._~ only, {LONGEST} at most"));
    }
    Ok(name.to_owned())
}

/// How it went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    /// Answered, and something was denied because nobody could be asked.
    Denied,
}

impl Outcome {
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Answered => 0,
            Self::Denied => DENIED,
        }
    }
}

/// Why there is no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("The text on stdin is not UTF-8.")]
    NotText,
    #[error("The text cannot be read from stdin ({0}).")]
    Input(io::Error),
    #[error("Callbox does not know where its files are. Set HOME to your home folder, then try again.")]
    Homeless,
    #[error("Callbox could not start ({0}).")]
    Runtime(io::Error),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("This agent has one conversation with you. Leave --conversation out, then try again.")]
    OneConversation,
    #[error("{why} {}", if *sent { "The message may have been sent: look into the conversation before you send it again." } else { "Nothing was sent." })]
    Unavailable { why: LinkError, sent: bool },
    #[error("The sign-in has ended. Sign in with “callbox login” or in the window, then try again.")]
    SignInNeeded,
    /// Somebody is signed in, which does not help.
    #[error("{why}")]
    NotAccepted { why: LinkError },
    #[error("The connection was closed because somebody else has signed in.")]
    Closed,
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    #[error(transparent)]
    Turn(#[from] TurnError),
    #[error("The agent has not gone on after the decision. Look into the conversation.")]
    Stalled,
    #[error("The output cannot be written ({0}).")]
    Output(#[from] io::Error),
    #[error("Stopped.")]
    Interrupted,
}

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Command(CommandError::Empty) | Self::OneConversation => USAGE,
            Self::NotText | Self::Command(CommandError::TooLong { .. }) => DATA_ERROR,
            Self::Input(_) => NO_INPUT,
            Self::Workspace(error) => exit_code(error),
            Self::Machine(error) => machine_exit_code(error),
            Self::Unavailable { .. } => UNAVAILABLE,
            Self::SignInNeeded | Self::NotAccepted { .. } | Self::Closed => SIGN_IN,
            // Whoever reads has seen enough, which is no failure: `callbox ask … | head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Output(_) => IO_ERROR,
            Self::Homeless | Self::Runtime(_) | Self::Command(_) | Self::Delivery(_) | Self::Turn(_) | Self::Stalled => FAILED,
            Self::Interrupted => INTERRUPTED,
        }
    }

    /// A stable name for scripts.
    fn code(&self) -> &'static str {
        match self {
            Self::NotText => "not-text",
            Self::Input(_) => "input",
            Self::Homeless | Self::Runtime(_) => "start",
            Self::Workspace(error) => error.code(),
            Self::Machine(error) => machine_code(error),
            Self::Unavailable { why, .. } | Self::NotAccepted { why } => why.code(),
            Self::SignInNeeded => "signed-out",
            Self::Closed => "conversation-closed",
            Self::OneConversation => "one-conversation",
            Self::Command(error) => error.code(),
            Self::Delivery(error) => error.code(),
            Self::Turn(error) => error.code(),
            Self::Stalled => "stalled",
            Self::Output(_) => "output",
            Self::Interrupted => "interrupted",
        }
    }

    /// Says it, unless whoever reads has stopped to.
    fn tell<O: Write, E: Write>(&self, report: &mut Report<O, E>) {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Self::Output(_) => report.complain(&self.to_string()),
            // That it cannot be said either is told by the exit code.
            _ => drop(report.event(&Event::Error { code: self.code(), text: &self.to_string() })),
        }
    }
}

/// How it ended, and the messages of the answer as far as there are any.
type Ended = (Result<Outcome, Failure>, Vec<UiMessage>);

/// Runs the command to its end, and says how that was; the exit code comes back.
pub(crate) fn run(options: &Options) -> u8 {
    let mut report = report::standard(options.json);
    let (result, messages) = start(options, &mut report);
    let exit = result.as_ref().map_or_else(Failure::exit_code, |outcome| outcome.exit_code());
    if let Err(failure) = &result {
        failure.tell(&mut report);
    }
    match (&result, report.end(exit, &messages).map_err(Failure::Output)) {
        (Ok(_), Err(failure)) => {
            failure.tell(&mut report);
            failure.exit_code()
        }
        _ => exit,
    }
}

fn start<O: Write, E: Write>(options: &Options, report: &mut Report<O, E>) -> Ended {
    let prepared = text(&options.text, &mut io::stdin().lock()).and_then(|text| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("core").build().map_err(Failure::Runtime)?;
        Ok((text, runtime))
    });
    let (text, runtime) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return (Err(failure), Vec::new()),
    };
    let ended = runtime.block_on(ask(options, &text, report));
    // A keychain that does not answer holds nobody up.
    runtime.shutdown_background();
    ended
}

/// What to say: the argument, or what is on stdin, without the end of its last line.
fn text(argument: &str, input: &mut impl Read) -> Result<String, Failure> {
    let text = if argument == "-" {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).map_err(Failure::Input)?;
        let text = String::from_utf8(bytes).map_err(|_| Failure::NotText)?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        line.strip_suffix('\r').unwrap_or(line).to_owned()
    } else {
        argument.to_owned()
    };
    if text.trim().is_empty() { Err(CommandError::Empty.into()) } else { Ok(text) }
}

async fn ask<O: Write, E: Write>(options: &Options, text: &str, report: &mut Report<O, E>) -> Ended {
    let mut interrupts = Interrupts::listen();
    let vault = Vault::system(IDENTIFIER);
    let opened = async {
        let folders = Folders::find().ok_or(Failure::Homeless)?;
        Side::open(options, &folders, &vault).await
    };
    let opened = tokio::select! {
        biased;
        () = interrupts.first() => Err(Failure::Interrupted),
        opened = opened => opened,
    };
    let side = match opened {
        Ok(side) => side,
        Err(failure) => return (Err(failure), Vec::new()),
    };
    let conversation = match side.conversation(options.conversation.as_deref()) {
        Ok(conversation) => conversation,
        Err(failure) => return (Err(failure), Vec::new()),
    };
    let link = side.link(&conversation);
    let place = (conversation.as_str(), options.conversation.is_some());
    let ended = match enter(&side, &link, place, text, &mut interrupts, report).await {
        Ok(()) => {
            let (agent, host, terminal) = (side.agent(), side.agent_host(), Terminal::open());
            let (allowed, own_tools) = (&options.allow, side.tools());
            Talk { link: &link, agent, host, allowed, own_tools, terminal, interrupts }.run(text, report).await
        }
        Err(failure) => (Err(failure), Vec::new()),
    };
    link.close().await;
    drop(link);
    side.leave().await;
    ended
}

/// Comes to the conversation: when the agent takes us, it is in the list, also if nothing more came of it.
async fn enter<O: Write, E: Write>(
    side: &Side,
    link: &Link,
    (conversation, named): (&str, bool),
    text: &str,
    interrupts: &mut Interrupts,
    report: &mut Report<O, E>,
) -> Result<(), Failure> {
    if let Some(trouble) = side.trouble() {
        report.event(&Event::Warning { code: &trouble.code, text: &trouble.text })?;
    }
    tokio::select! {
        biased;
        () = interrupts.first() => return Err(Failure::Interrupted),
        online = talk::online(link) => online?,
    }
    let new = match side.enter(conversation, named, text) {
        Ok(new) => new,
        Err(error) => {
            // The answer does not depend on the list.
            report.event(&Event::Warning { code: error.code(), text: &error.to_string() })?;
            true
        }
    };
    Ok(report.event(&Event::Conversation { id: conversation, new })?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(arguments: &[&str]) -> Result<Options, i32> {
        let arguments = std::iter::once("ask").chain(arguments.iter().copied());
        Line::try_parse_from(arguments).map(|line| line.options).map_err(|error| error.exit_code())
    }

    #[test]
    fn the_command_line_names_text_profile_conversation_and_tools() {
        let options = parsed(&["--allow", "a", "--allow", "b,c", "--json", "--conversation", "night-ly_1.0~", "hi"]).unwrap();
        assert_eq!((options.text.as_str(), options.json, options.conversation.as_deref()), ("hi", true, Some("night-ly_1.0~")));
        assert_eq!(options.allow, ["a", "b,c"], "exact names, whatever is in them");
        assert_eq!(parsed(&["-"]).unwrap().text, "-");
        for wrong in [&[][..], &["a", "b"], &["--conversation", "a/b", "x"], &["--conversation", "..", "x"], &["--conversation", "", "x"]] {
            assert_eq!(parsed(wrong).err(), Some(2), "{wrong:?}");
        }
    }

    #[test]
    fn the_text_is_the_argument_or_stdin_without_its_last_line_end() {
        assert_eq!(text("hi\n", &mut &b""[..]).unwrap(), "hi\n");
        for (input, expected) in [(&b"a\nb\n"[..], "a\nb"), (b"a\r\n", "a"), (b"a\n\n", "a\n"), ("é".as_bytes(), "é")] {
            assert_eq!(text("-", &mut &input[..]).unwrap(), expected);
        }
        for (argument, input, exit) in [(" ", &b""[..], 2), ("-", b"\n", 2), ("-", b"\xff", 65)] {
            assert_eq!(text(argument, &mut &input[..]).unwrap_err().exit_code(), exit, "{argument:?} {input:?}");
        }
    }

    #[test]
    fn each_end_has_its_exit_code() {
        let unavailable = |sent| Failure::Unavailable { why: LinkError::Unreachable, sent };
        for (failure, exit) in [
            (TurnError::NoAnswer.into(), 1),
            (DeliveryError::Skipped.into(), 1),
            (Failure::Stalled, 1),
            (CommandError::TooLong { len: 2, max: 1 }.into(), 65),
            (WorkspaceError::NoProfile("x".to_owned()).into(), 66),
            (unavailable(true), 69),
            (WorkspaceError::Keychain(callbox_vault::VaultError::Unavailable).into(), 69),
            (Failure::Output(io::ErrorKind::StorageFull.into()), 74),
            (Failure::Output(io::ErrorKind::BrokenPipe.into()), 0),
            (WorkspaceError::SignedOut { agent: "x".to_owned(), why: None }.into(), 77),
            (Failure::SignInNeeded, 77),
            (Failure::NotAccepted { why: LinkError::Rejected }, 77),
            (Failure::Interrupted, 130),
        ] {
            assert_eq!(failure.exit_code(), exit, "{failure:?}");
        }
        assert!(unavailable(false).to_string().ends_with("Nothing was sent."));
        assert!(unavailable(true).to_string().contains("may have been sent"));
    }
}

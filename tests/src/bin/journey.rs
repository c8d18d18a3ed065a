//! Walks the journey by itself and leaves pictures and a transcript; `cargo xtask run` calls it where there is no display.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks by printing")]
mod walk {
    use std::{path::PathBuf, process::ExitCode, time::Instant};

    use callbox_e2e::{
        Desktop, Launch, Message, Result, app,
        journey::{self, Moment, Witness},
        transcript::Transcript,
    };
    use clap::Parser;

    /// Walks through the app: sign in, ask, deny, approve, restart, sign out.
    #[derive(Debug, Parser)]
    struct Arguments {
        /// The app's program.
        #[arg(long)]
        app: PathBuf,
        /// Where pictures and transcript go.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// The port of the built-in tenant.
        #[arg(long, value_name = "PORT")]
        sandbox_port: Option<u16>,
        /// The agent to talk to instead of the built-in one.
        #[arg(long, value_name = "URL")]
        agent: Option<String>,
    }

    /// Says what it sees while it writes it down.
    struct Aloud {
        transcript: Transcript,
        started: Instant,
    }

    impl Witness for Aloud {
        fn saw(&mut self, moment: Moment, picture: &[u8], messages: &[Message]) -> Result<()> {
            println!("{:6.1} s  {}", self.started.elapsed().as_secs_f64(), moment.caption());
            self.transcript.saw(moment, picture, messages)
        }
    }

    pub(super) async fn main() -> ExitCode {
        let arguments = Arguments::parse();
        let desktop = match Desktop::for_app(&arguments.app) {
            Ok(desktop) => desktop,
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        };
        match walk(&desktop, &arguments).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}\n\nThe app's last words:\n{}", app::tail(&app::log(&desktop), 20));
                ExitCode::FAILURE
            }
        }
    }

    async fn walk(desktop: &Desktop, arguments: &Arguments) -> Result<()> {
        let mut witness = Aloud { transcript: Transcript::new(&arguments.out)?, started: Instant::now() };
        let launch = Launch::sandbox_with(arguments.sandbox_port, arguments.agent.as_deref());
        journey::walk(desktop, &launch, &mut witness).await
    }
}

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> ExitCode {
    walk::main().await
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    // Only Linux has a display that nobody sees and a web view that can be driven there.
    ExitCode::FAILURE
}

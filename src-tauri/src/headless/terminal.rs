//! The terminal that a command was started from, for questions: whoever reads stdout or writes stdin need not be there.

use std::io;

use tokio::sync::mpsc;

/// Somebody who can be asked. The questions do not mix with stdin and stdout, which may lead elsewhere.
#[derive(Debug)]
pub(super) struct Terminal {
    tty: tty::Tty,
    /// Counts the questions.
    question: u64,
    /// A thread is reading a line. It cannot be called off when its question is withdrawn, so the next question may find it reading still.
    reads: bool,
    lines: (mpsc::UnboundedSender<Line>, mpsc::UnboundedReceiver<Line>),
}

/// What was typed since this question was put, as far as the reader can know; `None` at the end of all input.
type Line = (u64, Option<String>);

impl Terminal {
    /// The terminal; `None` if there is none or nobody looks at it, because input, output and errors all lead elsewhere.
    pub(super) fn open() -> Option<Self> {
        use std::io::IsTerminal as _;

        let looked_at = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
        let tty = tty::Tty::open().ok().filter(|_| looked_at)?;
        Some(Self { tty, question: 0, reads: false, lines: mpsc::unbounded_channel() })
    }

    /// Puts a question. What was typed before it could be read is no answer to it.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(super) fn ask(&mut self, question: &str) -> io::Result<()> {
        self.question += 1;
        self.tty.forget_what_was_typed()?;
        self.tty.say(question)?;
        self.read()
    }

    /// Has somebody read the next line, unless somebody does.
    fn read(&mut self) -> io::Result<()> {
        if !self.reads {
            let (tty, lines, question) = (self.tty.reader()?, self.lines.0.clone(), self.question);
            // A thread of its own: a read from a terminal must not hold up the end of the program.
            std::thread::Builder::new().name("terminal".to_owned()).spawn(move || lines.send((question, tty::read_line(tty))))?;
            self.reads = true;
        }
        Ok(())
    }

    /// The line that is typed in answer to the last question. `None`: nobody will type any more. Safe to cancel.
    pub(super) async fn line(&mut self) -> Option<String> {
        loop {
            let (question, line) = self.lines.1.recv().await?;
            self.reads = false;
            if line.is_none() || question == self.question {
                return line;
            }
            // It may have been typed for a question that is no more.
            self.tty.say("That may have been for the question before. Once more: ").ok()?;
            self.read().ok()?;
        }
    }

    /// Says something that is no question.
    pub(super) fn say(&mut self, text: &str) {
        // It is there to be asked; whatever goes wrong shows then.
        let _ = self.tty.say(text);
    }
}

#[cfg(unix)]
mod tty {
    use std::{
        fs::{File, OpenOptions},
        io::{self, BufRead as _, BufReader, Read as _, Write as _},
    };

    use rustix::termios::{QueueSelector, tcflush};

    /// An answer is a word; whoever pastes more than this gets no for an answer.
    const LONGEST: u64 = 4096;

    #[derive(Debug)]
    pub(super) struct Tty(File);

    impl Tty {
        pub(super) fn open() -> io::Result<Self> {
            OpenOptions::new().read(true).write(true).open("/dev/tty").map(Self)
        }

        pub(super) fn forget_what_was_typed(&self) -> io::Result<()> {
            Ok(tcflush(&self.0, QueueSelector::IFlush)?)
        }

        pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
            self.0.write_all(text.as_bytes())
        }

        pub(super) fn reader(&self) -> io::Result<File> {
            self.0.try_clone()
        }
    }

    pub(super) fn read_line(tty: File) -> Option<String> {
        let mut line = String::new();
        match BufReader::new(tty.take(LONGEST)).read_line(&mut line) {
            Ok(1..) => Some(line),
            Ok(0) | Err(_) => None,
        }
    }
}

/// Elsewhere what was typed before a question cannot be told from an answer, so nobody is asked.
#[cfg(not(unix))]
mod tty {
    use std::io;

    #[derive(Debug)]
    pub(super) struct Tty;

    impl Tty {
        pub(super) fn open() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn forget_what_was_typed(&self) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn say(&mut self, _: &str) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn reader(&self) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    pub(super) fn read_line(_: Tty) -> Option<String> {
        None
    }
}

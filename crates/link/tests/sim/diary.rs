//! What happened when.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

/// So much of a frame is told, in characters.
const SHOWN: usize = 4_000;

#[derive(Clone)]
pub(crate) struct Diary {
    started: Instant,
    /// Whoever reads the code of a failed life wants to read along.
    loud: bool,
    name: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Diary {
    pub(crate) fn new(loud: bool) -> Self {
        Self { started: Instant::now(), loud, name: String::new(), lines: Arc::default() }
    }

    /// The same diary, for a socket.
    pub(crate) fn of(diary: &Self, socket: &str) -> Self {
        Self { name: format!("       [{socket}] "), ..diary.clone() }
    }

    /// What somebody did: part of what a life is.
    pub(crate) fn write(&self, what: &str) {
        let line = format!("{:>9.3} {what}", self.started.elapsed().as_secs_f64());
        if self.loud {
            eprintln!("{line}");
        }
        self.lines.lock().unwrap().push(line);
    }

    /// What came of it. The agent's ids are its own, of the same length each time.
    pub(crate) fn note(&self, what: &str, of: &str) {
        let time = self.started.elapsed();
        if self.loud {
            let start = of.char_indices().nth(SHOWN).map_or(of, |(end, _)| &of[..end]);
            eprintln!("{:>9.3} {}{what}{start}", time.as_secs_f64(), self.name);
        }
        self.lines.lock().unwrap().push(format!("{} {}{what}{}", time.as_millis(), self.name, of.len()));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

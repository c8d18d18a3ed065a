//! The thread that talks to the keychain.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    Backend, Secret, VaultError,
    vault::{Health, Shared},
};

type Reply<T> = oneshot::Sender<Result<T, VaultError>>;

/// What the thread is asked to do. Values are not in here: a write takes the newest value at the time when it happens.
pub(crate) enum Job {
    Get { key: String, reply: Reply<Option<Secret<Vec<u8>>>> },
    Sync { key: String, reply: Reply<()> },
    Probe(Reply<()>),
}

/// The thread's letterbox. The thread ends when the last one is dropped; it is detached, so that a call that hangs holds up nobody.
#[derive(Clone)]
pub(crate) struct Worker {
    jobs: Sender<Job>,
    call: Arc<Mutex<Call>>,
}

/// The call that the thread is making.
#[derive(Debug, Clone, Copy)]
enum Call {
    None,
    Since(Instant),
    /// Somebody has waited for it in vain.
    Overdue,
}

impl Worker {
    pub(crate) fn start(backend: impl Backend, shared: &Arc<Shared>) -> Result<Self, VaultError> {
        let (jobs, queue) = mpsc::channel();
        let call = Arc::new(Mutex::new(Call::None));
        let desk = Desk { backend, shared: Arc::downgrade(shared), call: call.clone() };
        thread::Builder::new()
            .name("callbox-vault".to_owned())
            .spawn(move || desk.work(&queue))
            .map_err(|error| VaultError::Backend(error.to_string()))?;
        Ok(Self { jobs, call })
    }

    /// A job for a thread that has ended is dropped, and with it its reply: the caller notices.
    pub(crate) fn push(&self, job: Job) {
        let _ = self.jobs.send(job);
    }

    /// Whether one call has been going on for longer than `bound`, or for as long as somebody was ready to wait.
    pub(crate) fn is_stuck(&self, bound: Duration) -> bool {
        match *self.call.lock().unwrap_or_else(PoisonError::into_inner) {
            Call::None => false,
            Call::Since(begun) => begun.elapsed() >= bound,
            Call::Overdue => true,
        }
    }

    /// Nobody need wait for the present call any more.
    pub(crate) fn give_up(&self) {
        let mut call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        if let Call::Since(_) = *call {
            *call = Call::Overdue;
        }
    }
}

struct Desk<B> {
    backend: B,
    shared: Weak<Shared>,
    call: Arc<Mutex<Call>>,
}

impl<B: Backend> Desk<B> {
    fn work(mut self, queue: &Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            match job {
                // Nobody waits for the answer any more.
                Job::Get { reply, .. } if reply.is_closed() => {}
                Job::Get { key, reply } => {
                    let answer = self.timed(|backend| backend.get(&key));
                    match &answer {
                        Ok(Some(_)) => self.works(),
                        // A keychain that has never been used may know no entry and still refuse to be written to.
                        Ok(None) => {}
                        Err(error) => self.fails(error),
                    }
                    let _ = reply.send(answer);
                }
                Job::Sync { key, reply } => {
                    let answer = self.sync(&key);
                    self.judge(&answer);
                    let _ = reply.send(answer);
                }
                Job::Probe(reply) => {
                    let answer = self.timed(Backend::probe);
                    self.judge(&answer);
                    let _ = reply.send(answer);
                }
            }
        }
    }

    fn timed<T>(&mut self, call: impl FnOnce(&mut B) -> T) -> T {
        let now = |value| *self.call.lock().unwrap_or_else(PoisonError::into_inner) = value;
        now(Call::Since(Instant::now()));
        let result = call(&mut self.backend);
        now(Call::None);
        result
    }

    fn judge(&mut self, answer: &Result<(), VaultError>) {
        match answer {
            Ok(()) => self.works(),
            Err(error) => self.fails(error),
        }
    }

    /// Brings what waits in memory to the keychain, then says that it works; if that fails, says that it does not.
    fn works(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let waiting: Vec<String> = shared.overlay().keys().cloned().collect();
        let failure = waiting.iter().find_map(|key| self.sync(key).err());
        shared.publish(failure.map_or(Health::Protected, Health::SessionOnly));
    }

    fn fails(&self, error: &VaultError) {
        if let Some(shared) = self.shared.upgrade() {
            shared.publish(Health::SessionOnly(error.clone()));
        }
    }

    /// Brings the newest value of `key` to the keychain, if it is not there yet.
    fn sync(&mut self, key: &str) -> Result<(), VaultError> {
        let Some(shared) = self.shared.upgrade() else { return Err(VaultError::Unavailable) };
        let newest = shared.overlay().get(key).map(|pending| (pending.number, pending.value.clone()));
        let Some((number, value)) = newest else { return Ok(()) };
        self.timed(|backend| match &value {
            Some(value) => backend.set(key, value),
            None => backend.delete(key),
        })?;
        let mut overlay = shared.overlay();
        // A newer write came in meanwhile: its own job is in the queue.
        if overlay.get(key).is_some_and(|pending| pending.number == number) {
            overlay.remove(key);
        }
        Ok(())
    }
}

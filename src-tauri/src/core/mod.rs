//! The app without its window: who is signed in where, which conversation is open, what the window is told.
//!
//! One task owns the state ([`desk::Desk`]). Every request is a job that this task runs, so requests see each other's effects in order and
//! nothing is locked across an await. Jobs never wait: whatever takes time runs beside the task and comes back as another job.

mod add;
pub(crate) mod checkup;
mod desk;
mod elsewhere;
mod entrance;
mod machine;
mod news;
mod outbox;
mod place;
mod renewal;
mod roster;
mod seat;
mod shelf;
mod sign_in;
mod store_key;
mod switch;
mod threads;
mod tools;
mod trust;
mod view;
mod wake;
mod workspace;

#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use callbox_ipc::{Event, Preferences, Theme, UserError};
use tokio::sync::{mpsc, oneshot};
use url::Url;

use self::desk::Desk;
pub(crate) use self::{
    add::AddError,
    entrance::{Entrance, EntranceError},
    machine::{Client, Machine, MachineError},
    place::PlaceError,
    trust::mismatch,
    workspace::{Left, Standing, Workspace, WorkspaceError},
};
use crate::settings::Settings;

/// Where the window's events go.
pub(crate) type Sink = Box<dyn Fn(Event) + Send>;

/// Opens a web page for the user.
pub(crate) type Browser = Arc<dyn Fn(&Url) -> Result<(), String> + Send + Sync>;

/// Asks the system for the program that it starts for our links: its name, if that is not this one. May take its time.
pub(crate) type SchemeOwner = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What the core needs of its surroundings.
pub(crate) struct Surroundings {
    /// Conversations, the sandbox's own files.
    pub data: PathBuf,
    /// Settings and profiles.
    pub config: PathBuf,
    /// As they were at the start.
    pub settings: Settings,
    pub vault: callbox_vault::Vault,
    pub browser: Browser,
    /// Who is started for our links.
    pub scheme: SchemeOwner,
    /// Puts the user's choice of light and dark on the window.
    pub dress: Arc<dyn Fn(Theme) + Send + Sync>,
    /// Brings the window to the front.
    pub summon: Arc<dyn Fn() + Send + Sync>,
}

/// What to talk to at the start.
#[derive(Debug, Clone)]
pub(crate) enum Start {
    /// The profile file that was installed with the app or put into the configuration folder; the sandbox if it was used last; else nothing.
    Remembered,
    /// A profile file named on the command line.
    Profile(PathBuf),
    /// The built-in tenant, and the built-in agent or another one.
    Sandbox { port: Option<u16>, agent: Option<Url> },
}

type Job = Box<dyn FnOnce(&mut Desk) + Send>;

/// Hands jobs to the task that owns the state.
#[derive(Clone)]
pub(crate) struct Jobs(mpsc::Sender<Job>);

impl Jobs {
    /// Runs `job` on the state and gives its result back; an error if the app is being closed.
    async fn run<T: Send + 'static>(&self, job: impl FnOnce(&mut Desk) -> T + Send + 'static) -> Result<T, UserError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |desk| {
            // A caller that has gone no longer wants the answer.
            let _ = reply.send(job(desk));
        });
        self.0.send(job).await.map_err(|_| view::closing())?;
        answer.await.map_err(|_| view::closing())
    }

    /// Runs `job` on the state some time later.
    async fn post(&self, job: impl FnOnce(&mut Desk) + Send + 'static) {
        // Fails only while the app is being closed, when nothing is left to be told.
        let _ = self.0.send(Box::new(job)).await;
    }
}

/// The running core. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Core {
    jobs: Jobs,
}

impl Core {
    /// Starts the core on the current tokio runtime; returns at once, whatever the keychain or the network do.
    pub(crate) fn spawn(surroundings: Surroundings, start: Start) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Job>(64);
        let jobs = Jobs(sender);
        let mut desk = Desk::new(surroundings, jobs.clone());
        wake::watch(&jobs);
        shelf::watch(&jobs);
        tokio::spawn(async move {
            desk.begin(start);
            while let Some(job) = receiver.recv().await {
                job(&mut desk);
            }
        });
        Self { jobs }
    }

    /// A link from the browser. Never fails: what it leads to is shown in the window.
    pub(crate) async fn deliver(&self, link: String) {
        self.jobs.post(move |desk| desk.deliver(link)).await;
    }

    pub(crate) async fn subscribe(&self, sink: Sink) -> Result<(), UserError> {
        self.jobs.run(move |desk| desk.subscribe(sink)).await
    }

    pub(crate) async fn bootstrap(&self) -> Result<(), UserError> {
        self.jobs.run(|desk| desk.emit(Event::Bootstrap(desk.bootstrap()))).await
    }

    pub(crate) async fn sign_in(&self) -> Result<(), UserError> {
        renewal::before_sign_in(&self.jobs).await?;
        let door = self.jobs.run(|desk| desk.door()).await??;
        // Before the browser opens: nobody should sign in and then learn that it is not kept, or that the browser does not find its way back.
        if let callbox_vault::Health::SessionOnly(why) = door.vault.probe().await
            && why != callbox_vault::VaultError::NotUsed
        {
            self.warn(view::will_not_be_kept(&why)).await?;
        }
        let others = door.has_others;
        let begun = if others { door.session.begin_other_sign_in().await } else { door.session.begin_sign_in().await };
        let mut start = begun.map_err(|error| view::error(&error))?;
        if door.by_scheme
            && let Some(owner) = sign_in::stranger(&door.scheme).await
        {
            self.warn(view::scheme_taken(&owner)).await?;
            start = door.session.open_loopback(start.attempt).await.map_err(|error| view::error(&error))?;
        }
        let url = start.url.clone();
        self.jobs.run(move |desk| desk.signing_in_at(&door.seat, start)).await?;
        sign_in::open_browser(&door.browser, url).await
    }

    async fn warn(&self, message: UserError) -> Result<(), UserError> {
        self.jobs.run(|desk| desk.notify(callbox_ipc::NoticeKind::Warning, message)).await
    }

    pub(crate) async fn reopen_browser(&self) -> Result<(), UserError> {
        let (browser, url) = self.jobs.run(|desk| desk.waiting_page()).await??;
        sign_in::open_browser(&browser, url).await
    }

    pub(crate) async fn sign_in_link(&self) -> Result<String, UserError> {
        let (_, url) = self.jobs.run(|desk| desk.waiting_page()).await??;
        Ok(url.into())
    }

    pub(crate) async fn sign_in_by_loopback(&self) -> Result<(), UserError> {
        let (session, (seat, attempt)) = self.jobs.run(|desk| Ok::<_, UserError>((desk.session()?, desk.waiting()?))).await??;
        let start = session.open_loopback(attempt.attempt).await.map_err(|error| view::error(&error))?;
        self.jobs.run(move |desk| desk.signing_in_at(&seat, start)).await?;
        self.reopen_browser().await
    }

    pub(crate) async fn paste_callback(&self, link: String) -> Result<(), UserError> {
        let sessions = self.jobs.run(|desk| desk.sessions()).await?;
        sign_in::returned(&sessions, link.trim()).await
    }

    pub(crate) async fn cancel_sign_in(&self) -> Result<(), UserError> {
        let session = self.jobs.run(|desk| desk.session()).await??;
        session.cancel_sign_in().await;
        self.jobs.run(|desk| desk.retreat()).await
    }

    pub(crate) async fn sign_out(&self, browser: bool) -> Result<(), UserError> {
        let seat = self.jobs.run(|desk| desk.current.clone().ok_or_else(view::no_profile)).await??;
        self.leave_seat(&seat, browser, false).await
    }

    /// Ends an account's sign-in with all that belongs to it, and nothing of anybody else.
    async fn leave_seat(&self, seat: &str, browser: bool, agent_alone: bool) -> Result<(), UserError> {
        let id = seat.to_owned();
        let leaving = self.jobs.run(move |desk| desk.leave(&id, agent_alone)).await??;
        for link in leaving.links {
            // After this it writes nothing any more.
            link.close().await;
        }
        // The session last: when the window shows that nobody is signed in, everything else is gone.
        let (vault, data, opener) = self.jobs.run(|desk| (desk.vault(), desk.data(), desk.browser())).await?;
        let forgotten = if leaving.store_is_done { store_key::forget(&vault, &data).await } else { Ok(()) };
        if leaving.stays {
            return forgotten;
        }
        let left = leaving.session.sign_out().await;
        let (page, id) = (left.browser_logout.clone().filter(|_| browser), seat.to_owned());
        self.jobs.run(move |desk| desk.left(&id, &left)).await?;
        if let Some(page) = page {
            sign_in::open_browser(&opener, page).await?;
        }
        forgotten
    }

    pub(crate) async fn look_at_accounts(&self) -> Result<(), UserError> {
        self.jobs.run(|desk| desk.look_at_accounts()).await
    }

    pub(crate) async fn switch_account(&self, id: String) -> Result<(), UserError> {
        self.jobs.run(move |desk| desk.switch(&id)).await?
    }

    pub(crate) async fn add_account(&self) -> Result<(), UserError> {
        self.jobs.run(|desk| desk.another()).await??;
        self.sign_in().await
    }

    pub(crate) async fn remove_agent(&self, id: String) -> Result<(), UserError> {
        let agent = id.clone();
        let (accounts, file) = self.jobs.run(move |desk| desk.removal(&agent)).await??;
        for account in accounts {
            let seat = account.clone();
            self.jobs.run(move |desk| desk.seat_at(&seat)).await??;
            self.leave_seat(&account, false, true).await?;
        }
        if let Err(error) = std::fs::remove_file(&file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(view::not_removed(&file, &error));
        }
        self.jobs.run(move |desk| desk.removed(&id, &file)).await
    }

    pub(crate) async fn use_sandbox(&self) -> Result<(), UserError> {
        let there = self.jobs.run(|desk| desk.go_to_sandbox()).await?;
        if there { Ok(()) } else { place::use_sandbox(&self.jobs, None, None).await }
    }

    pub(crate) async fn add_agent(&self, address: String, client_id: Option<String>) -> Result<(), UserError> {
        add::add(&self.jobs, &address, client_id).await
    }

    pub(crate) async fn retry_keychain(&self) -> Result<(), UserError> {
        let vault = self.jobs.run(|desk| desk.vault()).await?;
        vault.probe().await;
        Ok(())
    }

    pub(crate) async fn new_conversation(&self) -> Result<String, UserError> {
        self.jobs.run(|desk| desk.new_conversation()).await?
    }

    pub(crate) async fn open_conversation(&self, conversation: String) -> Result<(), UserError> {
        self.jobs.run(move |desk| desk.open(conversation)).await?
    }

    pub(crate) async fn forget_conversation(&self, conversation: String) -> Result<(), UserError> {
        self.jobs.run(move |desk| desk.forget(&conversation)).await?
    }

    pub(crate) async fn keep_draft(
        &self,
        seat: Option<String>,
        conversation: Option<String>,
        message: Option<String>,
        text: String,
    ) -> Result<(), UserError> {
        let Some(seat) = seat else { return Ok(()) };
        self.jobs.run(move |desk| desk.keep_draft(&seat, conversation.as_deref(), message.as_deref(), &text)).await?
    }

    pub(crate) async fn send_message(&self, conversation: String, text: String) -> Result<String, UserError> {
        let (name, title) = (conversation.clone(), text.clone());
        let (seat, link) = self.jobs.run(move |desk| desk.link_of(&conversation)).await??;
        let message = link.send(text).await.map_err(|error| view::error(&error))?;
        self.jobs.run(move |desk| desk.spoke(&seat, &name, &title)).await?;
        Ok(message)
    }

    pub(crate) async fn retry_message(&self, conversation: String, message: String) -> Result<(), UserError> {
        let link = self.jobs.run(move |desk| desk.link(&conversation)).await??;
        link.retry(message).await.map_err(|error| view::error(&error))
    }

    pub(crate) async fn discard_message(&self, conversation: String, message: String) -> Result<(), UserError> {
        let link = self.jobs.run(move |desk| desk.link(&conversation)).await??;
        link.discard(message).await.map_err(|error| view::error(&error))
    }

    pub(crate) async fn regenerate_message(&self, conversation: String, message: String) -> Result<(), UserError> {
        let link = self.jobs.run(move |desk| desk.link(&conversation)).await??;
        link.regenerate(Some(message)).await.map_err(|error| view::error(&error))
    }

    pub(crate) async fn edit_message(&self, conversation: String, message: String, text: String) -> Result<(), UserError> {
        let (name, id, words) = (conversation.clone(), message.clone(), text.clone());
        let (seat, link) = self.jobs.run(move |desk| desk.rewords(&name, &id, &words)).await??;
        link.edit(message.clone(), text.clone()).await.map_err(|error| view::error(&error))?;
        self.jobs.run(move |desk| desk.reworded(&seat, &conversation, &message, &text)).await
    }

    pub(crate) async fn clear_conversation(&self, conversation: String) -> Result<(), UserError> {
        let name = conversation.clone();
        let (seat, link) = self.jobs.run(move |desk| desk.link_of(&conversation)).await??;
        link.clear().await.map_err(|error| view::error(&error))?;
        self.jobs.run(move |desk| desk.cleared(&seat, &name)).await
    }

    pub(crate) async fn cancel_turn(&self, conversation: String) -> Result<(), UserError> {
        let link = self.jobs.run(move |desk| desk.link(&conversation)).await??;
        link.cancel().await.map_err(|error| view::error(&error))
    }

    pub(crate) async fn decide(&self, conversation: String, tool_call: String, approved: bool) -> Result<(), UserError> {
        let link = self.jobs.run(move |desk| desk.link(&conversation)).await??;
        link.decide(tool_call, approved).await.map_err(|error| view::error(&error))
    }

    pub(crate) async fn reconnect(&self, conversation: String) -> Result<(), UserError> {
        let link = self.jobs.run(move |desk| desk.link(&conversation)).await??;
        link.reconnect().await.map_err(|error| view::error(&error))
    }

    pub(crate) async fn open_link(&self, url: String) -> Result<(), UserError> {
        let url = sign_in::outward(&url)?;
        let browser = self.jobs.run(|desk| desk.browser()).await?;
        sign_in::open_browser(&browser, url).await
    }

    pub(crate) async fn set_preferences(&self, preferences: Preferences) -> Result<(), UserError> {
        self.jobs.run(move |desk| desk.set_preferences(preferences)).await?
    }
}

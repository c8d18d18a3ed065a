//! Puts the window on a page and plays the shell and the user.

use std::cell::RefCell;
use std::rc::Rc;

use callbox_ipc::{
    AccountEntry, AccountView, Bootstrap, ConversationSummary, Event, LinkView, Preferences, ProfileView, SessionView, StorageView,
    ThreadEvent, ThreadStatus, ThreadUpdate, ThreadView, TurnView, UserError,
};
use callbox_protocol::{MessageOp, UiMessage};
use callbox_ui::backend::{Answer, Backend, Shell};
use callbox_ui::root::Root;
use leptos::mount::{UnmountHandle, mount_to};
use leptos::prelude::*;
use serde_json::{Map, Value, json};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, HtmlElement, HtmlTextAreaElement, KeyboardEvent, KeyboardEventInit};

/// How long a test waits for something that has to happen.
const PATIENCE: i32 = 5_000;

type Sink = Rc<dyn Fn(Event)>;

/// The answer to a command, once the test has given it.
type Held = Option<Result<Value, UserError>>;

/// What the shell has been told, and how it answers.
#[derive(Default)]
pub struct Played {
    calls: RefCell<Vec<(&'static str, Value)>>,
    sink: RefCell<Option<Sink>>,
    bootstrap: RefCell<Option<Bootstrap>>,
    /// Answers that are held back until the test gives them.
    held: RefCell<Vec<(&'static str, Held)>>,
}

impl Played {
    /// What the shell says when it is asked for the whole.
    pub fn bootstrap(&self) -> std::cell::RefMut<'_, Option<Bootstrap>> {
        self.bootstrap.borrow_mut()
    }
}

struct PlayedShell(Rc<Played>);

impl Backend for PlayedShell {
    fn invoke(&self, command: &'static str, arguments: Map<String, Value>) -> Answer<String> {
        self.0.calls.borrow_mut().push((command, Value::Object(arguments)));
        let played = self.0.clone();
        Box::pin(async move {
            if played.held.borrow().iter().any(|(name, _)| *name == command) {
                loop {
                    let answer =
                        played.held.borrow_mut().iter_mut().find(|(name, _)| *name == command).and_then(|(_, answer)| answer.take());
                    if let Some(answer) = answer {
                        played.held.borrow_mut().retain(|(name, _)| *name != command);
                        return answer.map(|answer| answer.to_string());
                    }
                    frame().await;
                }
            }
            Ok(match command {
                "bootstrap" => {
                    let sink = played.sink.borrow().clone().unwrap();
                    sink(Event::Bootstrap(played.bootstrap.borrow().clone().unwrap()));
                    Value::Null
                }
                "new_conversation" => json!("new"),
                "send_message" => json!("m1"),
                _ => Value::Null,
            }
            .to_string())
        })
    }

    fn subscribe(&self, events: Box<dyn Fn(Event)>) -> Answer<()> {
        *self.0.sink.borrow_mut() = Some(Rc::from(events));
        Box::pin(async { Ok(()) })
    }
}

/// The window on its page.
pub struct Stage {
    pub played: Rc<Played>,
    pub page: HtmlElement,
    _mounted: Box<dyn std::any::Any>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.page.remove();
    }
}

impl Stage {
    /// A window of which the shell says this at first.
    pub async fn with(bootstrap: Bootstrap) -> Self {
        let document = document();
        let page: HtmlElement = document.create_element("div").unwrap().dyn_into().unwrap();
        page.set_attribute("style", "position: fixed; inset: 0; width: 800px; height: 600px").unwrap();
        let style = document.create_element("style").unwrap();
        style.set_text_content(Some(STYLES));
        page.append_child(&style).unwrap();
        document.body().unwrap().append_child(&page).unwrap();
        let played = Rc::new(Played::default());
        *played.bootstrap.borrow_mut() = Some(bootstrap);
        let shell = played.clone();
        let mounted: UnmountHandle<_> = mount_to(page.clone(), move || view! { <Root shell=Shell::new(PlayedShell(shell)) /> });
        let stage = Self { played, page, _mounted: Box::new(mounted) };
        stage.until("the shell is asked", || stage.count("bootstrap") > 0).await;
        stage
    }

    /// A window of somebody who is signed in, with one conversation open.
    pub async fn open(messages: Vec<UiMessage>) -> Self {
        let stage = Self::with(signed_in()).await;
        stage.until("the conversation is asked for", || stage.count("open_conversation") > 0).await;
        stage.thread(ThreadUpdate::Opened(ThreadView { messages, status: status() }));
        stage.until("the conversation is there", || stage.find("connection").is_some()).await;
        stage
    }

    pub fn emit(&self, event: Event) {
        let sink = self.played.sink.borrow().clone().unwrap();
        sink(event);
    }

    pub fn thread(&self, update: ThreadUpdate) {
        self.emit(Event::Thread(ThreadEvent { conversation: "c".into(), update }));
    }

    pub fn ops(&self, ops: Vec<MessageOp>) {
        self.thread(ThreadUpdate::ops(ops));
    }

    /// Holds back the answers to a command until [`Stage::answer`].
    pub fn hold(&self, command: &'static str) {
        self.played.held.borrow_mut().push((command, None));
    }

    pub fn answer(&self, command: &'static str, answer: Result<Value, UserError>) {
        let mut held = self.played.held.borrow_mut();
        held.iter_mut().find(|(name, _)| *name == command).unwrap().1 = Some(answer);
    }

    /// The arguments of all calls of a command so far.
    pub fn calls(&self, command: &str) -> Vec<Value> {
        self.played.calls.borrow().iter().filter(|(name, _)| *name == command).map(|(_, arguments)| arguments.clone()).collect()
    }

    pub fn count(&self, command: &str) -> usize {
        self.calls(command).len()
    }

    /// The first element of that name.
    pub fn find(&self, testid: &str) -> Option<HtmlElement> {
        self.select(&format!("[data-testid='{testid}']"))
    }

    pub fn select(&self, selector: &str) -> Option<HtmlElement> {
        self.page.query_selector(selector).unwrap().and_then(|element| element.dyn_into().ok())
    }

    pub fn all(&self, selector: &str) -> Vec<Element> {
        let list = self.page.query_selector_all(selector).unwrap();
        (0..list.length()).filter_map(|index| list.item(index)?.dyn_into().ok()).collect()
    }

    pub fn get(&self, testid: &str) -> HtmlElement {
        self.find(testid).unwrap_or_else(|| panic!("there is no {testid}: {}", self.page.inner_text()))
    }

    pub fn click(&self, testid: &str) {
        self.get(testid).click();
    }

    pub fn attribute(&self, testid: &str, name: &str) -> Option<String> {
        self.get(testid).get_attribute(name)
    }

    pub fn composer(&self) -> HtmlTextAreaElement {
        self.get("composer").dyn_into().unwrap()
    }

    /// Types into the box, as the browser tells the page about it.
    pub fn type_text(&self, text: &str) {
        let composer = self.composer();
        composer.set_value(text);
        let init = web_sys::EventInit::new();
        init.set_bubbles(true);
        composer.dispatch_event(&web_sys::Event::new_with_event_init_dict("input", &init).unwrap()).unwrap();
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let start = js_sys::Date::now();
        while !condition() {
            assert!(js_sys::Date::now() - start < f64::from(PATIENCE), "waited in vain: {what}\n{}", self.page.inner_text());
            frame().await;
        }
    }
}

pub fn document() -> web_sys::Document {
    web_sys::window().unwrap().document().unwrap()
}

/// A key press on an element; `change` fills in what is special about it.
pub fn press(element: &HtmlElement, key: &str, change: impl FnOnce(&KeyboardEventInit)) -> KeyboardEvent {
    let init = KeyboardEventInit::new();
    init.set_key(key);
    init.set_bubbles(true);
    init.set_cancelable(true);
    change(&init);
    let event = KeyboardEvent::new_with_keyboard_event_init_dict("keydown", &init).unwrap();
    element.dispatch_event(&event).unwrap();
    event
}

/// The next frame: everything that is due now has been done then.
pub async fn frame() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        web_sys::window().unwrap().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, 16).unwrap();
    });
    JsFuture::from(promise).await.unwrap();
}

/// A few frames, for things that must not happen.
pub async fn frames() {
    for _ in 0..4 {
        frame().await;
    }
}

/// One of several accounts.
pub fn entry(id: &str, name: &str, email: &str, current: bool) -> AccountEntry {
    AccountEntry {
        id: id.into(),
        account: Some(AccountView { name: name.into(), email: Some(email.into()) }),
        agent: "Desk".into(),
        agent_host: "agent.example".into(),
        tenant_host: "tenant.example".into(),
        sandbox: false,
        current,
        removable: true,
    }
}

pub fn signed_in() -> Bootstrap {
    Bootstrap {
        session: SessionView::SignedIn {
            account: AccountView { name: "Ada".into(), email: Some("ada@example.com".into()) },
            storage: StorageView::Keychain,
        },
        profile: Some(profile()),
        conversations: vec![ConversationSummary { id: "c".into(), title: "Hello".into(), updated_at: 0 }],
        open: Some("c".into()),
        preferences: Preferences { language: callbox_ipc::Language::English, ..Preferences::default() },
        seat: Some("seat-ada".into()),
        drafts: Vec::new(),
        accounts: vec![entry("seat-ada", "Ada Lovelace", "ada@example.com", true)],
    }
}

pub fn profile() -> ProfileView {
    ProfileView {
        one_conversation: false,
        name: "Desk".into(),
        agent_host: "agent.example".into(),
        tenant_host: "tenant.example".into(),
        sandbox: false,
        provenance: Vec::new(),
    }
}

pub fn status() -> ThreadStatus {
    ThreadStatus { link: LinkView::Online, ..ThreadStatus::default() }
}

pub fn turn(turn: TurnView) -> ThreadUpdate {
    ThreadUpdate::status(ThreadStatus { turn, ..status() })
}

pub fn messages(value: Value) -> Vec<UiMessage> {
    serde_json::from_value(value).unwrap()
}

const STYLES: &str = concat!(
    include_str!("../../styles/00-tokens.css"),
    include_str!("../../styles/10-base.css"),
    include_str!("../../styles/20-sign-in.css"),
    include_str!("../../styles/30-sidebar.css"),
    include_str!("../../styles/32-account.css"),
    include_str!("../../styles/34-accounts.css"),
    include_str!("../../styles/36-conversation.css"),
    include_str!("../../styles/38-above.css"),
    include_str!("../../styles/40-messages.css"),
    include_str!("../../styles/50-cards.css"),
    include_str!("../../styles/60-composer.css"),
);

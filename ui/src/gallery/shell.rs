//! A shell that is made up: it shows a scene, and answers commands just well enough to play with.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use callbox_ipc::{Bootstrap, Event, Preferences, SessionView, ThreadEvent, ThreadUpdate, TurnView};
use callbox_protocol::{MessageOp, UiMessage};
use leptos::prelude::set_timeout;
use serde_json::{Map, Value, json};

use super::scenes::Scene;
use crate::backend::{Answer, Backend};

type Sink = Rc<RefCell<Option<Rc<dyn Fn(Event)>>>>;

/// The made-up shell.
pub(super) struct MadeUp {
    scene: Rc<RefCell<Scene>>,
    preferences: Preferences,
    sink: Sink,
}

impl MadeUp {
    pub(super) fn new(scene: Scene, preferences: Preferences) -> Self {
        Self { scene: Rc::new(RefCell::new(scene)), preferences, sink: Rc::default() }
    }

    fn emit(&self, event: Event) {
        let sink = self.sink.clone();
        set_timeout(
            move || {
                let sink = sink.borrow().clone();
                if let Some(sink) = sink {
                    sink(event);
                }
            },
            Duration::ZERO,
        );
    }

    fn thread(&self, conversation: &Value, update: ThreadUpdate) {
        let conversation = conversation.as_str().unwrap_or_default().to_owned();
        self.emit(Event::Thread(ThreadEvent { conversation, update }));
    }

    /// Lets an answer run that grows by a few letters at a time; as a flood, a long one by a thousand pieces in a second.
    fn answer(&self, conversation: &Value, flood: bool) {
        let conversation = conversation.as_str().unwrap_or_default().to_owned();
        let (sink, scene) = (self.sink.clone(), self.scene.clone());
        let index = scene.borrow().thread.messages.len();
        let (words, pieces_in_a_frame) = if flood { (super::fixtures::LONG.repeat(30), 16) } else { (super::fixtures::LONG.to_owned(), 1) };
        let send = move |update| {
            let sink = sink.borrow().clone();
            if let Some(sink) = sink {
                sink(Event::Thread(ThreadEvent { conversation: conversation.clone(), update }));
            }
        };
        let status = move |turn| ThreadUpdate::status(callbox_ipc::ThreadStatus { turn, ..scene.borrow().thread.status.clone() });
        send(status(TurnView::Waiting));
        let (send, status) = (Rc::new(send), Rc::new(status));
        let begin = send.clone();
        let state = status.clone();
        set_timeout(
            move || {
                let part = json!({ "type": "text", "text": "", "state": "streaming" });
                let Ok(part) = serde_json::from_value(part) else { return };
                begin(state(TurnView::Streaming));
                begin(ThreadUpdate::ops(vec![
                    MessageOp::Insert { index, message: UiMessage::assistant(format!("a{index}")) },
                    MessageOp::SetPart { message: index, part: 0, value: part },
                ]));
            },
            Duration::from_millis(600),
        );
        let letters: Vec<char> = words.chars().collect();
        let count = letters.chunks(4).len() as u64 / pieces_in_a_frame;
        for (number, piece) in letters.chunks(4).enumerate() {
            let (send, delta) = (send.clone(), piece.iter().collect());
            let at = Duration::from_millis(620 + 16 * (number as u64 / pieces_in_a_frame));
            set_timeout(move || send(ThreadUpdate::ops(vec![MessageOp::AppendText { message: index, part: 0, delta }])), at);
        }
        set_timeout(move || send(status(TurnView::Idle)), Duration::from_millis(700 + 16 * count));
    }

    fn run(&self, command: &str, arguments: &Map<String, Value>) -> Value {
        let nothing = Value::Null;
        let conversation = arguments.get("conversation").unwrap_or(&nothing);
        match command {
            "bootstrap" => {
                let scene = self.scene.borrow();
                let open = scene.open.clone();
                let bootstrap = Bootstrap {
                    session: scene.session.clone(),
                    profile: scene.profile.clone(),
                    conversations: scene.conversations.clone(),
                    open,
                    preferences: self.preferences,
                    seat: scene.accounts.iter().find(|entry| entry.current).map(|entry| entry.id.clone()),
                    accounts: scene.accounts.clone(),
                    drafts: Vec::new(),
                };
                for notice in scene.notices.clone() {
                    self.emit(Event::Notice(notice));
                }
                self.emit(Event::Bootstrap(bootstrap));
                Value::Null
            }
            "open_conversation" => {
                let view = self.scene.borrow().thread.clone();
                self.thread(conversation, ThreadUpdate::Opened(view));
                Value::Null
            }
            "new_conversation" => {
                self.scene.borrow_mut().thread = super::fixtures::thread(vec![]);
                let view = self.scene.borrow().thread.clone();
                self.thread(&json!("c-new"), ThreadUpdate::Opened(view));
                json!("c-new")
            }
            "send_message" => {
                let index = self.scene.borrow().thread.messages.len();
                let id = format!("u{index}");
                let text = arguments.get("text").and_then(Value::as_str).unwrap_or_default();
                let flood = text == "flood";
                let message = UiMessage::user(id.clone(), text);
                self.scene.borrow_mut().thread.messages.push(message.clone());
                self.thread(conversation, ThreadUpdate::ops(vec![MessageOp::Insert { index, message }]));
                self.answer(conversation, flood);
                self.scene.borrow_mut().thread.messages.push(UiMessage::assistant(format!("a{}", index + 1)));
                json!(id)
            }
            "decide" => {
                let mut status = self.scene.borrow().thread.status.clone();
                status.decisions.push(callbox_ipc::DecisionView {
                    tool_call: arguments.get("tool_call").and_then(Value::as_str).unwrap_or_default().to_owned(),
                    approved: arguments.get("approved") == Some(&Value::Bool(true)),
                });
                self.thread(conversation, ThreadUpdate::status(status));
                Value::Null
            }
            "sign_in" => {
                self.emit(Event::Session(SessionView::SigningIn { stage: callbox_ipc::SignInStage::WaitingForBrowser }));
                Value::Null
            }
            "sign_in_link" => json!("https://tenant.example.com/authorize?state=made-up"),
            "switch_account" => {
                let mut scene = self.scene.borrow_mut();
                let to = arguments.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
                for entry in &mut scene.accounts {
                    entry.current = entry.id == to;
                }
                if let Some(account) = scene.accounts.iter().find(|entry| entry.current).and_then(|entry| entry.account.clone()) {
                    scene.session = SessionView::SignedIn { account, storage: callbox_ipc::StorageView::Keychain };
                }
                drop(scene);
                self.run("bootstrap", &Map::new())
            }
            "cancel_sign_in" | "sign_out" => {
                self.emit(Event::Session(SessionView::SignedOut { reason: None }));
                Value::Null
            }
            _ => Value::Null,
        }
    }
}

impl Backend for MadeUp {
    fn invoke(&self, command: &'static str, arguments: Map<String, Value>) -> Answer<String> {
        let answer = self.run(command, &arguments).to_string();
        Box::pin(async move { Ok(answer) })
    }

    fn subscribe(&self, events: Box<dyn Fn(Event)>) -> Answer<()> {
        *self.sink.borrow_mut() = Some(Rc::from(events));
        Box::pin(async { Ok(()) })
    }
}

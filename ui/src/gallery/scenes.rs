//! The scenes, by name.

use callbox_ipc::{
    AccountEntry, AccountView, ConversationSummary, DecisionView, Delivery, DeliveryState, LinkView, Notice, NoticeKind, ProfileView,
    SessionView, SignInStage, StorageView, ThreadView, ToolServerView, TurnView, UserError,
};

use super::elsewhere;
use super::fixtures::{self, thread};
use crate::elements::page;

/// What a scene shows.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) session: SessionView,
    pub(super) profile: Option<ProfileView>,
    pub(super) conversations: Vec<ConversationSummary>,
    pub(super) open: Option<String>,
    pub(super) thread: ThreadView,
    pub(super) notices: Vec<Notice>,
    pub(super) accounts: Vec<AccountEntry>,
}

/// All names.
pub(super) const NAMES: &[&str] = &[
    "starting",
    "sign-in",
    "sign-in-none",
    "sign-in-sandbox",
    "sign-in-error",
    "preparing",
    "waiting",
    "exchanging",
    "welcome",
    "conversation",
    "markdown",
    "streaming",
    "thinking",
    "tools",
    "approval",
    "approval-hostile",
    "approval-long",
    "deciding",
    "denied",
    "delivery",
    "offline",
    "refused",
    "sign-in-needed",
    "agent-moved",
    "turn-error",
    "session-only",
    "notices",
    "empty",
    "long",
    "stress",
    "approval-two",
    "accounts",
    "sign-in-accounts",
    "account-wanted",
    "account-hostile",
    "approval-phone",
    "approval-phone-denied",
    "approval-phone-over",
    "interrupts-two",
    "interrupt-unknown",
    "more-wanted",
    "more-untold",
    "tool-refused",
    "agent-tools",
    "tool-server",
    "confirmation",
    "confirmed",
];

/// The scene of a name.
pub(super) fn scene(name: &str) -> Option<Scene> {
    let mut scene = signed_in();
    match name {
        "starting" => scene.session = SessionView::Restoring,
        "sign-in" => scene.session = SessionView::SignedOut { reason: None },
        "sign-in-none" => {
            scene.session = SessionView::SignedOut { reason: None };
            scene.profile = None;
        }
        "sign-in-sandbox" => {
            scene.session = SessionView::SignedOut { reason: None };
            scene.profile = Some(sandbox());
        }
        "sign-in-error" => {
            scene.session = SessionView::SignedOut { reason: Some(error("sign-in-expired", "The sign-in took too long. Sign in again.")) }
        }
        "preparing" => scene.session = SessionView::SigningIn { stage: SignInStage::Preparing },
        "waiting" => scene.session = SessionView::SigningIn { stage: SignInStage::WaitingForBrowser },
        "exchanging" => scene.session = SessionView::SigningIn { stage: SignInStage::Exchanging },
        "welcome" => {
            scene.profile = Some(sandbox());
            scene.thread = thread(vec![]);
        }
        "empty" => {
            scene.open = None;
            scene.conversations = vec![];
        }
        "conversation" => {}
        "markdown" => scene.thread = thread(fixtures::markdown()),
        "streaming" => {
            scene.thread = thread(fixtures::streaming());
            scene.thread.status.turn = TurnView::Streaming;
        }
        "thinking" => {
            scene.thread = thread(fixtures::question());
            scene.thread.status.turn = TurnView::Waiting;
        }
        "tools" => {
            scene.thread = thread(fixtures::tools());
            scene.thread.status.turn = TurnView::Streaming;
        }
        "approval-two" => scene.thread = thread(fixtures::two_questions()),
        "stress" => scene.thread = thread(fixtures::stress()),
        "approval" => scene.thread = thread(fixtures::approval()),
        "confirmation" => {
            scene.thread = thread(fixtures::confirmation(None));
            scene.thread.status.confirmations = vec!["call-1".into()];
        }
        "confirmed" => scene.thread = thread(fixtures::confirmation(Some(callbox_protocol::CONFIRMED))),
        "approval-hostile" => scene.thread = thread(fixtures::hostile()),
        "approval-long" => scene.thread = thread(fixtures::long_arguments()),
        "deciding" => {
            scene.thread = thread(fixtures::approval());
            scene.thread.status.decisions = vec![DecisionView { tool_call: "call-1".into(), approved: true }];
        }
        "denied" => scene.thread = thread(fixtures::denied()),
        "delivery" => {
            scene.thread = thread(fixtures::deliveries());
            let reason =
                error("message-refused", "The agent did not take this message: it is longer than it allows. Shorten it and send it again.");
            scene.thread.status.deliveries = vec![
                Delivery { message: "u3".into(), state: DeliveryState::Failed { reason } },
                Delivery { message: "u4".into(), state: DeliveryState::Sending },
                Delivery { message: "u5".into(), state: DeliveryState::Queued },
            ];
        }
        "offline" => {
            scene.thread.status.link = LinkView::Offline {
                retry_in: Some(12_000),
                reason: error("network-unreachable", "The agent could not be reached. Check the network connection."),
            };
            scene.thread.status.turn = TurnView::Interrupted;
        }
        "refused" => {
            let reason =
                error("not-yours", "This conversation belongs to somebody else. Begin a new one, or sign in with the other account.");
            scene.thread.status.link = LinkView::Refused { reason };
        }
        "sign-in-needed" => scene.thread.status.link = LinkView::SignInNeeded { reason: None },
        "agent-moved" => {
            let text = "The agent now trusts the sign-in server https://login.new.example/, and this sign-in is from https://login.example.com/. If whoever runs the agent says that this is right, add the agent again by its address.";
            let mut reason = error("agent-trusts-another", text);
            reason.arguments.insert("detail".to_owned(), "https://login.new.example/".to_owned());
            reason.arguments.insert("from".to_owned(), "https://login.example.com/".to_owned());
            scene.thread.status.link = LinkView::AgentMoved { reason, agent: "https://agent.harbour.example/agents/chat-agent".into() };
        }
        "turn-error" => {
            scene.thread = thread(fixtures::question());
            scene.thread.status.error =
                Some(error("turn-failed", "The agent’s model did not answer: provider exploded. Send your message again."));
        }
        "session-only" => {
            scene.session = SessionView::SignedIn {
                account: account(),
                storage: StorageView::SessionOnly {
                    reason: error("keychain-locked", "The system’s keychain is locked. Unlock it, then try again."),
                },
            };
        }
        "notices" => {
            scene.notices = vec![
                Notice {
                    kind: NoticeKind::Info,
                    message: error("update-ready", "A new version is ready. It is used from the next start on."),
                },
                Notice {
                    kind: NoticeKind::Warning,
                    message: error("keychain-locked", "The system’s keychain is locked. Unlock it, then try again."),
                },
                Notice {
                    kind: NoticeKind::Error,
                    message: error("store-disk-full", "The disk is full. Make room, then try again; the change was not kept."),
                },
            ];
        }
        "accounts" => scene.accounts = accounts(0),
        "sign-in-accounts" => {
            scene.session = SessionView::SignedOut { reason: None };
            scene.accounts = accounts(3);
        }
        "long" => scene.thread = thread(fixtures::long_conversation()),
        "account-wanted" => {
            let (messages, interrupt) = elsewhere::account();
            scene.thread = thread(messages);
            scene.thread.status.interrupt = Some(interrupt);
            scene.thread.status.error = Some(error("turn-interrupted", "A tool of the agent needs something of you first."));
        }
        "account-hostile" => scene.thread = thread(elsewhere::hostile()),
        "approval-phone" => scene.thread = thread(elsewhere::phone("AUTHORIZATION_PENDING", 80)),
        "approval-phone-denied" => scene.thread = thread(elsewhere::phone("ACCESS_DENIED", 80)),
        "approval-phone-over" => scene.thread = thread(elsewhere::phone("AUTHORIZATION_PENDING", 3000)),
        "interrupts-two" => scene.thread = thread(elsewhere::two()),
        "interrupt-unknown" => scene.thread = thread(elsewhere::unknown()),
        "more-wanted" => {
            let scopes = ["chat", "calendar.read", "billing:write"].map(str::to_owned).to_vec();
            scene.thread.status.link = LinkView::MoreWanted { scopes };
        }
        "more-untold" => scene.thread.status.link = LinkView::MoreWanted { scopes: vec![] },
        "tool-refused" => scene.thread = thread(elsewhere::refused()),
        "agent-tools" => {
            scene.thread = thread(fixtures::delegated());
            scene.thread.status.turn = TurnView::Streaming;
            scene.thread.status.agent_tools = fixtures::delegates();
        }
        "tool-server" => {
            let closed = |name: &str, host: &str| ToolServerView { id: name.into(), name: name.into(), host: host.into() };
            scene.thread.status.closed_servers =
                vec![closed("linear", "mcp.linear.example"), closed("Team calendar", "tools.tide.example")];
        }
        _ => return None,
    }
    Some(scene)
}

fn signed_in() -> Scene {
    Scene {
        session: SessionView::SignedIn { account: account(), storage: StorageView::Keychain },
        profile: Some(ProfileView {
            one_conversation: false,
            name: "Harbour Desk".into(),
            agent_host: "agent.harbour.example".into(),
            tenant_host: "harbour.eu.auth.example".into(),
            sandbox: false,
            provenance: Vec::new(),
        }),
        conversations: conversations(),
        open: Some("c1".into()),
        thread: thread(fixtures::conversation()),
        notices: vec![],
        accounts: vec![],
    }
}

fn account() -> AccountView {
    AccountView { name: "Ada Lovelace".into(), email: Some("ada@example.com".into()) }
}

/// Several accounts at several agents; the one of this number is in use.
fn accounts(current: usize) -> Vec<AccountEntry> {
    let entry = |index: usize, person: Option<(&str, &str)>, agent: &str, host: &str, removable: bool| AccountEntry {
        id: format!("seat-{index}"),
        account: person.map(|(name, email)| AccountView { name: name.into(), email: Some(email.into()) }),
        agent: agent.into(),
        agent_host: host.into(),
        tenant_host: "harbour.eu.auth.example".into(),
        sandbox: agent == "Sandbox",
        current: index == current,
        removable,
    };
    let ada = Some(("Ada Lovelace", "ada@example.com"));
    let grace = Some(("Grace Hopper", "grace.hopper@a-rather-long-company-name.example"));
    let hanako = Some(("山田 花子", "hanako@example.jp"));
    vec![
        entry(0, ada, "Harbour Desk", "agent.harbour.example", false),
        entry(1, grace, "Harbour Desk", "agent.harbour.example", false),
        entry(2, hanako, "東京支店の窓口", "desk.tokyo.example", true),
        entry(3, None, "Night shift", "night.harbour.example:8443", true),
        entry(4, ada, "Sandbox", "127.0.0.1:41873", false),
    ]
}

fn sandbox() -> ProfileView {
    ProfileView {
        one_conversation: false,
        name: "Sandbox agent".into(),
        agent_host: "127.0.0.1:41873".into(),
        tenant_host: "127.0.0.1:37115".into(),
        sandbox: true,
        provenance: Vec::new(),
    }
}

fn error(code: &str, text: &str) -> UserError {
    UserError::new(code, text)
}

fn conversations() -> Vec<ConversationSummary> {
    let now = page::now();
    let ago = |id: &str, title: &str, minutes: i64| ConversationSummary {
        id: id.into(),
        title: title.into(),
        updated_at: (now - minutes * 60_000).unsigned_abs(),
    };
    vec![
        ago("c1", "What’s the weather in Paris?", 0),
        ago("c2", "Berth plan for Thursday, with the late ferry", 12),
        ago("c3", "東京から横浜への配送スケジュールを確認して", 190),
        ago("c4", "", 60 * 26),
        ago("c5", "Rewrite the tide table as CSV", 60 * 24 * 3),
        ago("c6", "Customs form for 14 crates of oranges, second try, this time with the right year", 60 * 24 * 45),
    ]
}

//! The names by which tests find things in the window: the values of `data-testid`.
//!
//! They are part of the window's interface and stay the same when looks and words change. Where an element carries more, it says so:
//!
//! | name | also |
//! |---|---|
//! | [`WINDOW`] | the root; `data-screen`: `starting`, `sign-in`, `waiting`, `main` |
//! | [`CONNECTION`] | `data-state`: `connecting`, `online`, `offline`, `sign-in-needed`, `agent-moved`, `more-wanted`, `refused`, `closed`; `data-reason`: the code of what is wrong, where there is one; absent while no conversation is open |
//! | [`CONVERSATION`] | `data-conversation`: its id; `data-turn`: `idle`, `waiting`, `streaming`, `recovering`, `interrupted` |
//! | [`CONVERSATION_ITEM`] | `data-conversation`: its id; `aria-current="true"` on the one in view |
//! | [`MESSAGE`] | `data-role`: `user`, `assistant`, `system`; `data-id`; `data-delivery` on own messages: `queued`, `sending`, `failed`, `sent` |
//! | [`TOOL_CARD`] | `data-tool`: the tool's name; `data-call`: the id of the call; `data-state`: `preparing`, `waiting`, `approving`, `denying`, `running`, `done`, `approved`, `failed`, `denied`, `stopped` |
//! | [`APPROVAL_CARD`] | inside the tool card while its state is `waiting`; `data-armed`: `true` once Approve can be pressed |
//! | [`THEME`], [`LANGUAGE`] | the value is on the inputs: `system`, `light`, `dark`; `system`, `english`, `japanese` |
//! | [`ACCOUNT_ENTRY`] | `data-account`: its id; `aria-current="true"` on the one in use |
//! | [`NOTICE`], [`ERROR`] | `data-code`: the code of the error |

pub const WINDOW: &str = "window";

pub const SIGN_IN: &str = "sign-in";
pub const TRY_SANDBOX: &str = "try-sandbox";
pub const REOPEN: &str = "reopen";
pub const PASTE_LINK: &str = "paste-link";
pub const PASTE_FIELD: &str = "paste-field";
pub const PASTE_SUBMIT: &str = "paste-submit";
pub const CANCEL_SIGN_IN: &str = "cancel-sign-in";
pub const COPY_LINK: &str = "copy-link";
pub const BY_LOOPBACK: &str = "by-loopback";
pub const WAITING_HELP: &str = "waiting-help";

pub const SIDEBAR: &str = "sidebar";
pub const SIDEBAR_TOGGLE: &str = "sidebar-toggle";
pub const NEW_CONVERSATION: &str = "new-conversation";
pub const CONVERSATION_ITEM: &str = "conversation-item";
pub const FORGET_CONVERSATION: &str = "forget-conversation";

pub const ACCOUNT_MENU: &str = "account-menu";
pub const ACCOUNT_PANEL: &str = "account-panel";
pub const ACCOUNT_NAME: &str = "account-name";
pub const ACCOUNTS: &str = "accounts";
pub const ACCOUNT_ENTRY: &str = "account-entry";
pub const ADD_ACCOUNT: &str = "add-account";
pub const NEW_AGENT_OPEN: &str = "new-agent-open";
pub const NEW_AGENT: &str = "new-agent";
pub const CLOSE_DIALOG: &str = "close-dialog";
pub const REMOVE_AGENT: &str = "remove-agent";
pub const OTHER_ACCOUNTS: &str = "other-accounts";
pub const STORAGE: &str = "storage";
pub const RETRY_KEYCHAIN: &str = "retry-keychain";
pub const THEME: &str = "theme";
pub const LANGUAGE: &str = "language";
pub const ADD_AGENT: &str = "add-agent";
pub const AGENT_ADDRESS: &str = "agent-address";
pub const CLIENT_ID: &str = "client-id";
pub const AGENT_SUBMIT: &str = "agent-submit";
pub const PROVENANCE: &str = "provenance";
pub const SIGN_OUT: &str = "sign-out";
pub const SIGN_OUT_CONFIRM: &str = "sign-out-confirm";
pub const SIGN_OUT_BROWSER: &str = "sign-out-browser";
pub const SIGN_OUT_CANCEL: &str = "sign-out-cancel";

pub const CONVERSATION: &str = "conversation";
pub const CONVERSATION_TITLE: &str = "conversation-title";
pub const CONNECTION: &str = "connection";
pub const RECONNECT: &str = "reconnect";
pub const MESSAGES: &str = "messages";
pub const MESSAGE: &str = "message";
pub const RETRY_MESSAGE: &str = "retry-message";
pub const DISCARD_MESSAGE: &str = "discard-message";
pub const REGENERATE: &str = "regenerate";
pub const EDIT_MESSAGE: &str = "edit-message";
pub const EDITOR: &str = "editor";
pub const EDITOR_SEND: &str = "editor-send";
pub const EDITOR_CANCEL: &str = "editor-cancel";
pub const ANSWER_AGAIN: &str = "answer-again";
pub const CLEAR_CONVERSATION: &str = "clear-conversation";
pub const REASONING: &str = "reasoning";
pub const TOOL_CARD: &str = "tool-card";
pub const TOOL_INPUT: &str = "tool-input";
pub const TOOL_OUTPUT: &str = "tool-output";
pub const APPROVAL_CARD: &str = "approval-card";
pub const APPROVE: &str = "approve";
pub const DENY: &str = "deny";
pub const ELSEWHERE_CARD: &str = "elsewhere-card";
pub const CONNECT_ACCOUNT: &str = "connect-account";
pub const CANCEL_CONNECT: &str = "cancel-connect";
pub const RESUME_CALL: &str = "resume-call";
pub const SCOPES: &str = "scopes";
pub const BINDING: &str = "binding-message";
pub const COUNTDOWN: &str = "countdown";
pub const REFUSAL_HINT: &str = "refusal-hint";
pub const STEP_UP: &str = "step-up";
pub const AGENT_TOOL: &str = "agent-tool";
pub const TOOL_SERVER: &str = "tool-server";
pub const OPEN_TOOL_SERVER: &str = "open-tool-server";
pub const CONNECTED_ACCOUNTS: &str = "connected-accounts";
pub const SHOW_CONNECTED: &str = "show-connected";
pub const DISCONNECT: &str = "disconnect";
pub const GO_TO_APPROVAL: &str = "go-to-approval";
pub const JUMP_TO_LATEST: &str = "jump-to-latest";
pub const SUGGESTION: &str = "suggestion";
pub const ERROR: &str = "error";

pub const COMPOSER: &str = "composer";
pub const SEND: &str = "send";
pub const STOP: &str = "stop";

pub const NOTICE: &str = "notice";
pub const DISMISS_NOTICE: &str = "dismiss-notice";
pub const LIVE_REGION: &str = "live-region";

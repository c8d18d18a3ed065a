use callbox_ipc::{AccountView, Draft, LinkView, NoticeKind, StorageView, ThreadStatus, ThreadView, UserError};
use callbox_protocol::{MessageOp, UiMessage};

use super::*;

fn app() -> (Owner, App) {
    let owner = Owner::new();
    owner.set();
    let app = App::new();
    (owner, app)
}

fn signed_in() -> SessionView {
    SessionView::SignedIn { account: AccountView { name: "Ada".into(), email: None }, storage: StorageView::Keychain }
}

fn summary(id: &str) -> ConversationSummary {
    ConversationSummary { id: id.into(), title: String::new(), updated_at: 0 }
}

fn bootstrap(conversations: &[&str], open: Option<&str>) -> Bootstrap {
    Bootstrap {
        session: signed_in(),
        profile: None,
        conversations: conversations.iter().map(|id| summary(id)).collect(),
        open: open.map(Into::into),
        preferences: Preferences::default(),
        seat: None,
        accounts: Vec::new(),
        drafts: Vec::new(),
    }
}

fn view(texts: &[&str]) -> ThreadView {
    ThreadView {
        messages: texts.iter().map(|text| UiMessage::user(*text, *text)).collect(),
        status: ThreadStatus { link: LinkView::Online, ..ThreadStatus::default() },
    }
}

fn opened(conversation: &str, texts: &[&str]) -> Event {
    Event::Thread(ThreadEvent { conversation: conversation.into(), update: ThreadUpdate::Opened(view(texts)) })
}

fn ops(conversation: &str, ops: Vec<MessageOp>) -> Event {
    Event::Thread(ThreadEvent { conversation: conversation.into(), update: ThreadUpdate::ops(ops) })
}

fn texts(app: App) -> Option<Vec<String>> {
    let thread = app.thread.get_untracked()?;
    Some(thread.messages.get_untracked().iter().map(crate::state::Message::text).collect())
}

#[test]
fn the_first_frame_opens_what_the_shell_says_or_the_newest() {
    let (_owner, app) = app();
    assert_eq!(app.begin(bootstrap(&["a", "b"], Some("b"))), Some("b".into()));
    let (_owner, app) = self::app();
    assert_eq!(app.begin(bootstrap(&["a", "b"], None)), Some("a".into()));
    let (_owner, app) = self::app();
    assert_eq!(app.begin(bootstrap(&[], None)), None);
}

#[test]
fn somebody_who_is_not_signed_in_opens_nothing() {
    let (_owner, app) = app();
    let bootstrap = Bootstrap { session: SessionView::SignedOut { reason: None }, ..bootstrap(&["a"], Some("a")) };
    assert_eq!(app.begin(bootstrap), None);
}

#[test]
fn signing_in_asks_for_the_conversations_and_signing_out_forgets_them() {
    let (_owner, app) = app();
    app.begin(Bootstrap { session: SessionView::SignedOut { reason: None }, ..bootstrap(&[], None) });
    assert_eq!(app.receive(Event::Session(signed_in())), Some(Demand::Bootstrap));
    app.begin(bootstrap(&["a"], Some("a")));
    app.receive(opened("a", &["hi"]));
    app.set_draft(Some("a".into()), "half a sentence".into());
    assert_eq!(app.receive(Event::Session(SessionView::SignedOut { reason: None })), None);
    assert_eq!((texts(app), app.open.get_untracked()), (None, None));
    assert!(app.conversations.get_untracked().is_empty());
    assert!(app.drafts.get_untracked().is_empty(), "whoever leaves on purpose leaves nothing");
}

#[test]
fn a_session_that_ends_by_itself_keeps_what_was_typed() {
    let (_owner, app) = app();
    app.begin(bootstrap(&["a"], Some("a")));
    app.set_draft(Some("a".into()), "half a sentence".into());
    app.receive(Event::Session(SessionView::SignedOut { reason: Some(UserError::new("session-ended", "x")) }));
    assert_eq!(app.draft_of(Some("a".into())), "half a sentence");
}

#[test]
fn another_account_shows_nothing_of_the_one_before_and_has_words_of_its_own() {
    let (_owner, app) = app();
    let of = |seat: &str| Bootstrap { seat: Some(seat.into()), ..bootstrap(&["a"], Some("a")) };
    app.begin(of("ada"));
    app.receive(opened("a", &["for Ada"]));
    app.set_draft(Some("a".into()), "half a sentence".into());
    // Both have a conversation of this name.
    assert_eq!(app.begin(of("grace")), Some("a".into()), "it is asked for again");
    assert_eq!((texts(app), app.draft_of(Some("a".into()))), (None, String::new()));
    app.set_draft(None, "hers".into());
    app.receive(Event::Session(SessionView::SignedOut { reason: None }));
    app.begin(of("ada"));
    assert_eq!(app.draft_of(Some("a".into())), "half a sentence", "whoever signs out takes nobody else's words along");
    app.begin(of("grace"));
    assert_eq!(app.draft_of(None), "");
}

#[test]
fn only_the_conversation_in_view_is_shown() {
    let (_owner, app) = app();
    app.begin(bootstrap(&["a", "b"], Some("a")));
    app.receive(opened("a", &["one"]));
    app.receive(ops("b", vec![MessageOp::Truncate { len: 0 }]));
    assert_eq!(texts(app), Some(vec!["one".into()]));
}

#[test]
fn a_new_conversation_whose_content_comes_before_its_name_is_not_lost() {
    let (_owner, app) = app();
    app.begin(bootstrap(&["a"], Some("a")));
    app.receive(opened("a", &["one"]));
    app.receive(opened("new", &[]));
    app.receive(ops("new", vec![MessageOp::Insert { index: 0, message: UiMessage::user("u", "first words") }]));
    assert_eq!(texts(app), Some(vec!["one".into()]), "the view does not jump");
    assert!(app.show("new".into()));
    assert_eq!(texts(app), Some(vec!["first words".into()]));
}

#[test]
fn a_mirror_that_is_out_of_step_asks_for_the_whole() {
    let (_owner, app) = app();
    app.begin(bootstrap(&["a"], Some("a")));
    app.receive(opened("a", &["one"]));
    assert_eq!(app.receive(ops("a", vec![MessageOp::Truncate { len: 7 }])), Some(Demand::Open("a".into())));
}

#[test]
fn what_was_left_unsent_before_the_start_is_there_and_does_not_take_the_place_of_newer_words() {
    let app = App::new();
    let draft =
        |conversation: Option<&str>, text: &str| Draft { conversation: conversation.map(Into::into), message: None, text: text.into() };
    let left = vec![draft(Some("a"), "old for a"), draft(Some("b"), "old for b"), draft(None, "yet to begin")];
    app.set_draft(Some("a".into()), "new for a".into());
    app.begin(Bootstrap { drafts: left, ..bootstrap(&["a", "b"], Some("a")) });
    let texts = [Some("a".to_owned()), Some("b".to_owned()), None].map(|conversation| app.draft_of(conversation));
    assert_eq!(texts, ["new for a", "old for b", "yet to begin"]);
    // What is to be kept is told once, and what is gone is told as nothing.
    let told =
        |app: &App| app.unkept_drafts().into_iter().map(|(of, text)| (of.conversation.unwrap_or_default(), text)).collect::<Vec<_>>();
    assert_eq!(told(&app), [("a".to_owned(), "new for a".to_owned())], "the rest is as the shell has it");
    assert_eq!(told(&app), []);
    app.take_draft(Some("b".into()));
    assert_eq!(told(&app), [("b".to_owned(), String::new())]);
    // What is being sent is neither kept as unsent nor forgotten before it is sent.
    app.leaves("a");
    app.set_draft(Some("a".into()), "newer for a".into());
    app.set_draft(Some("c".into()), "for c".into());
    assert_eq!(told(&app), [("c".to_owned(), "for c".to_owned())]);
    app.set_draft(Some("a".into()), String::new());
    assert_eq!(told(&app), []);
    app.left();
    assert_eq!(told(&app), [("a".to_owned(), String::new())]);
}

#[test]
fn each_conversation_keeps_its_own_draft() {
    let (_owner, app) = app();
    app.begin(bootstrap(&["a", "b"], Some("a")));
    app.set_draft(Some("a".into()), "for a".into());
    app.show("b".into());
    assert_eq!(untrack(|| app.draft()), "");
    app.set_draft(Some("b".into()), "for b".into());
    app.show("a".into());
    assert_eq!(untrack(|| app.draft()), "for a");
}

#[test]
fn other_words_for_a_message_wait_for_it_until_the_agent_has_them_or_they_are_given_up() {
    let (_owner, app) = app();
    app.begin(bootstrap(&["a", "b"], Some("a")));
    let of = app.edit_of("a", "m1");
    app.set_draft(Some("a".into()), "for the box".into());
    app.set_edit(of.clone(), "other wor".into(), "words");
    app.show("b".into());
    app.show("a".into());
    assert_eq!(app.edit(&of, "words").as_deref(), Some("other wor"));
    assert_eq!((app.edit(&app.edit_of("a", "m2"), "words"), app.edit(&app.edit_of("b", "m1"), "words")), (None, None));
    assert_eq!(app.draft_of(Some("a".into())), "for the box", "the box has its own");
    app.set_edit(of.clone(), "words".into(), "words");
    assert_eq!(app.edit(&of, "before"), None, "its own words are no others");

    app.set_edit(of.clone(), "other words".into(), "words");
    app.edit_taken(&of, "other wor");
    assert_eq!(app.edit(&of, "words").as_deref(), Some("other words"), "written since");
    app.edit_taken(&of, "other words");
    assert_eq!(app.edit(&of, "words"), None);

    app.set_edit(of.clone(), "other words".into(), "words");
    app.drop_edit(&of);
    assert_eq!(app.edit(&of, "words"), None, "given up");
    assert_eq!(app.draft_of(Some("a".into())), "for the box");
}

#[test]
fn other_words_are_kept_over_a_start_under_their_message() {
    let left = |message: &str, text: &str| Draft { conversation: Some("a".into()), message: Some(message.into()), text: text.into() };
    let (_owner, app) = app();
    app.begin(Bootstrap { drafts: vec![left("m1", "other words"), left("m2", "have arrived")], ..bootstrap(&["a"], Some("a")) });
    let (first, second) = (app.edit_of("a", "m1"), app.edit_of("a", "m2"));
    assert_eq!(app.edit(&first, "words").as_deref(), Some("other words"));
    assert_eq!((app.unkept_drafts(), app.draft_of(Some("a".into()))), (vec![], String::new()));
    assert_eq!(app.edit(&second, "have arrived\n"), None, "the agent had them when the app ended");
    assert_eq!(app.unkept_drafts(), [], "if it is the agent that says so");
    assert!(!app.settle_edits("a", |message| Some(if message == "m1" { "words" } else { "have arrived\n" }.to_owned())));
    assert_eq!(app.edit(&first, "words").as_deref(), Some("other words"), "these have not");
    assert_eq!(app.unkept_drafts(), [(second, String::new())]);
    app.set_edit(first.clone(), "other words, and more".into(), "words");
    // What is being sent from the box holds back nothing of an editor.
    app.leaves("a");
    assert_eq!(app.unkept_drafts(), [(first, "other words, and more".to_owned())]);
}

#[test]
fn other_words_for_a_message_that_is_gone_go_into_the_box_once_that_is_empty() {
    let (_owner, app) = app();
    app.begin(bootstrap(&["a", "b"], Some("a")));
    app.set_edit(app.edit_of("a", "m1"), "other words".into(), "words");
    app.set_edit(app.edit_of("b", "m1"), "elsewhere".into(), "words");
    assert!(!app.settle_edits("a", |message| (message == "m1").then(|| "words".to_owned())), "it is there");
    app.set_draft(Some("a".into()), "half a sentence".into());
    assert!(!app.settle_edits("a", |_| None), "not over what stands there");
    assert_eq!(app.edit(&app.edit_of("a", "m1"), "words").as_deref(), Some("other words"));
    app.set_draft(Some("a".into()), " ".into());
    assert!(app.settle_edits("a", |_| None));
    assert_eq!((app.draft_of(Some("a".into())).as_str(), app.edit(&app.edit_of("a", "m1"), "words")), ("other words", None));
    assert!(!app.settle_edits("a", |_| None), "once");
    assert_eq!(app.edit(&app.edit_of("b", "m1"), "words").as_deref(), Some("elsewhere"), "another conversation's are not touched");
}

#[test]
fn notices_stay_few_and_are_not_repeated() {
    let (_owner, app) = app();
    let notice = |code: &str| Notice { kind: NoticeKind::Info, message: UserError::new(code, code) };
    for code in ["a", "b", "a", "c", "d", "e"] {
        app.receive(Event::Notice(notice(code)));
    }
    let codes: Vec<_> = app.notices.get_untracked().iter().map(|(_, notice)| notice.message.code.clone()).collect();
    assert_eq!(codes, ["a", "c", "d", "e"]);
    let first = app.notices.get_untracked()[0].0;
    app.dismiss(first);
    assert_eq!(app.notices.get_untracked().len(), 3);
}

//! Rules of the box in which a message is written.

use callbox_ipc::{LinkView, ThreadStatus, TurnView};

/// What the box allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Composer {
    /// A message can be sent.
    Ready,
    /// The agent is at work: it can be stopped, and a message can be written but not yet sent.
    Busy,
    /// Nothing can be sent, for a reason that is shown.
    Blocked(Why),
}

/// Why nothing can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The conversation is still being opened.
    Opening,
    SignIn,
    /// The agent wants to be granted more first.
    MoreWanted,
    Refused,
    Closed,
}

impl Why {
    /// The name of the sentence that says so.
    pub fn key(self) -> &'static str {
        match self {
            Self::Opening => "composer-opening",
            Self::SignIn => "composer-sign-in",
            Self::MoreWanted => "composer-more-wanted",
            Self::Refused => "composer-refused",
            Self::Closed => "composer-closed",
        }
    }
}

/// Works out what the box allows. Without a conversation, sending begins one.
pub fn composer(open: bool, status: Option<&ThreadStatus>) -> Composer {
    let Some(status) = status else {
        return if open { Composer::Blocked(Why::Opening) } else { Composer::Ready };
    };
    match (&status.link, status.turn) {
        (LinkView::SignInNeeded { .. }, _) => Composer::Blocked(Why::SignIn),
        (LinkView::MoreWanted { scopes }, _) if !scopes.is_empty() => Composer::Blocked(Why::MoreWanted),
        (LinkView::Refused { .. } | LinkView::AgentMoved { .. } | LinkView::MoreWanted { .. }, _) => Composer::Blocked(Why::Refused),
        (LinkView::Closed, _) => Composer::Blocked(Why::Closed),
        (_, TurnView::Waiting | TurnView::Streaming | TurnView::Recovering) => Composer::Busy,
        (_, TurnView::Idle | TurnView::Interrupted) => Composer::Ready,
    }
}

/// A key press in the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they mirror the fields of a keyboard event")]
pub struct Press {
    pub enter: bool,
    pub shift: bool,
    pub other_modifier: bool,
    /// The event's own word that an input method is at work.
    pub composing: bool,
    /// Between the events that begin and end a composition.
    pub in_composition: bool,
    /// The old key code, 229 for keys that an input method takes. WebKitGTK sends it before the composition begins.
    pub code: u32,
}

/// Whether a key press sends the message: Enter alone, and never one that belongs to an input method.
pub fn sends(press: Press) -> bool {
    press.enter && !press.shift && !press.other_modifier && !press.composing && !press.in_composition && press.code != 229
}

/// What stays in the box once a text has been taken by the shell: what was typed meanwhile.
pub fn left_over(draft: &str, sent: &str) -> String {
    draft.strip_prefix(sent).map_or_else(|| draft.to_owned(), |rest| rest.trim_start_matches('\n').to_owned())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use callbox_ipc::UserError;

    use super::*;

    const ENTER: Press = Press { enter: true, shift: false, other_modifier: false, composing: false, in_composition: false, code: 13 };

    #[test]
    fn enter_sends_and_shift_enter_does_not() {
        assert!(sends(ENTER));
        assert!(!sends(Press { shift: true, ..ENTER }));
        assert!(!sends(Press { other_modifier: true, ..ENTER }));
        assert!(!sends(Press { enter: false, ..ENTER }));
    }

    #[test]
    fn the_enter_that_commits_a_candidate_never_sends() {
        assert!(!sends(Press { composing: true, ..ENTER }), "the event says so");
        assert!(!sends(Press { in_composition: true, ..ENTER }), "between the events");
        assert!(!sends(Press { code: 229, ..ENTER }), "before the composition is known");
    }

    #[test]
    fn what_was_typed_while_sending_stays() {
        assert_eq!(left_over("hello", "hello"), "");
        assert_eq!(left_over("hello and more", "hello"), " and more");
        assert_eq!(left_over("another", "hello"), "another");
    }

    fn status(link: LinkView, turn: TurnView) -> ThreadStatus {
        ThreadStatus { link, turn, ..ThreadStatus::default() }
    }

    #[test]
    fn a_message_can_be_written_offline_and_without_a_conversation() {
        let offline = LinkView::Offline { retry_in: None, reason: UserError::new("x", "x") };
        assert_eq!(composer(true, Some(&status(offline, TurnView::Idle))), Composer::Ready);
        assert_eq!(composer(false, None), Composer::Ready);
        assert_eq!(composer(true, None), Composer::Blocked(Why::Opening));
    }

    #[test]
    fn a_running_turn_can_be_stopped_and_a_closed_door_is_named() {
        assert_eq!(composer(true, Some(&status(LinkView::Online, TurnView::Streaming))), Composer::Busy);
        assert_eq!(
            composer(true, Some(&status(LinkView::SignInNeeded { reason: None }, TurnView::Streaming))),
            Composer::Blocked(Why::SignIn)
        );
        let refused = LinkView::Refused { reason: UserError::new("x", "x") };
        assert_eq!(composer(true, Some(&status(refused, TurnView::Idle))), Composer::Blocked(Why::Refused));
        let wants = |scopes: &[&str]| LinkView::MoreWanted { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect() };
        assert_eq!(composer(true, Some(&status(wants(&["chat"]), TurnView::Idle))), Composer::Blocked(Why::MoreWanted));
        assert_eq!(
            composer(true, Some(&status(wants(&[]), TurnView::Idle))),
            Composer::Blocked(Why::Refused),
            "nobody can grant what is not named"
        );
    }
}

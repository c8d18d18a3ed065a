//! What is said aloud to somebody who does not see the screen: that an answer begins, that it ends, that the agent asks. Not every word.

use callbox_ipc::TurnView;

/// Something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    Started,
    Finished,
    /// The agent asks to use a tool.
    Asked {
        tool: String,
    },
}

/// Remembers what has been said.
#[derive(Debug, Clone, Default)]
pub struct Watcher {
    busy: bool,
    asked: Vec<String>,
    begun: bool,
}

impl Watcher {
    /// Looks at a conversation; `asking` are the tool calls that wait, as id and name. The first look says only what waits.
    pub fn look(&mut self, turn: TurnView, asking: &[(String, String)]) -> Vec<Announcement> {
        let mut out = Vec::new();
        let busy = matches!(turn, TurnView::Waiting | TurnView::Streaming | TurnView::Recovering);
        let fresh = asking.iter().filter(|(id, _)| !self.asked.contains(id));
        let asked: Vec<_> = fresh.map(|(_, tool)| Announcement::Asked { tool: tool.clone() }).collect();
        if self.begun && busy && !self.busy {
            out.push(Announcement::Started);
        }
        if self.begun && self.busy && !busy && asked.is_empty() {
            out.push(Announcement::Finished);
        }
        out.extend(asked);
        self.begun = true;
        self.busy = busy;
        self.asked = asking.iter().map(|(id, _)| id.clone()).collect();
        out
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    fn asking(ids: &[&str]) -> Vec<(String, String)> {
        ids.iter().map(|id| ((*id).to_owned(), format!("tool-{id}"))).collect()
    }

    #[test]
    fn an_answer_is_told_once_when_it_begins_and_once_when_it_ends() {
        let mut watcher = Watcher::default();
        assert_eq!(watcher.look(TurnView::Idle, &[]), []);
        assert_eq!(watcher.look(TurnView::Waiting, &[]), [Announcement::Started]);
        assert_eq!(watcher.look(TurnView::Streaming, &[]), []);
        assert_eq!(watcher.look(TurnView::Idle, &[]), [Announcement::Finished]);
    }

    #[test]
    fn a_question_is_told_once_and_instead_of_the_end() {
        let mut watcher = Watcher::default();
        watcher.look(TurnView::Streaming, &[]);
        assert_eq!(watcher.look(TurnView::Idle, &asking(&["a"])), [Announcement::Asked { tool: "tool-a".into() }]);
        assert_eq!(watcher.look(TurnView::Idle, &asking(&["a", "b"])), [Announcement::Asked { tool: "tool-b".into() }]);
    }

    #[test]
    fn a_conversation_that_is_opened_tells_only_what_waits() {
        assert_eq!(Watcher::default().look(TurnView::Streaming, &[]), []);
        assert_eq!(Watcher::default().look(TurnView::Idle, &asking(&["a"])).len(), 1);
    }
}

//! What has to be true when everything has come to rest.

use std::collections::{HashMap, HashSet};

use callbox_link::{DeliveryError, DeliveryState, ThreadSnapshot};
use callbox_protocol::UiMessage;
use serde_json::Value;

use crate::{
    CONVERSATION,
    user::{Company, Typed, World},
};

impl World {
    pub(crate) async fn judge(&mut self) {
        let stored = self.agent.messages(CONVERSATION);
        let typed = self.typed.lock().unwrap().clone();
        let mut failed = HashSet::new();
        for window in 0..self.windows.len() {
            let shown = self.shown(window).await.unwrap();
            let waits: HashSet<&str> = shown.status.deliveries.iter().map(|delivery| delivery.message_id.as_str()).collect();
            judge_list(window, &shown, &waits, &stored);
            self.judge_failures(window, &shown, &typed);
            let kept: HashSet<String> = self.windows[window].disk.ids().into_iter().collect();
            for id in waits {
                assert!(kept.contains(id), "window {window} shows a failed message that would be gone after a restart");
                assert!(stored.iter().all(|message| message["id"] != id), "{id} is there and has failed, too");
                failed.insert(id.to_owned());
            }
        }
        let user = |message: &&Value| message["role"] == "user";
        let said: Vec<(&str, &str)> =
            stored.iter().filter(user).map(|message| (text(&message["id"]), text(&message["parts"][0]["text"]))).collect();
        for (index, (_, one)) in said.iter().enumerate() {
            assert!(!said[..index].iter().any(|(_, other)| other == one), "“{one}” is there twice: {said:?}");
        }
        self.judge_decisions(&stored);
        if self.company == Company::Crowd {
            return;
        }
        let wrong = self.changes.wrong(self.skips > 0);
        assert!(wrong.is_empty(), "{wrong:?}");
        self.judge_typed(&typed, &said, &failed);
        if self.skips > 0 {
            // What the agent skipped is sent again after a restart that does not know of it.
            return;
        }
        for window in 0..self.windows.len() {
            let order = |text: &&str| {
                typed.iter().position(|typed| typed.window == window && typed.text == **text && !self.touched.contains(*text))
            };
            let places: Vec<usize> = said.iter().filter_map(|(_, text)| order(text)).collect();
            assert!(places.is_sorted(), "window {window}: the order is not that of typing: {said:?}");
        }
    }

    /// What was typed and not taken back is there, as it was typed or edited last; what was taken back is not.
    fn judge_typed(&self, typed: &[Typed], said: &[(&str, &str)], failed: &HashSet<String>) {
        let fates = self.changes.fates();
        let never = self.changes.never_said();
        for (id, text) in said {
            assert!(!never.contains(*text), "the edit of {id} to “{text}” has failed, and it is there");
        }
        let there: HashMap<&str, &str> = said.iter().copied().collect();
        for typed in typed {
            let Some(id) = &typed.id else { continue };
            let fate = fates.get(id);
            if fate.is_some_and(|fate| fate.must_be_gone) {
                assert!(!there.contains_key(id.as_str()), "“{}” was taken back, and is there: {said:?}", typed.text);
                assert!(!failed.contains(id), "“{}” was taken back, and has failed", typed.text);
                continue;
            }
            let Some(text) = there.get(id.as_str()) else {
                let excused = failed.contains(id) || fate.is_some_and(|fate| fate.may_be_gone) || self.touched.contains(&typed.text);
                assert!(excused, "“{}” is lost: {said:?} {failed:?}", typed.text);
                continue;
            };
            let allowed = fate.map_or(&[][..], |fate| &fate.texts);
            let as_typed = allowed.is_empty() || allowed.iter().any(String::is_empty);
            let well = as_typed && *text == typed.text || allowed.iter().any(|allowed| allowed == text);
            assert!(well, "“{}” says “{text}”, and not one of {allowed:?}", typed.text);
        }
    }

    /// Nothing ran that nobody approved, nothing was denied that nobody denied, and no decision was dropped.
    fn judge_decisions(&self, stored: &[Value]) {
        let decided = self.decided.lock().unwrap();
        let parts = stored.iter().flat_map(|message| message["parts"].as_array().unwrap());
        for part in parts.filter(|part| part["toolName"] == "getWeather") {
            let (call, state) = (text(&part["toolCallId"]), text(&part["state"]));
            let taken = |approved: bool| decided.iter().any(|decided| decided.call == call && decided.approved == approved);
            match state {
                "output-available" => assert!(taken(true), "{call} ran, and nobody approved it"),
                "output-denied" => assert!(taken(false), "{call} was denied by nobody"),
                "approval-requested" => {
                    assert!(!decided.iter().any(|decided| decided.call == call && decided.kept), "the decision on {call} is lost");
                }
                _ => {}
            }
        }
    }

    /// A message fails only for a reason; one that was lost, only after it was lost with three sockets of its window.
    fn judge_failures(&self, window: usize, shown: &ThreadSnapshot, typed: &[Typed]) {
        let opened = self.opened(window);
        for failed in &shown.status.deliveries {
            let DeliveryState::Failed(why) = failed.state else { continue };
            let one = typed.iter().find(|typed| typed.id.as_ref() == Some(&failed.message_id));
            let Some(one) = one.filter(|one| !self.touched.contains(&one.text)) else { continue };
            match why {
                DeliveryError::NotTaken => {
                    assert!(opened >= one.opened + 2, "“{}” was given up after {} sockets", one.text, opened - one.opened);
                }
                // What waits for its turn when the conversation is emptied is skipped, too.
                DeliveryError::Skipped => {
                    assert!(self.skips > 0 || self.changes.emptied(), "“{}” was skipped by nobody", one.text);
                }
                other => panic!("“{}” has failed for no reason: {other:?}", one.text),
            }
        }
    }
}

/// A window shows what the agent has, and behind it what has failed.
fn judge_list(window: usize, shown: &ThreadSnapshot, waits: &HashSet<&str>, stored: &[Value]) {
    let known: Vec<Value> = shown
        .messages
        .iter()
        .filter(|message| !waits.contains(message.id.as_str()))
        .map(|message: &UiMessage| serde_json::to_value(message).unwrap())
        .collect();
    let differs = (0..known.len().max(stored.len())).find(|at| known.get(*at) != stored.get(*at));
    if let Some(at) = differs {
        let show = |list: &[Value]| list.get(at).map_or("nothing".to_owned(), Value::to_string);
        panic!(
            "window {window}, message {at} of {} and {}: it has\n{}\nthe agent\n{}",
            known.len(),
            stored.len(),
            show(&known),
            show(stored)
        );
    }
    for id in waits {
        assert!(shown.messages.iter().any(|message| message.id == *id), "window {window} does not show a message that has failed");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

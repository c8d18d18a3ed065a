//! What the browser does for us: the few calls that have no place in a view.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, HtmlElement, KeyboardEvent};

use crate::state::composing::Press;

/// The document, where there is one.
pub fn document() -> Option<Document> {
    web_sys::window()?.document()
}

/// How this system writes the key that commands begin with, in front of another key.
pub fn command_key() -> &'static str {
    let platform = web_sys::window().and_then(|window| window.navigator().platform().ok()).unwrap_or_default();
    if platform.starts_with("Mac") { "⌘" } else { "Ctrl+" }
}

/// The language that the system asks for.
pub fn system_language() -> String {
    web_sys::window().and_then(|window| window.navigator().language()).unwrap_or_default()
}

/// Milliseconds since 1970 UTC.
pub fn now() -> i64 {
    js_sys::Date::now() as i64
}

/// Milliseconds since the window opened, by a clock that nobody sets.
pub fn monotonic() -> u64 {
    let passed = web_sys::window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is no more than some months, and never negative")]
    let passed = passed.max(0.0) as u64;
    passed
}

/// The local time's lead over UTC, in minutes.
pub fn zone() -> i64 {
    -js_sys::Date::new_0().get_timezone_offset() as i64
}

/// A day in the words of a language: `12 March`, with the year if it is another one.
pub fn date(time: i64, language: &str) -> String {
    let date = js_sys::Date::new(&JsValue::from_f64(time as f64));
    let options = js_sys::Object::new();
    let set = |name: &str, value: &str| drop(js_sys::Reflect::set(&options, &name.into(), &value.into()));
    set("month", "short");
    set("day", "numeric");
    if date.get_full_year() != js_sys::Date::new_0().get_full_year() {
        set("year", "numeric");
    }
    date.to_locale_date_string(language, &options).into()
}

/// A date's text, or a number of milliseconds, as milliseconds since 1970.
pub fn parse_time(value: &serde_json::Value) -> Option<i64> {
    match value {
        serde_json::Value::Number(number) => number.as_f64().map(|time| time as i64),
        serde_json::Value::String(text) => Some(js_sys::Date::parse(text)).filter(|time| time.is_finite()).map(|time| time as i64),
        _ => None,
    }
}

/// Puts a text on the clipboard; `false` if the page may not.
pub async fn copy(text: &str) -> bool {
    let Some(window) = web_sys::window() else { return false };
    let navigator = window.navigator();
    let clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|clipboard| clipboard.is_object());
    if clipboard && wasm_bindgen_futures::JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok() {
        return true;
    }
    copy_by_selection(text).unwrap_or(false)
}

/// The old way, for web views without a clipboard of their own.
fn copy_by_selection(text: &str) -> Option<bool> {
    let document = document()?;
    let area: web_sys::HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
    area.set_class_name("visually-hidden");
    area.set_value(text);
    document.body()?.append_child(&area).ok()?;
    area.select();
    let copy = js_sys::Reflect::get(&document, &"execCommand".into()).ok()?.dyn_into::<js_sys::Function>().ok()?;
    let done = copy.call1(&document, &"copy".into()).is_ok_and(|done| done.is_truthy());
    area.remove();
    Some(done)
}

/// A key press in a box in which a message is written. `in_composition`: between the events that begin and end one.
pub fn press(event: &KeyboardEvent, in_composition: bool) -> Press {
    Press {
        enter: event.key() == "Enter",
        shift: event.shift_key(),
        other_modifier: event.ctrl_key() || event.alt_key() || event.meta_key(),
        composing: event.is_composing(),
        in_composition,
        code: event.key_code(),
    }
}

/// Puts the keyboard's focus on the first element that a selector finds.
pub fn focus(selector: &str) {
    let found = document().and_then(|document| document.query_selector(selector).ok().flatten());
    if let Some(element) = found.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        drop(element.focus());
    }
}

/// Gives the focus to the box in which messages are written, if nothing has it or what has it is going away and matches the selector.
pub fn focus_box_from(going: &str) {
    let active = document().and_then(|document| document.active_element());
    if active.is_none_or(|element| element.tag_name() == "BODY" || element.matches(going).unwrap_or_default()) {
        focus("#composer");
    }
}

//! Commands and events through the web view's own bridge to the shell.
//!
//! Only what Tauri puts into every page is used: `invoke` and `transformCallback`. Values cross as JSON text, so that they are read here
//! by the same code as on the wire.

use std::cell::RefCell;

use callbox_ipc::{Event, UserError};
use js_sys::{Function, JSON, Promise, Reflect};
use serde_json::{Map, Value};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;

use super::ordered::Ordered;
use super::read::read;
use super::{Answer, Backend, unreadable};

/// The bridge of the app's own window.
pub struct Tauri {
    internals: JsValue,
}

impl Tauri {
    /// Finds the bridge; none where the page is open anywhere but in the app.
    pub fn find() -> Option<Self> {
        let internals = Reflect::get(web_sys::window()?.as_ref(), &"__TAURI_INTERNALS__".into()).ok()?;
        internals.is_object().then_some(Self { internals })
    }

    fn call(&self, command: &str, arguments: &JsValue) -> Result<Promise, JsValue> {
        let invoke: Function = Reflect::get(&self.internals, &"invoke".into())?.dyn_into()?;
        invoke.call2(&self.internals, &command.into(), arguments)?.dyn_into()
    }

    fn start(&self, command: &'static str, arguments: Result<JsValue, JsValue>) -> Answer<String> {
        let promise = arguments.and_then(|arguments| self.call(command, &arguments));
        Box::pin(async move {
            let answer = match promise {
                Ok(promise) => JsFuture::from(promise).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(value) => text(&value).ok_or_else(unreadable),
                Err(error) => Err(refusal(&error)),
            }
        })
    }

    /// Registers a function that the shell calls with the events, and returns its name in Tauri's notation.
    fn channel(&self, events: Box<dyn Fn(Event)>) -> Result<String, JsValue> {
        let ordered = RefCell::new(Ordered::new());
        let receive = Closure::<dyn Fn(JsValue)>::new(move |message: JsValue| {
            let Some(index) = Reflect::get(&message, &"index".into()).ok().and_then(|index| index.as_f64()) else { return };
            let Ok(body) = Reflect::get(&message, &"message".into()) else { return };
            // The number of an event that cannot be read is used up all the same, or those behind it would wait for ever.
            let event = event(&body);
            let ready = ordered.borrow_mut().take(index as u64, event);
            ready.into_iter().flatten().for_each(&events);
        });
        let transform: Function = Reflect::get(&self.internals, &"transformCallback".into())?.dyn_into()?;
        let id = transform.call1(&self.internals, &receive.into_js_value())?;
        let id = id.as_f64().ok_or_else(|| JsValue::from_str("no callback"))?;
        // A whole number, written as one: to write any other would bring in all of the ways to write it.
        Ok(format!("__CHANNEL__:{}", id as u64))
    }
}

impl Backend for Tauri {
    fn invoke(&self, command: &'static str, arguments: Map<String, Value>) -> Answer<String> {
        self.start(command, JSON::parse(&Value::Object(arguments).to_string()))
    }

    fn subscribe(&self, events: Box<dyn Fn(Event)>) -> Answer<()> {
        let arguments = self.channel(events).map(|channel| Map::from_iter([("events".to_owned(), Value::from(channel))]));
        let answer = self.start("subscribe", arguments.and_then(|arguments| JSON::parse(&Value::Object(arguments).to_string())));
        Box::pin(async move { answer.await.map(|_| ()) })
    }
}

/// Reads an event. The shell sends it as JSON text inside the message, or as the message itself. Only the text keeps numbers as they are:
/// the bridge would turn `9007199254740993` into its neighbour, and an argument that somebody is asked about into another one.
fn event(body: &JsValue) -> Option<Event> {
    match body.as_string() {
        Some(text) => read(&text),
        None => read(&text(body)?),
    }
}

/// A value as JSON text; what is undefined is null there.
fn text(value: &JsValue) -> Option<String> {
    if value.is_undefined() { Some("null".to_owned()) } else { Some(JSON::stringify(value).ok()?.into()) }
}

/// What a refused command says: the shell's own error, or the bridge's words.
fn refusal(error: &JsValue) -> UserError {
    text(error).and_then(|text| read::<UserError>(&text)).unwrap_or_else(|| {
        let words =
            error.as_string().or_else(|| error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()))).unwrap_or_default();
        UserError::new("shell-refused", format!("Callbox could not do that: {words}"))
    })
}

//! The scripted model: decides by a few words what to say or which tool to call, and says that it is a script.

use serde_json::{Value, json};

use super::{Saying, answers};
use crate::{
    agent::{services, tools, transcript},
    random,
};

/// One step of the script. `clients`: the tools that run at the client; one is called when its name is said.
pub(super) fn step(messages: &[Value], clients: &[Value]) -> Vec<Saying> {
    let Some(last) = messages.last() else { return say(&answers::introduction()) };
    let first_answer = !messages.iter().any(|message| transcript::is(message, "assistant") && !transcript::text(message).is_empty());
    if transcript::is(last, "assistant") {
        return say(&with_note(&after_tools(last), first_answer));
    }
    let asked = transcript::text(last);
    let words = asked.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
    if let Some(count) = words.strip_prefix("stream ").and_then(|rest| rest.split_whitespace().next()?.parse().ok()) {
        return count_up(count);
    }
    let offered = clients.iter().filter_map(|tool| tool["name"].as_str()).filter(|name| tools::is_clients(clients, name));
    if let Some(tool) = offered.into_iter().find(|name| words.contains(&name.to_lowercase())) {
        return call(tool, &json!({}));
    }
    let services: Vec<Saying> = services::CALLS
        .iter()
        .filter(|(words, _)| has(words))
        .flat_map(|(_, tool)| call(tool, &if *tool == services::ORDER { json!({"item": "oranges"}) } else { json!({}) }))
        .collect();
    if !services.is_empty() {
        return services;
    }
    if has(&["weather", "wetter", "forecast"]) {
        let unit = if has(&["fahrenheit", "°f"]) { "fahrenheit" } else { "celsius" };
        return cities(&asked).iter().flat_map(|city| call(tools::WEATHER, &json!({"city": city, "unit": unit}))).collect();
    }
    if has(&["time", "clock", "o'clock", "what day", "date"]) {
        return call(tools::TIME, &json!({}));
    }
    let answer = if has(&["tour", "markdown", "show"]) {
        answers::TOUR.to_owned()
    } else if has(&["long", "essay", "story"]) {
        answers::LONG.to_owned()
    } else if first_answer {
        return say(&answers::introduction());
    } else if has(&["help", "what can you"]) {
        answers::introduction()
    } else if has(&["thank"]) {
        "You are welcome.".to_owned()
    } else {
        answers::shrug(&asked)
    };
    say(&with_note(&answer, first_answer))
}

fn with_note(answer: &str, first_answer: bool) -> String {
    if first_answer { format!("{answer}\n\n{}", answers::NOTE) } else { answer.to_owned() }
}

/// What to say when the tools of an answer have run, or were not allowed to.
fn after_tools(message: &Value) -> String {
    let sentences: Vec<String> = transcript::tools(message).map(sentence).collect();
    if sentences.is_empty() { "There is nothing to add.".to_owned() } else { sentences.join("\n\n") }
}

fn sentence(part: &Value) -> String {
    let city = part["input"]["city"].as_str().unwrap_or("that city");
    match (part["toolName"].as_str(), part["state"].as_str()) {
        (Some(tools::TIME), Some("output-available")) => answers::time(part["output"]["time"].as_str().unwrap_or_default()),
        (Some(tools::WEATHER), Some("output-available")) => answers::weather(&part["output"]),
        (Some(tools::WEATHER), Some("output-denied")) => answers::denied(city),
        (Some(services::CALENDAR), Some("output-available")) => answers::list("In your calendar today", &part["output"]["today"]),
        (Some(services::CONTACTS), Some("output-available")) => answers::list("You know", &part["output"]["contacts"]),
        (Some(services::ORDER), Some("output-available")) => answers::ordered(&part["output"]["ordered"]),
        (Some(services::BILLING), Some("output-available")) => "I could not read your bills.".to_owned(),
        (Some(tool), Some("output-available")) => answers::client_tool(tool, &part["output"]),
        (_, Some("output-error")) => {
            format!("That did not work: {}", part["errorText"].as_str().unwrap_or("the tool gave no reason."))
        }
        _ => "The tool gave no result.".to_owned(),
    }
}

/// The cities of a question: after "in", separated by commas or "and". Paris, if there is none.
fn cities(asked: &str) -> Vec<String> {
    let lower = asked.to_ascii_lowercase();
    let after = [" in ", " for ", " at "].iter().find_map(|word| lower.find(word).map(|at| &asked[at + word.len()..]));
    let named = after.unwrap_or_default().replace(" and ", ",");
    let clean = |city: &str| {
        let city = city.trim().trim_matches(|character: char| !character.is_alphanumeric());
        let lower = city.to_ascii_lowercase();
        if lower.starts_with("in ") || lower == "fahrenheit" || lower == "celsius" {
            return String::new();
        }
        let end = [" today", " tomorrow", " now", " please", " right", " in "];
        let cut = end.iter().filter_map(|word| lower.find(word)).min().unwrap_or(city.len());
        city[..cut].trim().to_owned()
    };
    let cities: Vec<String> = named.split(',').map(clean).filter(|city| !city.is_empty()).take(4).collect();
    if cities.is_empty() { vec!["Paris".to_owned()] } else { cities }
}

fn say(text: &str) -> Vec<Saying> {
    let words = text.split_inclusive([' ', '\n']).map(|word| Saying::Text(word.to_owned()));
    std::iter::once(Saying::TextStart).chain(words).chain([Saying::TextEnd]).collect()
}

/// `stream 300`: exactly so many pieces, for tests and for measuring.
fn count_up(count: usize) -> Vec<Saying> {
    let words = (0..count.min(100_000)).map(|n| Saying::Text(if n % 40 == 39 { format!("w{n}.\n\n") } else { format!("w{n} ") }));
    std::iter::once(Saying::TextStart).chain(words).chain([Saying::TextEnd]).collect()
}

fn call(name: &str, input: &Value) -> Vec<Saying> {
    let id = format!("call_{}", random::base36(10));
    let text = input.to_string();
    let mut sayings = vec![Saying::CallStart { id: id.clone(), name: name.to_owned() }];
    let characters: Vec<char> = text.chars().collect();
    for piece in characters.chunks(8) {
        sayings.push(Saying::CallText { id: id.clone(), text: piece.iter().collect() });
    }
    sayings.push(Saying::Call { id, name: name.to_owned(), input: Ok(input.clone()) });
    sayings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(text: &str) -> Value {
        json!({"id": "u", "role": "user", "parts": [{"type": "text", "text": text}]})
    }

    fn says(text: &str) -> Value {
        json!({"id": "a", "role": "assistant", "parts": [{"type": "text", "text": text}]})
    }

    fn said(sayings: &[Saying]) -> String {
        sayings.iter().filter_map(|saying| if let Saying::Text(text) = saying { Some(text.as_str()) } else { None }).collect()
    }

    fn called(sayings: &[Saying]) -> Vec<(String, Value)> {
        let call = |saying: &Saying| match saying {
            Saying::Call { name, input: Ok(input), .. } => Some((name.clone(), input.clone())),
            _ => None,
        };
        sayings.iter().filter_map(call).collect()
    }

    #[test]
    fn the_first_answer_says_that_it_is_a_script_and_what_to_ask() {
        for question in ["hello", "a tour, please", "something long"] {
            let first = said(&step(&[asks(question)], &[]));
            assert!(first.contains("script") && first.contains("weather in Paris"), "{question}: {first}");
            let later = said(&step(&[asks("hi"), says("Hello."), asks(question)], &[]));
            assert_ne!(first, later, "{question}");
        }
    }

    #[test]
    fn questions_become_tool_calls() {
        assert_eq!(called(&step(&[asks("What time is it?")], &[])), [("getTime".to_owned(), json!({}))]);
        let paris = ("getWeather".to_owned(), json!({"city": "Paris", "unit": "celsius"}));
        assert_eq!(called(&step(&[asks("weather in Paris")], &[])), std::slice::from_ref(&paris));
        assert_eq!(called(&step(&[asks("weather please")], &[])), [paris]);
        let both = called(&step(&[asks("What is the weather in New York and São Paulo today, in Fahrenheit?")], &[]));
        assert_eq!(both.len(), 2);
        assert!(both.iter().all(|(_, input)| input["unit"] == "fahrenheit"), "{both:?}");
        let both = called(&step(&[asks("weather in New York and São Paulo today?")], &[]));
        let cities: Vec<&Value> = both.iter().map(|(_, input)| &input["city"]).collect();
        assert_eq!(cities, ["New York", "São Paulo"]);
    }

    #[test]
    fn the_pieces_of_a_call_are_its_input() {
        let sayings = step(&[asks("weather in Reykjavík")], &[]);
        let text: String = sayings
            .iter()
            .filter_map(|saying| if let Saying::CallText { text, .. } = saying { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), called(&sayings)[0].1);
    }

    #[test]
    fn a_denial_is_taken_politely() {
        let denied = json!({"id": "a", "role": "assistant", "parts": [
            {"type": "tool-getWeather", "toolCallId": "c", "toolName": "getWeather", "state": "output-denied", "input": {"city": "Oslo"}}
        ]});
        let answer = said(&step(&[asks("weather in Oslo"), denied], &[]));
        assert!(answer.contains("Oslo") && answer.contains("not"), "{answer}");
    }

    #[test]
    fn stream_n_gives_exactly_n_pieces() {
        let pieces = step(&[asks("stream 300 rate 150")], &[]).iter().filter(|saying| matches!(saying, Saying::Text(_))).count();
        assert_eq!(pieces, 300);
    }

    #[test]
    fn a_tool_of_the_clients_is_called_when_its_name_is_said_and_its_result_is_told() {
        let tools = [json!({"name": "getLocalTime"})];
        assert_eq!(called(&step(&[asks("use getLocalTime, please")], &tools)), [("getLocalTime".to_owned(), json!({}))]);
        assert_eq!(called(&step(&[asks("use getLocalTime, please")], &[])), [("getTime".to_owned(), json!({}))], "it was not offered");
        let result = json!({"id": "a", "role": "assistant", "parts": [
            {"type": "tool-getLocalTime", "toolCallId": "c", "toolName": "getLocalTime", "state": "output-available", "output": {"time": "12:00"}}
        ]});
        let answer = said(&step(&[asks("use getLocalTime"), result], &tools));
        assert!(answer.contains("getLocalTime") && answer.contains("12:00"), "{answer}");
    }
}

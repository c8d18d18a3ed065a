//! The agent's tools, and those that a client offers.

use serde_json::{Map, Value, json};

use super::services;
use crate::Clock;

/// Tells the time. Just runs.
pub(super) const TIME: &str = "getTime";
/// Tells made-up weather. Asks first.
pub(super) const WEATHER: &str = "getWeather";

/// Whether a person has to agree before a tool runs.
pub(super) fn asks_first(name: &str) -> bool {
    name == WEATHER
}

/// A tool as a model is told about it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declaration {
    pub(super) name: String,
    pub(super) description: String,
    /// JSON Schema.
    pub(super) parameters: Value,
}

/// What a model is told about all tools. A client's tool does not take the place of one of ours.
pub(super) fn declarations(clients: &[Value]) -> Vec<Declaration> {
    let declaration = |(name, description, parameters): (&str, &str, Value)| Declaration {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters,
    };
    let offered = clients.iter().filter(|tool| is_clients(clients, tool["name"].as_str().unwrap_or_default())).map(|tool| {
        let text = |field: &str| tool[field].as_str().unwrap_or_default();
        let parameters = if tool["parameters"].is_object() { tool["parameters"].clone() } else { json!({"type": "object"}) };
        declaration((text("name"), text("description"), parameters))
    });
    own().into_iter().map(declaration).chain(offered).collect()
}

/// Whether a tool runs at the client: it is offered, and none of ours.
pub(super) fn is_clients(clients: &[Value], name: &str) -> bool {
    !name.is_empty() && own().iter().all(|(known, ..)| *known != name) && clients.iter().any(|tool| tool["name"] == name)
}

fn own() -> Vec<(&'static str, &'static str, Value)> {
    let mut all = vec![
        (TIME, "Tells the current date and time in UTC.", json!({"type": "object", "properties": {}, "additionalProperties": false})),
        (
            WEATHER,
            "Tells the current weather in a city. The person is asked before it runs. The values are made up.",
            json!({
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Name of the city"},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                },
                "required": ["city"],
                "additionalProperties": false,
            }),
        ),
    ];
    all.extend(services::declarations());
    all
}

/// Runs a tool. `Err` is what went wrong, for the model and the person.
pub(super) fn run(name: &str, input: &Value, clock: &Clock) -> Result<Value, String> {
    match name {
        TIME => Ok(json!({"time": rfc3339(clock.unix()), "timeZone": "UTC"})),
        WEATHER => weather(input),
        other => Err(format!("There is no tool named {other}.")),
    }
}

/// The same city always has the same weather: it comes from the letters of its name.
fn weather(input: &Value) -> Result<Value, String> {
    let input = input.as_object().cloned().unwrap_or_else(Map::new);
    let city = input.get("city").and_then(Value::as_str).map(str::trim).filter(|city| !city.is_empty());
    let city = city.ok_or_else(|| "The input has no city.".to_owned())?;
    let fahrenheit = input.get("unit").and_then(Value::as_str) == Some("fahrenheit");
    let seed = city.to_lowercase().bytes().fold(7u32, |seed, byte| seed.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let celsius = i32::try_from(seed % 32).unwrap_or(0) - 2;
    let conditions = ["sunny", "partly cloudy", "overcast", "light rain", "windy", "fog"];
    let condition = conditions[usize::try_from(seed / 32).unwrap_or(0) % conditions.len()];
    let (temperature, unit) = if fahrenheit { (celsius * 9 / 5 + 32, "fahrenheit") } else { (celsius, "celsius") };
    Ok(json!({
        "city": city, "temperature": temperature, "unit": unit, "condition": condition,
        "note": "Made up by the sandbox. No weather service was asked.",
    }))
}

/// Year, month and day of a count of days since 1970, by the civil calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// `2026-01-02T03:04:05Z`
pub(crate) fn rfc3339(unix: u64) -> String {
    let (year, month, day) = civil(unix / 86_400);
    let second = unix % 86_400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_civil_calendar() {
        for (unix, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_323_045, "2026-01-02T03:04:05Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(unix), expected);
        }
    }

    #[test]
    fn a_city_has_its_weather_in_either_unit() {
        let celsius = weather(&json!({"city": "Paris"})).unwrap();
        assert_eq!(celsius, weather(&json!({"city": "Paris", "unit": "celsius"})).unwrap());
        let fahrenheit = weather(&json!({"city": "paris", "unit": "fahrenheit"})).unwrap();
        assert_eq!(fahrenheit["condition"], celsius["condition"]);
        assert_eq!(fahrenheit["temperature"].as_i64().unwrap(), celsius["temperature"].as_i64().unwrap() * 9 / 5 + 32);
        assert!(celsius["note"].as_str().unwrap().contains("Made up"));
        assert!(weather(&json!({"city": " "})).is_err());
    }
}

//! The tools of this app that an agent may use: those that the profile names, and no others.

use std::sync::Arc;

use callbox_link::ClientTool;
use serde_json::json;

/// The names that a profile may use.
pub(super) const NAMES: [&str; 1] = ["time-zone"];

/// The tools of these names.
///
/// # Errors
/// The first name that is none.
pub(super) fn named(names: &[String]) -> Result<Vec<ClientTool>, String> {
    names.iter().map(|name| if name == "time-zone" { Ok(time_zone()) } else { Err(name.clone()) }).collect()
}

/// Where the user's clock is set to. An agent that plans a meeting has to know, and nobody wants to be asked.
fn time_zone() -> ClientTool {
    ClientTool {
        name: "getTimeZone".to_owned(),
        description: "Tells the time zone of the user's computer, by its name in the IANA database.".to_owned(),
        parameters: json!({"type": "object", "properties": {}, "additionalProperties": false}),
        read_only: true,
        handler: Arc::new(|_| {
            Box::pin(async {
                match iana_time_zone::get_timezone() {
                    Ok(name) => Ok(json!({"timeZone": name})),
                    Err(_) => Err("The time zone of this computer is not known.".to_owned()),
                }
            })
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_tool_and_nothing_else_is() {
        let names = NAMES.map(str::to_owned);
        assert_eq!(named(&names).unwrap().len(), NAMES.len());
        assert_eq!(named(&["time-zone".to_owned(), "rm".to_owned()]).unwrap_err(), "rm");
    }

    #[tokio::test]
    async fn the_time_zone_is_told() {
        let told = (time_zone().handler)(json!({"anything": 1})).await;
        // A machine without a zone says so; one that has one names it.
        match iana_time_zone::get_timezone() {
            Ok(name) => assert_eq!(told.unwrap(), json!({"timeZone": name})),
            Err(_) => assert!(told.unwrap_err().contains("not known")),
        }
    }
}

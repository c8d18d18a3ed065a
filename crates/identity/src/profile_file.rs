//! A profile as a file (TOML): what it may say, and what is wrong with it, by line.

use serde::Deserialize;
use toml::de::DeTable;

use crate::Profile;

/// What a profile may say. The order is that of the documentation.
const KEYS: [&str; 19] = [
    "id",
    "name",
    "agent",
    "conversations",
    "issuer",
    "client_id",
    "audience",
    "resource",
    "dpop",
    "scopes",
    "organization",
    "connection",
    "screen_hint",
    "login_hint",
    "max_age",
    "redirect_uri",
    "client_tools",
    "service_client_id",
    "provenance",
];

/// A name that is this far from a known one, at most, was meant to be that.
const NEAR: usize = 3;

/// What is wrong with a profile's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ProfileFileError {
    /// Counted from 1; none where the fault is that something is missing.
    pub line: Option<usize>,
    pub what: String,
}

impl Profile {
    /// Reads a profile from the text of a TOML file.
    ///
    /// # Errors
    /// The first thing that is wrong, and in which line.
    pub fn from_toml(text: &str) -> Result<Self, ProfileFileError> {
        let at = |error: &toml::de::Error| ProfileFileError {
            // Where something is missing, the span is the whole of the file.
            line: error.span().filter(|span| *span != (0..text.len())).map(|span| line(text, span.start)),
            what: error.message().trim_end().replace('\n', ", "),
        };
        let table = DeTable::parse(text).map_err(|error| at(&error))?;
        let mut unknown: Vec<_> = table.get_ref().keys().filter(|key| !KEYS.contains(&&**key.get_ref())).collect();
        unknown.sort_by_key(|key| key.span().start);
        if let Some(key) = unknown.first() {
            let name = key.get_ref();
            let meant = nearest(name).map(|known| format!(", did you mean `{known}`?")).unwrap_or_default();
            return Err(ProfileFileError { line: Some(line(text, key.span().start)), what: format!("`{name}` is not known{meant}") });
        }
        let profile = Self::deserialize(toml::de::Deserializer::parse(text).map_err(|error| at(&error))?).map_err(|error| at(&error))?;
        for (name, value) in [("id", &profile.id), ("name", &profile.name), ("client_id", &profile.client_id)] {
            if value.trim().is_empty() {
                let line = table.get_ref().keys().find(|key| &**key.get_ref() == name).map(|key| line(text, key.span().start));
                return Err(ProfileFileError { line, what: format!("`{name}` is empty") });
            }
        }
        Ok(profile)
    }
}

/// The line of a place in a text, counted from 1.
fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let (distance, known) = KEYS.iter().map(|known| (distance(&name, known), *known)).min()?;
    (distance <= NEAR && distance < known.len()).then_some(known)
}

/// How many letters have to be put in, left out or changed to make one word of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, theirs) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *theirs);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScreenHint;

    const GOOD: &str = "id = \"work\"\nname = \"Work\"\nagent = \"https://agent.example/agents/chat-agent\"\n\
                        issuer = \"https://t.example/\"\nclient_id = \"c\"\n";

    fn wrong(text: &str) -> String {
        Profile::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_may_say_everything_that_a_sign_in_can_be_asked_for() {
        let text = format!(
            "{GOOD}audience = \"https://api.example\"\nscopes = [\"openid\"]\norganization = \"org_x\"\nconnection = \"google-oauth2\"\n\
             conversations = \"one\"\nscreen_hint = \"signup\"\nlogin_hint = \"ada@example.com\"\nmax_age = 3600\n"
        );
        let profile = Profile::from_toml(&text).unwrap();
        assert_eq!((profile.organization.as_deref(), profile.connection.as_deref()), (Some("org_x"), Some("google-oauth2")));
        assert_eq!(profile.conversations, crate::Conversations::One);
        assert_eq!((profile.screen_hint, profile.max_age), (Some(ScreenHint::Signup), Some(3600)));
        assert_eq!(profile.login_hint.as_deref(), Some("ada@example.com"));
        assert_eq!(Profile::from_toml(&toml::to_string(&profile).unwrap()).unwrap(), profile, "what it writes, it reads");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        for (key, meant) in [
            ("clientid", "client_id"),
            ("client-id", "client_id"),
            ("organisation", "organization"),
            ("scope", "scopes"),
            ("Issuer", "issuer"),
        ] {
            let text = format!("{GOOD}\n# what follows is wrong\n{key} = \"x\"\n");
            assert_eq!(wrong(&text), format!("line 8: `{key}` is not known, did you mean `{meant}`?"));
        }
        assert_eq!(wrong(&format!("{GOOD}favourite_colour = 1\n")), "line 6: `favourite_colour` is not known");
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        for (line, text) in [
            (4, GOOD.replace("https://t.example/", "http://t.example/")),
            (3, GOOD.replace("https://agent.example/agents/chat-agent", "no address")),
            (6, format!("{GOOD}max_age = \"soon\"\n")),
            (6, format!("{GOOD}screen_hint = \"sideways\"\n")),
            (6, format!("{GOOD}scopes = \"openid\"\n")),
            (6, format!("{GOOD}audience = \n")),
            (6, format!("{GOOD}client_id = \"twice\"\n")),
            (2, GOOD.replace("\"Work\"", "\" \"")),
        ] {
            assert!(wrong(&text).starts_with(&format!("line {line}: ")), "{line}: {}", wrong(&text));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let text = GOOD.replace("issuer = \"https://t.example/\"\n", "");
        assert!(wrong(&text).contains("`issuer`"), "{}", wrong(&text));
    }

    #[test]
    fn the_distance_of_words_is_the_number_of_letters_to_change() {
        for (one, other, far) in [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("scope", "scopes", 1)] {
            assert_eq!(distance(one, other), far, "{one} {other}");
        }
    }
}

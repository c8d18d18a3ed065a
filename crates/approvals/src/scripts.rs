//! Words whose letters come from alphabets that look alike.

/// An alphabet of which some letters look like letters of another one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Cherokee,
}

fn script(letter: char) -> Option<Script> {
    match u32::from(letter) {
        0x41..=0x5A | 0x61..=0x7A | 0xC0..=0xD6 | 0xD8..=0xF6 | 0xF8..=0x24F | 0x1E00..=0x1EFF | 0xFF21..=0xFF3A | 0xFF41..=0xFF5A => {
            Some(Script::Latin)
        }
        0x370..=0x3FF | 0x1F00..=0x1FFF => Some(Script::Greek),
        0x400..=0x52F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Some(Script::Cyrillic),
        0x530..=0x58F => Some(Script::Armenian),
        0x13A0..=0x13FF | 0xAB70..=0xABBF => Some(Script::Cherokee),
        _ => None,
    }
}

/// The first word in which letters of two such alphabets meet.
pub(crate) fn mixed_word(text: &str) -> Option<&str> {
    text.split(|character: char| !character.is_alphanumeric()).find(|word| {
        let mut scripts = word.chars().filter_map(script);
        scripts.next().is_some_and(|first| scripts.any(|other| other != first))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cyrillic_letter_in_a_latin_word_is_found() {
        assert_eq!(mixed_word("send to pаypal.com"), Some("pаypal"));
    }

    #[test]
    fn whole_words_of_either_alphabet_are_fine() {
        assert_eq!(mixed_word("Москва Moscow Αθήνα Athens 東京Tower"), None);
    }
}

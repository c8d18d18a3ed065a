//! Which characters do not show themselves.
//!
//! The tables follow the Unicode character database: general categories `Cc`, `Cf`, `Zl`, `Zp`, `Zs`, `Co`, noncharacters, and the
//! property `Default_Ignorable_Code_Point`. A test holds them against an independent copy of the database.

/// Why a character would not be seen, or would change how its neighbours are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hidden {
    /// Line feed, carriage return, line and paragraph separator.
    LineBreak,
    /// A horizontal tab.
    Tab,
    /// Any other control or interlinear character.
    Control,
    /// Changes the direction of the text around it.
    Direction,
    /// Takes no room: joiners, word joiners, the byte order mark, soft hyphens.
    ZeroWidth,
    /// Another character that programs are asked to leave out of sight.
    Invisible,
    /// A tag character: invisible ASCII.
    Tag,
    /// Selects a variant of the character before it.
    Variation,
    /// A space other than the ordinary and the ideographic one, or a letter that looks like a space.
    Blank,
    /// Private use or no character at all: looks different on every computer.
    PrivateUse,
    /// One combining mark too many on the same letter.
    Stacked,
}

/// Sorts a character into the kinds that must be marked; `None` if it shows itself. [`Hidden::Stacked`] depends on the neighbours
/// and is never the answer here.
pub fn hidden(character: char) -> Option<Hidden> {
    let code = u32::from(character);
    let kind = match code {
        0x20..=0x7E => return None,
        0x0A | 0x0D | 0x85 | 0x2028 | 0x2029 | 0x0B | 0x0C => Hidden::LineBreak,
        0x09 => Hidden::Tab,
        0x00..=0x1F | 0x7F..=0x9F => Hidden::Control,
        0x061C | 0x200E | 0x200F | 0x202A..=0x202E | 0x2066..=0x2069 => Hidden::Direction,
        0x00AD | 0x200B..=0x200D | 0x2060 | 0x2061..=0x2064 | 0xFEFF => Hidden::ZeroWidth,
        0xE0001..=0xE007F => Hidden::Tag,
        0xFE00..=0xFE0F | 0xE0100..=0xE01EF | 0x180B..=0x180D | 0x180F => Hidden::Variation,
        0x00A0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x2800 | 0x115F | 0x1160 | 0x3164 | 0xFFA0 => Hidden::Blank,
        0x034F | 0x17B4 | 0x17B5 | 0x180E | 0x2065 | 0x206A..=0x206F | 0xFFF0..=0xFFF8 => Hidden::Invisible,
        0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF => Hidden::Invisible,
        0x0600..=0x0605 | 0x06DD | 0x070F | 0x0890 | 0x0891 | 0x08E2 | 0xFFF9..=0xFFFB => Hidden::Control,
        0x110BD | 0x110CD | 0x13430..=0x1343F => Hidden::Control,
        0xE000..=0xF8FF | 0xF0000..=0xFFFFD | 0x10_0000..=0x10_FFFD => Hidden::PrivateUse,
        0xFDD0..=0xFDEF => Hidden::PrivateUse,
        _ if code & 0xFFFE == 0xFFFE => Hidden::PrivateUse,
        _ => return None,
    };
    Some(kind)
}

/// Whether a character is a mark that sits on the letter before it.
pub fn combining(character: char) -> bool {
    matches!(
        u32::from(character),
        0x0300..=0x036F | 0x0483..=0x0489 | 0x0591..=0x05BD | 0x064B..=0x065F | 0x0E47..=0x0E4E | 0x1AB0..=0x1AFF
            | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F
    )
}

/// Whether a character is a picture that a joiner or a variation selector may belong to.
pub(crate) fn pictograph(character: char) -> bool {
    matches!(
        u32::from(character),
        0x23 | 0x2A | 0x30..=0x39 | 0xA9 | 0xAE | 0x203C | 0x2049 | 0x2122 | 0x2139 | 0x2190..=0x21FF | 0x2300..=0x23FF
            | 0x2460..=0x24FF | 0x25A0..=0x27BF | 0x2900..=0x297F | 0x2B00..=0x2BFF | 0x3030 | 0x303D | 0x3297 | 0x3299
            | 0x1F000..=0x1FAFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The characters of a general category or property, from a second copy of the Unicode database.
    fn members(class: &str) -> impl Iterator<Item = char> {
        let set = regex_syntax::parse(class).unwrap();
        let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(set)) = set.into_kind() else {
            panic!("{class} is a set of characters");
        };
        let ranges: Vec<_> = set.ranges().to_vec();
        ranges.into_iter().flat_map(|range| range.start()..=range.end())
    }

    #[test]
    fn every_control_format_separator_and_ignorable_character_is_marked() {
        for class in [r"\p{Cc}", r"\p{Cf}", r"[\p{Zl}\p{Zp}]", r"\p{Co}", r"\p{Default_Ignorable_Code_Point}", r"\p{Bidi_Control}"] {
            for character in members(class) {
                assert!(hidden(character).is_some(), "U+{:04X} is in {class} and would not be seen", u32::from(character));
            }
        }
    }

    #[test]
    fn every_space_but_the_ordinary_and_the_ideographic_one_is_marked() {
        for character in members(r"\p{Zs}") {
            let ordinary = matches!(character, ' ' | '\u{3000}');
            assert_eq!(hidden(character).is_none(), ordinary, "U+{:04X}", u32::from(character));
        }
    }

    #[test]
    fn letters_digits_punctuation_and_pictures_show_themselves() {
        let fillers = ['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}'];
        for class in [r"\p{L}", r"\p{Nd}", r"\p{P}", r"\p{Sc}"] {
            for character in members(class).filter(|character| !fillers.contains(character)) {
                assert_eq!(hidden(character), None, "U+{:04X} of {class}", u32::from(character));
            }
        }
        assert_eq!(hidden('🦀'), None, "a picture");
    }

    #[test]
    fn kinds_are_told_apart() {
        for (character, kind) in [
            ('\u{202E}', Hidden::Direction),
            ('\u{200B}', Hidden::ZeroWidth),
            ('\u{E0041}', Hidden::Tag),
            ('\u{E0100}', Hidden::Variation),
            ('\u{2028}', Hidden::LineBreak),
            ('\u{1B}', Hidden::Control),
            ('\u{2800}', Hidden::Blank),
            ('\u{E000}', Hidden::PrivateUse),
            ('\u{1FFFF}', Hidden::PrivateUse),
            ('\u{034F}', Hidden::Invisible),
        ] {
            assert_eq!(hidden(character), Some(kind), "U+{:04X}", u32::from(character));
        }
    }
}

//! What Windows' `reg` says of a key.

use std::path::PathBuf;

/// The program in the answer of `reg query … /ve`: the first word of the value, quoted or not. What the value is called is in the system's language.
pub(super) fn program(answer: &str) -> Option<PathBuf> {
    let value = answer.lines().find_map(|line| line.split_once(" REG_SZ ").or_else(|| line.split_once(" REG_EXPAND_SZ ")))?.1.trim();
    let word = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => value.split_whitespace().next()?,
    };
    (!word.is_empty()).then(|| word.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_first_word_of_the_value_in_any_language() {
        let answer = |value: &str| format!("\r\nHKEY_CLASSES_ROOT\\x\\shell\\open\\command\r\n    (Standard)    {value}\r\n\r\n");
        for (value, expected) in [
            (r#"REG_SZ    "C:\Program Files\Callbox\callbox.exe" "%1""#, Some(r"C:\Program Files\Callbox\callbox.exe")),
            (r"REG_EXPAND_SZ    C:\callbox.exe %1", Some(r"C:\callbox.exe")),
            (r#"REG_SZ    """#, None),
            ("REG_SZ    ", None),
            ("REG_DWORD    0x1", None),
        ] {
            assert_eq!(program(&answer(value)), expected.map(PathBuf::from), "{value}");
        }
        assert_eq!(program(""), None);
    }
}

//! Theme and language: what the user chose, and what follows from it.

use callbox_ipc::{Language, Theme};

use crate::i18n::Locale;

/// The value of `data-theme` on the document; none leaves it to the system.
pub fn data_theme(theme: Theme) -> Option<&'static str> {
    match theme {
        Theme::System => None,
        Theme::Light => Some("light"),
        Theme::Dark => Some("dark"),
    }
}

/// The language to show; `system` is the tag that the web view reports, such as `ja-JP`.
pub fn locale(language: Language, system: &str) -> Locale {
    match language {
        Language::English => Locale::English,
        Language::Japanese => Locale::Japanese,
        Language::System => match system.split(['-', '_']).next() {
            Some(tag) if tag.eq_ignore_ascii_case("ja") => Locale::Japanese,
            _ => Locale::English,
        },
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn the_system_decides_unless_the_user_did() {
        assert_eq!(locale(Language::System, "ja-JP"), Locale::Japanese);
        assert_eq!(locale(Language::System, "JA_jp.UTF-8"), Locale::Japanese);
        assert_eq!(locale(Language::System, "jam"), Locale::English);
        assert_eq!(locale(Language::System, ""), Locale::English);
        assert_eq!(locale(Language::English, "ja"), Locale::English);
    }
}

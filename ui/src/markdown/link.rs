//! Where a link leads, and whether it may.

/// The target of a link or picture, after the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// May be opened by the shell, which checks it again. `host` is what the user is shown: the host of a page, the address of a mail.
    Open { url: String, host: String },
    /// Stays text.
    Blocked { url: String },
}

/// Checks a target: http, https and mailto with a host or address, without credentials and without characters that browsers drop.
pub fn check(url: &str) -> Target {
    let trimmed = url.trim_matches(' ');
    match host(trimmed) {
        Some(host) => Target::Open { url: trimmed.to_owned(), host },
        None => Target::Blocked { url: trimmed.to_owned() },
    }
}

fn host(url: &str) -> Option<String> {
    if url.chars().any(|character| character.is_whitespace() || callbox_approvals::characters::hidden(character).is_some()) {
        return None;
    }
    let (scheme, rest) = url.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => {
            let authority = rest.strip_prefix("//")?;
            let end = authority.find(['/', '?', '#', '\\']).unwrap_or(authority.len());
            let host = &authority[..end];
            // A name before an @ is never seen by the server and often made to look like a host.
            (!host.is_empty() && !host.contains('@') && host.chars().any(char::is_alphanumeric)).then(|| host.to_ascii_lowercase())
        }
        "mailto" => {
            let address = rest.split('?').next().unwrap_or_default();
            address.contains('@').then(|| address.to_owned())
        }
        _ => None,
    }
}

/// Whether a link's text names another host than the one it leads to.
pub fn misleads(label: &str, host: &str) -> bool {
    label.split(|character: char| character.is_whitespace() || "()<>[]\"'".contains(character)).filter_map(named_host).any(|named| {
        let real = host.strip_prefix("www.").unwrap_or(host);
        named.strip_prefix("www.").unwrap_or(&named) != real
    })
}

/// The host that a word of a label seems to name.
fn named_host(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let bare = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let candidate = bare.unwrap_or(&lower);
    let candidate = candidate.split(['/', '?', '#']).next()?.trim_end_matches(['.', ',', ':', ';', '!']);
    let candidate = if bare.is_some() { candidate } else { candidate.rsplit('@').next()? };
    let (_, last) = candidate.rsplit_once('.')?;
    let looks =
        last.len() >= 2 && last.chars().all(char::is_alphabetic) && candidate.chars().all(|c| c.is_alphanumeric() || "-.".contains(c));
    // A file name such as main.rs is no host unless it says so itself.
    (bare.is_some() || (looks && COMMON.contains(&last))).then(|| candidate.to_owned())
}

/// Endings by which a bare word is taken for a host.
const COMMON: &[&str] =
    &["com", "org", "net", "io", "dev", "app", "jp", "de", "uk", "fr", "eu", "edu", "gov", "co", "ai", "info", "me", "us", "cn", "ru"];

/// The next bare web address in a text: its start and end.
pub fn find_bare(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let start = from + ["https://", "http://"].iter().filter_map(|scheme| text[from..].find(scheme)).min()?;
        let preceded = text[..start].chars().next_back().is_some_and(char::is_alphanumeric);
        let end = end_of(&text[start..]) + start;
        if !preceded && matches!(check(&text[start..end]), Target::Open { .. }) {
            return Some((start, end));
        }
        from = start + "http".len();
    }
}

fn end_of(text: &str) -> usize {
    let mut end = text.find(|c: char| c.is_whitespace() || "<>\"`|、。「」（）".contains(c)).unwrap_or(text.len());
    loop {
        let Some(last) = text[..end].chars().next_back() else { return end };
        let unbalanced = last == ')' && text[..end].matches(')').count() > text[..end].matches('(').count();
        if unbalanced || ".,;:!?'\"*_]".contains(last) {
            end -= last.len_utf8();
        } else {
            return end;
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    fn opens(url: &str) -> Option<String> {
        match check(url) {
            Target::Open { host, .. } => Some(host),
            Target::Blocked { .. } => None,
        }
    }

    #[test]
    fn web_pages_and_mail_addresses_open_and_show_where_they_lead() {
        assert_eq!(opens("https://Example.com:8443/a?b#c").as_deref(), Some("example.com:8443"));
        assert_eq!(opens("HTTP://[::1]/x").as_deref(), Some("[::1]"));
        assert_eq!(opens("mailto:ada@example.com?subject=x").as_deref(), Some("ada@example.com"));
    }

    #[test]
    fn everything_else_stays_text() {
        for url in [
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "file:///etc/passwd",
            "smb://host/share",
            "ms-msdt:/id",
            "calculator://",
            "data:text/html,x",
            "vbscript:x",
            "//example.com",
            "/path",
            "#x",
            "https:example.com",
            "https://",
            "https://@",
            "https://google.com@evil.example/",
            "https://exa\u{200B}mple.com",
            "https://a b",
            "mailto:",
            "dev.callbox.desktop://callback?code=1",
        ] {
            assert_eq!(opens(url), None, "{url}");
        }
    }

    #[test]
    fn a_backslash_ends_the_host_as_it_does_in_browsers() {
        assert_eq!(opens("https://evil.example\\@good.example/").as_deref(), Some("evil.example"));
    }

    #[test]
    fn a_label_that_names_another_host_is_found_out() {
        assert!(misleads("https://bank.example/login", "evil.example"));
        assert!(misleads("go to paypal.com now", "evil.example"));
        assert!(!misleads("https://www.example.com/x", "example.com"));
        assert!(!misleads("see main.rs", "github.com"));
        assert!(!misleads("the docs", "docs.example"));
    }

    #[test]
    fn bare_addresses_end_before_punctuation() {
        let find = |text: &'static str| find_bare(text).map(|(start, end)| &text[start..end]);
        assert_eq!(find("see https://example.com/a_(b)."), Some("https://example.com/a_(b)"));
        assert_eq!(find("(https://example.com)"), Some("https://example.com"));
        assert_eq!(find("xhttps://example.com"), None);
        assert_eq!(find("https:// is no address, http://a.example is"), Some("http://a.example"));
        assert_eq!(find("詳しくはhttps://example.jp/日本。"), None, "a letter directly before");
        assert_eq!(find("詳しくは https://example.jp/日本。"), Some("https://example.jp/日本"));
    }
}

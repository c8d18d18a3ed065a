//! How a request would leave this computer, for whoever looks for the reason why it does not.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::address::is_loopback;

/// The proxy that requests of [`crate::http_client`] to `target` go through: host and port, never a user name or a password. `None`: they go
/// straight there.
///
/// The environment and, on macOS and Windows, the system's settings are read anew at each call.
#[must_use]
pub fn proxy_of(target: &Url) -> Option<String> {
    if is_loopback(target) {
        return None;
    }
    proxy_by(&Matcher::from_system(), target)
}

fn proxy_by(matcher: &Matcher, target: &Url) -> Option<String> {
    let proxy = matcher.intercept(&target.as_str().parse().ok()?)?;
    let host = proxy.uri().host()?;
    Some(proxy.uri().port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_without_its_password() {
        let matcher = Matcher::builder().https("http://ada:secret@proxy.example:8080").no("intern.example").build();
        let by = |target: &str| proxy_by(&matcher, &Url::parse(target).unwrap());
        assert_eq!(by("https://agent.example/x").as_deref(), Some("proxy.example:8080"));
        assert_eq!(by("https://intern.example/x"), None);
        assert_eq!(by("http://agent.example/x"), None);
        let bare = Matcher::builder().all("proxy.example").build();
        assert_eq!(proxy_by(&bare, &Url::parse("https://agent.example").unwrap()).as_deref(), Some("proxy.example"));
    }

    #[test]
    fn what_is_on_this_computer_needs_no_proxy() {
        assert_eq!(proxy_of(&Url::parse("http://127.0.0.1:1/").unwrap()), None);
    }
}

//! How the tenant's pages look. No script, nothing loaded, usable by keyboard alone, light or dark as the system is.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use url::Url;

use crate::{Person, random};

const STYLE: &str = include_str!("pages.css");
const MARK: &str = r##"<svg class="mark" viewBox="0 0 64 64" aria-hidden="true"><rect x="11" y="3" width="42" height="58" rx="11" fill="#2c343f" stroke="#7c8794" stroke-opacity=".45" stroke-width="1.5"/><g fill="#e9edf2"><rect x="20" y="13" width="24" height="4" rx="2"/><rect x="20" y="20" width="24" height="4" rx="2"/><rect x="20" y="27" width="24" height="4" rx="2"/></g><circle cx="32" cy="45" r="8.5" fill="#f59b3c"/></svg>"##;
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'%3E%3Crect x='11' y='3' width='42' height='58' rx='11' fill='%232c343f'/%3E%3Ccircle cx='32' cy='42' r='11' fill='%23f59b3c'/%3E%3C/svg%3E";

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    title: String,
    body: String,
    form_target: Option<String>,
}

impl Page {
    pub(super) fn new(title: &str) -> Self {
        Self { title: title.to_owned(), body: String::new(), form_target: None }
    }

    fn add(mut self, html: &str) -> Self {
        self.body.push_str(html);
        self
    }

    /// The sentence under the heading.
    pub(super) fn lead(self, text: &str) -> Self {
        let html = format!("<p class=\"lead\">{}</p>", escape(text));
        self.add(&html)
    }

    pub(super) fn note(self, text: &str) -> Self {
        let html = format!("<p class=\"note\">{}</p>", escape(text));
        self.add(&html)
    }

    pub(super) fn error(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => {
                let html = format!("<p class=\"error\" id=\"error\" role=\"alert\">{}</p>", escape(text));
                self.add(&html)
            }
            None => self,
        }
    }

    pub(super) fn list<'a>(self, items: impl Iterator<Item = &'a str>) -> Self {
        let items: String = items.map(|item| format!("<li>{}</li>", escape(item))).collect();
        self.add(&format!("<ul class=\"wishes\">{items}</ul>"))
    }

    /// A form that posts to the page's own address; `inside` is HTML.
    pub(super) fn form(self, inside: &str) -> Self {
        self.add(&format!("<form method=\"post\">{inside}</form>"))
    }

    /// Where the form's answer may redirect to. Browsers hold a policy's `form-action` against redirects too, so the app's own scheme
    /// has to be named or the way back is blocked.
    pub(super) fn form_target(mut self, uri: Option<&str>) -> Self {
        self.form_target = uri.and_then(|uri| Url::parse(uri).ok()).map(|url| match url.scheme() {
            "http" | "https" => url.origin().ascii_serialization(),
            scheme => format!("{scheme}:"),
        });
        self
    }

    pub(super) fn show(self, status: StatusCode) -> Response {
        let nonce = random::nanoid(22);
        let target = self.form_target.map(|target| format!(" {target}")).unwrap_or_default();
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
        );
        let title = escape(&self.title);
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
             <link rel=\"icon\" href=\"{ICON}\"><style nonce=\"{nonce}\">{STYLE}</style></head>\
             <body><main>{MARK}<h1>{title}</h1>{}</main>\
             <footer>Callbox sandbox · runs on this computer, for trying things out</footer></body></html>",
            self.body
        );
        let mut response = (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
        if let Ok(policy) = HeaderValue::try_from(policy) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// A page that only says something.
pub(super) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    Page::new(title).lead(text).show(status)
}

/// A button that answers `action`. None has the focus from the start: a stray Enter must not let an app in.
pub(super) fn button(action: &str, label: &str, class: &str) -> String {
    format!("<button class=\"{class}\" name=\"action\" value=\"{action}\">{}</button>", escape(label))
}

/// The fields of the login page, with the names that Auth0's has, and a button for each other demo person.
pub(super) fn login_form<'a>(email: &str, password: &str, others: impl Iterator<Item = &'a Person>) -> String {
    let others: String = others
        .map(|person| {
            let (email, name) = (escape(&person.email), escape(&person.name()));
            format!("<button class=\"plain\" name=\"person\" value=\"{email}\" formnovalidate>Continue as {name}</button>")
        })
        .collect();
    format!(
        "<label for=\"username\">Email address</label>\
         <input id=\"username\" name=\"username\" type=\"email\" autocomplete=\"username\" required value=\"{}\">\
         <label for=\"password\">Password</label>\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required value=\"{}\">\
         <button class=\"primary\" name=\"action\" value=\"default\" autofocus>Continue</button>\
         <p class=\"or\"><span>or</span></p>{others}\
         <button class=\"quiet\" name=\"action\" value=\"cancel\" formnovalidate>Cancel</button>",
        escape(email),
        escape(password),
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

//! A person at the login page, for tests and for runs without a display: follows redirects, keeps cookies, fills in forms.
//!
//! It talks to the tenant over real HTTP, as a browser would, and stops at the first redirect that leaves the tenant: the callback.

use std::collections::BTreeMap;

use http::{StatusCode, header};
use url::Url;

/// A browser with a person in front of it. Cookies are kept between visits, so the second sign-in is a silent one.
#[derive(Debug)]
pub struct Visitor {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

/// What a visit ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The tenant sent the browser away: the callback URL.
    Left(String),
    /// The tenant shows a page.
    Shown { url: Url, status: u16, html: String },
}

/// Why a visit failed.
#[derive(Debug, thiserror::Error)]
pub enum VisitorError {
    /// The tenant could not be reached, or broke off.
    #[error("The tenant's page could not be loaded ({0}).")]
    Http(#[from] reqwest::Error),
    /// A page was shown where it was not expected.
    #[error("The tenant shows a page that was not expected ({status}): {title}")]
    Unexpected { status: u16, title: String },
    /// A redirect or form that leads nowhere.
    #[error("The tenant's page leads nowhere ({0}).")]
    Broken(String),
}

impl Visitor {
    /// A fresh browser without cookies.
    ///
    /// # Errors
    /// When no HTTP client can be built.
    pub fn new() -> Result<Self, VisitorError> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { http, cookies: BTreeMap::new() })
    }

    /// Opens an authorization URL, signs in as the person with this address, says yes to everything, and returns the callback URL.
    ///
    /// # Errors
    /// When a page other than login, consent or confirmation is shown, or the tenant cannot be reached.
    pub async fn sign_in(&mut self, authorize: &Url, email: &str) -> Result<String, VisitorError> {
        let mut page = self.open(authorize).await?;
        // Login, consent, confirmation: never more than three pages.
        for _ in 0..3 {
            let Page::Shown { url, html, status } = &page else { break };
            if url.path() == "/u/login" && *status == 200 {
                page = self.submit(url, &[("username", email), ("password", crate::PASSWORD), ("action", "default")]).await?;
            } else if url.path().starts_with("/u/") && *status == 200 {
                page = self.submit(url, &[("action", "accept")]).await?;
            } else {
                return Err(VisitorError::Unexpected { status: *status, title: title(html) });
            }
        }
        match page {
            Page::Left(callback) => Ok(callback),
            Page::Shown { status, html, .. } => Err(VisitorError::Unexpected { status, title: title(&html) }),
        }
    }

    /// Opens a page of the tenant.
    ///
    /// # Errors
    /// When the tenant cannot be reached or redirects in circles.
    pub async fn open(&mut self, url: &Url) -> Result<Page, VisitorError> {
        self.follow(self.http.get(url.clone()), url.clone()).await
    }

    /// Submits the form of the page at `url`.
    ///
    /// # Errors
    /// When the tenant cannot be reached or redirects in circles.
    pub async fn submit(&mut self, url: &Url, fields: &[(&str, &str)]) -> Result<Page, VisitorError> {
        self.follow(self.http.post(url.clone()).form(fields), url.clone()).await
    }

    async fn follow(&mut self, mut request: reqwest::RequestBuilder, mut url: Url) -> Result<Page, VisitorError> {
        for _ in 0..10 {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            if !cookies.is_empty() {
                request = request.header(header::COOKIE, cookies.join("; "));
            }
            let response = request.send().await?;
            self.keep_cookies(&response);
            let status = response.status();
            if status != StatusCode::FOUND && status != StatusCode::SEE_OTHER {
                let html = response.text().await?;
                return Ok(Page::Shown { url, status: status.as_u16(), html });
            }
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let location = location.ok_or_else(|| VisitorError::Broken("a redirect without a location".to_owned()))?;
            let next = url.join(location).map_err(|error| VisitorError::Broken(error.to_string()))?;
            if next.origin() != url.origin() {
                return Ok(Page::Left(location.to_owned()));
            }
            request = self.http.get(next.clone());
            url = next;
        }
        Err(VisitorError::Broken("too many redirects".to_owned()))
    }

    fn keep_cookies(&mut self, response: &reqwest::Response) {
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().ok().and_then(|text| text.split(';').next()).and_then(|pair| pair.split_once('='));
            match pair {
                Some((name, "")) => drop(self.cookies.remove(name)),
                Some((name, value)) => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
                None => {}
            }
        }
    }
}

fn title(html: &str) -> String {
    html.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map_or_else(String::new, |(title, _)| title.to_owned())
}

//! Challenges: what a server wants to see before it answers (RFC 9110 §11.6.1, RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1).

/// The longest field that is looked at.
const MAX_LEN: usize = 16 * 1024;
const MAX_CHALLENGES: usize = 16;
const MAX_PARAMS: usize = 32;

/// One challenge of a `WWW-Authenticate` field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// In lower case: `bearer`, `dpop`, `cloudflare-access`.
    pub scheme: String,
    /// What stands in the place of parameters at some schemes.
    pub token68: Option<String>,
    /// Names in lower case, each once.
    params: Vec<(String, String)>,
}

impl Challenge {
    /// Takes one field apart; it can hold several challenges. Any bytes at all may be passed. `None`: the field is not well-formed, and nothing
    /// of it is believed.
    #[must_use]
    pub fn parse(field: &[u8]) -> Option<Vec<Self>> {
        if field.len() > MAX_LEN {
            return None;
        }
        Reader { rest: field }.challenges()
    }

    /// Takes all fields of an answer apart. One that is not well-formed is left out.
    #[must_use]
    pub fn all(headers: &http::HeaderMap) -> Vec<Self> {
        let fields = headers.get_all(http::header::WWW_AUTHENTICATE).iter();
        fields.filter_map(|field| Self::parse(field.as_bytes())).flatten().collect()
    }

    /// The scopes that a token lacks, if that is what one of these says (RFC 6750 §3.1, `insufficient_scope`). Empty: it does not say which.
    #[must_use]
    pub fn missing_scopes(challenges: &[Self]) -> Option<Vec<String>> {
        let told = challenges.iter().find(|challenge| challenge.param("error") == Some("insufficient_scope"))?;
        let scopes = told.param("scope").unwrap_or_default().split(' ').filter(|scope| !scope.is_empty());
        Some(scopes.map(str::to_owned).collect())
    }

    /// All parameters, in their order.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter, by its name in lower case.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    /// `#challenge`: elements between commas, some of which may be empty (RFC 9110 §5.6.1).
    fn challenges(mut self) -> Option<Vec<Challenge>> {
        let mut challenges: Vec<Challenge> = Vec::new();
        loop {
            self.skip(|byte| byte == b' ' || byte == b'\t' || byte == b',');
            if self.rest.is_empty() {
                return Some(challenges);
            }
            // What begins here is a scheme, or one more parameter of the challenge before; only what follows tells.
            let name = self.token()?;
            let before = self.rest;
            self.blank();
            if self.eat(b'=') {
                let value = self.value()?;
                add(challenges.last_mut().filter(|challenge| challenge.token68.is_none())?, &name, value)?;
            } else {
                self.rest = before;
                if challenges.len() == MAX_CHALLENGES {
                    return None;
                }
                challenges.push(self.challenge(name)?);
            }
            self.blank();
            if !self.rest.is_empty() && !self.eat(b',') {
                return None;
            }
        }
    }

    /// What stands right behind a scheme: nothing, a token68, or a first parameter.
    fn challenge(&mut self, scheme: String) -> Option<Challenge> {
        let mut challenge = Challenge { scheme, token68: None, params: Vec::new() };
        if self.rest.first() != Some(&b' ') {
            return Some(challenge);
        }
        self.blank();
        if matches!(self.rest.first(), None | Some(b',')) {
            return Some(challenge);
        }
        let begin = self.rest;
        let text = self.take(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        let padding = self.take(|byte| byte == b'=');
        let end = self.rest;
        self.blank();
        if !text.is_empty() && matches!(self.rest.first(), None | Some(b',')) {
            self.rest = end;
            challenge.token68 = Some(text + &padding);
            return Some(challenge);
        }
        self.rest = begin;
        let name = self.token()?;
        self.blank();
        if !self.eat(b'=') {
            return None;
        }
        let value = self.value()?;
        add(&mut challenge, &name, value)?;
        Some(challenge)
    }

    /// A token or a quoted string, after the sign between.
    fn value(&mut self) -> Option<String> {
        self.blank();
        if !self.eat(b'"') {
            let begin = self.rest;
            self.skip(is_token);
            let token = &begin[..begin.len() - self.rest.len()];
            return (!token.is_empty()).then(|| String::from_utf8(token.to_vec()).ok())?;
        }
        let mut bytes = Vec::new();
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return String::from_utf8(bytes).ok(),
                b'\\' => {
                    let (escaped, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    bytes.push(printable(*escaped)?);
                }
                byte => bytes.push(printable(*byte)?),
            }
        }
    }

    /// In lower case.
    fn token(&mut self) -> Option<String> {
        let token = self.take(is_token);
        (!token.is_empty()).then(|| token.to_ascii_lowercase())
    }

    /// ASCII only, by what `which` says.
    fn take(&mut self, which: impl Fn(u8) -> bool) -> String {
        let begin = self.rest;
        self.skip(which);
        begin[..begin.len() - self.rest.len()].iter().map(|byte| char::from(*byte)).collect()
    }

    fn skip(&mut self, which: impl Fn(u8) -> bool) {
        let end = self.rest.iter().position(|byte| !which(*byte)).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    fn blank(&mut self) {
        self.skip(|byte| byte == b' ' || byte == b'\t');
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What a quoted string may contain: no control character but the tab (RFC 9110 §5.6.4).
fn printable(byte: u8) -> Option<u8> {
    (byte == b'\t' || (byte >= b' ' && byte != 0x7f)).then_some(byte)
}

/// A name that comes twice makes the whole field worthless: whoever takes the first and whoever takes the last would be told different things.
fn add(challenge: &mut Challenge, name: &str, value: String) -> Option<()> {
    if challenge.param(name).is_some() || challenge.params.len() == MAX_PARAMS {
        return None;
    }
    challenge.params.push((name.to_owned(), value));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `scheme[token68]{name=value|…}`.
    fn shown(field: &str) -> Option<Vec<String>> {
        let show = |challenge: Challenge| {
            let params: Vec<_> = challenge.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let token = challenge.token68.map_or(String::new(), |token| format!("[{token}]"));
            format!("{}{token}{{{}}}", challenge.scheme, params.join("|"))
        };
        Some(Challenge::parse(field.as_bytes())?.into_iter().map(show).collect())
    }

    #[test]
    fn challenges_are_told_apart_by_scheme() {
        for (field, expected) in [
            ("Bearer", vec!["bearer{}"]),
            ("Bearer realm=\"api\"", vec!["bearer{realm=api}"]),
            ("BEARER  realm = api , error=\"invalid_token\"", vec!["bearer{realm=api|error=invalid_token}"]),
            (
                "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
                vec!["newauth{realm=apps|type=1|title=Login to \"apps\"}", "basic{realm=simple}"],
            ),
            ("Negotiate, Basic realm=x", vec!["negotiate{}", "basic{realm=x}"]),
            (
                "Negotiate YWJj==, DPoP algs=\"ES256 RS256\", error=\"use_dpop_nonce\"",
                vec!["negotiate[YWJj==]{}", "dpop{algs=ES256 RS256|error=use_dpop_nonce}"],
            ),
            (
                "Cloudflare-Access resource_metadata=\"https://a.example/m\"",
                vec!["cloudflare-access{resource_metadata=https://a.example/m}"],
            ),
            ("Bearer realm=x,,Basic realm=y,", vec!["bearer{realm=x}", "basic{realm=y}"]),
            (" ,\t, Bearer abc", vec!["bearer[abc]{}"]),
            ("Bearer realm=", vec!["bearer[realm=]{}"]),
            ("Bearer realm=\"\"", vec!["bearer{realm=}"]),
            ("", vec![]),
        ] {
            assert_eq!(shown(field), Some(expected.into_iter().map(str::to_owned).collect()), "{field}");
        }
    }

    #[test]
    fn what_stands_in_quotes_is_text_and_nothing_else() {
        let field = "Bearer error_description=\"see resource_metadata=\\\"https://evil.example/\\\", Basic realm=x\", resource_metadata=\"https://a.example/\"";
        let challenges = Challenge::parse(field.as_bytes()).unwrap();
        assert_eq!(challenges.len(), 1);
        assert_eq!(challenges[0].param("resource_metadata"), Some("https://a.example/"));
        assert_eq!(challenges[0].param("error_description"), Some("see resource_metadata=\"https://evil.example/\", Basic realm=x"));
    }

    #[test]
    fn a_token_that_lacks_scopes_is_told_from_one_that_is_refused() {
        let of = |field: &str| Challenge::missing_scopes(&Challenge::parse(field.as_bytes()).unwrap());
        let both = Some(vec!["chat".to_owned(), "files".to_owned()]);
        assert_eq!(of("Basic, Bearer error=\"insufficient_scope\", scope=\"chat  files\""), both);
        assert_eq!(of("DPoP error=\"insufficient_scope\""), Some(Vec::new()));
        assert_eq!(of("Bearer error=\"invalid_token\", scope=\"chat\""), None);
    }

    #[test]
    fn a_field_that_is_not_well_formed_is_not_believed_at_all() {
        for field in [
            "=",
            "\"Bearer\"",
            "realm=\"x\"",
            "Bearer realm=\"x",
            "Bearer realm=\"x\\",
            "Bearer realm=\"x\" error=\"y\"",
            "Bearer realm=\"x\"error=\"y\"",
            "Bearer realm=\"x\", realm=\"y\"",
            "Bearer realm=\"x\", REALM=\"y\"",
            "Bearer abc, realm=\"x\"",
            "Bearer abc def",
            "Bearer a b=c",
            "Bearer realm=\"a\nb\"",
            "Bearer realm=\"\u{7f}\"",
            "Beärer",
        ] {
            assert_eq!(shown(field), None, "{field}");
        }
        assert_eq!(Challenge::parse(b"Bearer realm=\"\xff\""), None);
        assert_eq!(Challenge::parse(&b"a,".repeat(MAX_CHALLENGES + 1)), None);
        assert!(Challenge::parse(&b"a,".repeat(MAX_CHALLENGES)).is_some());
        let params: String = (0..=MAX_PARAMS).map(|n| format!("p{n}=x,")).collect();
        assert_eq!(Challenge::parse(format!("Bearer {params}").as_bytes()), None);
        assert_eq!(Challenge::parse(&vec![b','; MAX_LEN + 1]), None);
    }
}

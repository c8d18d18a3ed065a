//! A link taken apart, and nothing more: no other part of this crate is in here, so that a fuzzer can have it alone.

/// Longer than any real link: Auth0's are below 1 kB.
pub(crate) const MAX_LEN: usize = 8 * 1024;

/// A link as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Everything before the query.
    pub(crate) address: String,
    /// Decoded, in their order, each name once.
    pub(crate) params: Vec<(String, String)>,
}

/// Why a text is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Longer than any real one.
    TooLong,
    /// Not an address with a query, a fragment behind it, a parameter twice, broken encoding.
    Malformed,
}

/// Takes a link apart. Any text at all may be passed.
///
/// # Errors
/// See [`Unreadable`].
pub(crate) fn take_apart(link: &str) -> Result<Parts, Unreadable> {
    if link.len() > MAX_LEN {
        return Err(Unreadable::TooLong);
    }
    // A link that was pasted may have brought spaces and line ends along.
    let link = link.trim();
    let clean = link.bytes().all(|byte| byte.is_ascii_graphic()) && !link.contains('#');
    let (address, query) = link.split_once('?').filter(|(address, _)| clean && !address.is_empty()).ok_or(Unreadable::Malformed)?;
    let mut params: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        // RFC 6749 §3.1: no parameter more than once.
        if params.iter().any(|(known, _)| *known == name) {
            return Err(Unreadable::Malformed);
        }
        params.push((name, value));
    }
    Ok(Parts { address: address.to_owned(), params })
}

/// `application/x-www-form-urlencoded`, strictly: whole escapes, valid UTF-8, no control characters.
fn decode(text: &str) -> Result<String, Unreadable> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(Unreadable::Malformed);
                let value = digit()? * 16 + digit()?;
                u8::try_from(value).map_err(|_| Unreadable::Malformed)?
            }
            byte => byte,
        });
    }
    let decoded = String::from_utf8(bytes).map_err(|_| Unreadable::Malformed)?;
    if decoded.chars().any(char::is_control) { Err(Unreadable::Malformed) } else { Ok(decoded) }
}

//! Arguments that are still being written, as far as they can be read.

use serde_json::Value;

/// Reads the beginning of a JSON text: what is open is closed, what cannot be completed is left out. `None` if nothing can be
/// read yet. Costs one pass over the text.
pub(crate) fn partial(text: &str) -> Option<Value> {
    let mut open = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    // What stands between values, last of all.
    let mut last = b' ';
    // Where the text could be cut off and closed, from the earliest to the latest; two are enough.
    let mut cuts: [Option<(usize, usize)>; 2] = [None, None];
    // All that counts is ASCII, of which no other character has a byte.
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                open.push(if byte == b'{' { '}' } else { ']' });
                cuts = [cuts[1], Some((at + 1, open.len()))];
            }
            b'}' | b']' => {
                open.pop()?;
                cuts = [cuts[1], Some((at + 1, open.len()))];
            }
            b',' => cuts = [cuts[1], Some((at, open.len()))],
            b':' => {}
            _ => continue,
        }
        if byte != b'"' {
            last = byte;
        }
    }
    if open.is_empty()
        && !in_string
        && let Ok(value) = serde_json::from_str(text)
    {
        return Some(value);
    }
    let closed = |end: &str, depth: usize| {
        let mut whole = String::with_capacity(end.len() + depth);
        whole.push_str(end);
        whole.extend(open.iter().take(depth).rev());
        serde_json::from_str::<Value>(&whole).ok()
    };
    let cut_string = || {
        let mut body = text;
        if escaped {
            body = &body[..body.len() - 1];
        }
        closed(&format!("{body}\""), open.len())
    };
    // A key that is being written, or one without a value, can only be left out.
    let in_key = open.last() == Some(&'}') && matches!(last, b'{' | b',');
    let here = match in_string {
        _ if in_key => None,
        true => cut_string(),
        false => closed(text.trim_end(), open.len()),
    };
    here.or_else(|| {
        cuts.iter().rev().flatten().find_map(|(end, depth)| {
            // The brackets that were open at the cut are those at the bottom of the stack, if none was closed since.
            (*depth <= open.len()).then(|| closed(&text[..*end], *depth)).flatten()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::partial;
    use serde_json::json;

    #[test]
    fn a_string_that_is_being_written_is_shown_so_far() {
        assert_eq!(partial(r#"{"city":"Par"#), Some(json!({"city": "Par"})));
        assert_eq!(partial(r#"{"city":"a\"#), Some(json!({"city": "a"})));
    }

    #[test]
    fn a_key_without_a_value_is_left_out() {
        assert_eq!(partial(r#"{"city"#), Some(json!({})));
        assert_eq!(partial(r#"{"city":"Paris","day"#), Some(json!({"city": "Paris"})));
        assert_eq!(partial(r#"{"city":"Paris","day":"#), Some(json!({"city": "Paris"})));
    }

    #[test]
    fn lists_and_objects_are_closed() {
        assert_eq!(partial(r#"{"a":[1,{"b":2"#), Some(json!({"a": [1, {"b": 2}]})));
        assert_eq!(partial(r#"{"a":[1,{"b":2},"#), Some(json!({"a": [1, {"b": 2}]})));
    }

    #[test]
    fn nonsense_is_nothing() {
        assert_eq!(partial(""), None);
        assert_eq!(partial("}"), None);
        assert_eq!(partial("hello"), None);
    }
}

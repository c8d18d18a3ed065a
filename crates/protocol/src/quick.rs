//! Chunks without a tree of JSON in between.
//!
//! What is not exactly so is refused here and read as a tree. What both ways can read they read to the same value.

use crate::scan::Scanner;

/// A struct that is read field by field, from behind its type; `None` if anything is not as the struct says.
pub(crate) trait Fields: Sized {
    fn read(scanner: &mut Scanner<'_>) -> Option<Self>;
}

#[cfg(test)]
mod tests {
    use crate::chunk::Chunk;

    #[test]
    fn what_is_read_quickly_is_what_is_read_slowly() {
        for text in [
            r#"{"type":"text-delta","id":"0","delta":"a\n\u00e9 and “quotes” \\ \" "}"#,
            r#"{"type":"text-delta","delta":"x","delta":"y","providerMetadata":{}}"#,
            r#"{"type":"start","messageId":"m","messageMetadata":null}"#,
            r#"{"type":"start-step","new":[1.50,{"a":null}]}"#,
            r#"{"type":"tool-output-available","toolCallId":"c","output":null,"preliminary":true,"x":1,"x":2}"#,
            r#"{"type":"tool-output-available","toolCallId":"c","output":{"a":[1.50,"\u00e9"],"a":{}}}"#,
            r#"{"type":"tool-output-available","toolCallId":"c"}"#,
            r#"{"type":"tool-input-available","toolCallId":"c","toolName":"t","input":{"a":1},"title":"T"} "#,
            r#"{"type":"data-x","id":7,"data":{"a":[]},"transient":false}"#,
            r#"{"type":"steering-message","id":"m","parts":[{"type":"text"}]}"#,
            r#"{"type":"finish"}"#,
        ] {
            let slow = serde_json::from_str(text).map(Chunk::from_value);
            assert_eq!(Chunk::read_quickly(text), slow.ok(), "{text}");
        }
    }

    #[test]
    fn whatever_is_not_exactly_so_is_refused() {
        for text in [
            r#"{"type":"text-delta","delta":"x","type":"text-delta"}"#,
            r#"{"type":"text-delta","delta":7}"#,
            r#"{"type":"text-delta","id":null,"delta":"x"}"#,
            r#"{"type":"text-delta","id":"0"}"#,
            r#"{"type":"text-delta","delta":"\ud83d\ude00"}"#,
            r#"{ "type": "text-delta", "delta": "x"}"#,
            r#"{"id":"0","type":"text-start"}"#,
            r#"{"type":"tool-output-available","output":1}"#,
            r#"{"type":"tool-output-available","toolCallId":"c","output":1e999}"#,
            r#"{"type":"tool-output-available","toolCallId":"c","output":"\ud83d"}"#,
            r#"{"type":"finish"}{}"#,
            r#"{"type":"new"}"#,
            r#"["type"]"#,
        ] {
            assert_eq!(Chunk::read_quickly(text), None, "{text}");
        }
    }
}

//! Records as columns.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_domain::ContentHash;
use tidemill_view::{Row, Value};

use super::error::SqlError;

/// Bytes of a text by which rows are found: Postgres takes only so much into an index.
const MAX_KEY: usize = 512;

/// A record as it is kept.
pub(super) fn doc(record: &impl Serialize) -> Result<Value, SqlError> {
    Ok(serde_json::to_string(record)?.into())
}

/// The record in a column.
pub(super) fn read<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, SqlError> {
    Ok(serde_json::from_str(&row.text(column)?)?)
}

/// A text by which rows are found; instead of a very long one, its hash.
pub(super) fn key(text: &str) -> Value {
    if text.len() <= MAX_KEY { text.into() } else { ContentHash::of(text.as_bytes()).as_str().into() }
}

/// The same where there may be none.
pub(super) fn some_key(text: Option<&str>) -> Value {
    text.map_or_else(|| "".into(), key)
}

/// The word for a plain enum, as it is on the log and in questions; nothing for what is none.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use tidemill_console_core::Stage;

    use super::*;

    #[test]
    fn words_and_keys_are_short() {
        assert_eq!(
            (word(&Stage::Searching), word(&Some(Stage::Closed)), word(&None::<Stage>)),
            ("searching".into(), "closed".into(), String::new())
        );
        assert!(matches!(key(&"x".repeat(10_000)), Value::Text(text) if text.len() == 64));
    }
}

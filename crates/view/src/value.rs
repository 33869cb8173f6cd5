//! Values of statements: the three kinds that both databases have.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// No text.
    NoText,
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<u64> for Value {
    /// Sequences and counts; what does not fit is the greatest that does.
    fn from(n: u64) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Real(x)
    }
}

impl From<&str> for Value {
    /// Postgres takes no text with a zero byte in it, so that byte is replaced, in rows and in questions alike.
    fn from(text: &str) -> Self {
        Self::Text(text.replace('\0', "\u{fffd}"))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        if text.contains('\0') { Self::from(text.as_str()) } else { Self::Text(text) }
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::NoText, Self::from)
    }
}

/// The values of a statement, in the order of `$1`, `$2` and so on.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::Value::from($value)),*] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_one_that_both_databases_take() {
        assert_eq!(Value::from("a\0b"), Value::Text("a\u{fffd}b".into()));
        assert_eq!(Value::from(u64::MAX), Value::Int(i64::MAX));
        assert_eq!(values!["x", 1u64, 0.5], vec![Value::Text("x".into()), Value::Int(1), Value::Real(0.5)]);
    }
}

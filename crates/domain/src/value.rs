//! One cell of a row, and what a model answers for a row.

use serde::{Deserialize, Serialize};

/// One cell: a number, a text, or nothing.
///
/// In JSON a cell is a number, a string or null. Numbers are finite: NaN and infinity are read as missing where they
/// are computed and refused where they are sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A finite number.
    Number(f64),
    /// A text; for a categorical feature the name of the category.
    Text(String),
    /// No value.
    Missing,
}

impl Value {
    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(x) => Some(*x),
            Self::Text(_) | Self::Missing => None,
        }
    }

    /// The number, if it is a finite one, also one that is written as text.
    #[must_use]
    pub fn as_finite(&self) -> Option<f64> {
        let number = match self {
            Self::Number(x) => Some(*x),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Missing => None,
        };
        number.filter(|x| x.is_finite())
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(s) => Some(s),
            Self::Number(_) | Self::Missing => None,
        }
    }

    /// The cell as the name of a category: texts as they are, numbers in their shortest form (`1`, `0.5`).
    #[must_use]
    pub fn category(&self) -> Option<String> {
        match self {
            Self::Text(s) => Some(s.clone()),
            Self::Number(x) => Some(format!("{x}")),
            Self::Missing => None,
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// A cell of a CSV file: empty, `?`, `NA`, `NaN` and `null` are missing, what reads as a finite number is one.
    #[must_use]
    pub fn from_csv(cell: &str) -> Self {
        let cell = cell.trim();
        if matches!(cell, "" | "?" | "NA" | "NaN" | "nan" | "null" | "NULL" | "None") {
            return Self::Missing;
        }
        match cell.parse::<f64>() {
            Ok(x) if x.is_finite() => Self::Number(x),
            _ => Self::Text(cell.to_owned()),
        }
    }
}

/// What a model answers for one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Output {
    /// A probability for each class the model knows, in the model's class order; they sum to 1.
    Classes(Vec<(String, f64)>),
    /// The expected value of a numeric target, in the target's unit.
    Number(f64),
}

impl Output {
    /// The answer as one cell: the most probable class (the first of equals) or the number.
    #[must_use]
    pub fn point(&self) -> Value {
        match self {
            Self::Number(x) => Value::Number(*x),
            Self::Classes(classes) => {
                let mut best: Option<&(String, f64)> = None;
                for class in classes {
                    if best.is_none_or(|b| class.1 > b.1) {
                        best = Some(class);
                    }
                }
                best.map_or(Value::Missing, |b| Value::Text(b.0.clone()))
            }
        }
    }

    /// The probability given to `class`; `None` for a number, 0 for a class the model does not know.
    #[must_use]
    pub fn probability(&self, class: &str) -> Option<f64> {
        match self {
            Self::Number(_) => None,
            Self::Classes(classes) => Some(classes.iter().find(|c| c.0 == class).map_or(0.0, |c| c.1)),
        }
    }

    /// The highest probability; 1 for a number.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        match self {
            Self::Number(_) => 1.0,
            Self::Classes(classes) => classes.iter().map(|c| c.1).fold(0.0, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_a_csv() {
        assert_eq!(Value::from_csv(" 1.5 "), Value::Number(1.5));
        assert_eq!(Value::from_csv("?"), Value::Missing);
        assert_eq!(Value::from_csv("inf"), Value::Text("inf".into()));
        assert_eq!(Value::from_csv("State-gov"), Value::Text("State-gov".into()));
    }

    #[test]
    fn first_of_equal_classes_wins() {
        let out = Output::Classes(vec![("a".into(), 0.5), ("b".into(), 0.5)]);
        assert_eq!(out.point(), Value::Text("a".into()));
        assert_eq!(out.probability("c"), Some(0.0));
    }
}

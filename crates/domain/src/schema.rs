//! The shape of a row: its features, its target, and what counts as a value for each.

use serde::{Deserialize, Serialize};

use crate::hash::ContentHash;
use crate::value::Value;

/// The features, the target and the entity of a loop's rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The features in the order in which rows hold them.
    pub features: Vec<Feature>,
    /// What is predicted.
    pub target: Target,
    /// The name of the field by which traffic sticks and rows are grouped, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// The categorical features by whose values performance is also reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<String>,
}

/// One feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The key under which records carry it.
    pub name: String,
    /// Its type and limits.
    #[serde(flatten)]
    pub kind: FeatureKind,
    /// Whether a row without it is refused.
    #[serde(default)]
    pub required: bool,
}

/// The type of a feature, with its limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FeatureKind {
    /// A number within limits, both included.
    Numeric {
        /// The least value that is accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// The greatest value that is accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// One of some names; any name where no list is given.
    Categorical {
        /// The names that are accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        values: Option<Vec<String>>,
    },
}

impl FeatureKind {
    /// A cell as it was sent, in the type of the feature: a number also where it is written as text, the name of a category
    /// without the white space around it and also where it is written as a number. Missing stays missing; `None` for what
    /// cannot be read so. Limits and lists are not looked at: rows to learn from must keep to them, rows to answer need not.
    #[must_use]
    pub fn typed(&self, cell: &Value) -> Option<Value> {
        match (self, cell) {
            (_, Value::Missing) => Some(Value::Missing),
            (Self::Numeric { .. }, cell) => cell.as_finite().map(Value::Number),
            (Self::Categorical { .. }, cell) => {
                cell.category().map(|name| Value::Text(name.trim().to_owned()))
            }
        }
    }
}

/// What is predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its name, for people.
    pub name: String,
    /// Its type.
    #[serde(flatten)]
    pub kind: TargetKind,
}

/// The type of a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TargetKind {
    /// One of some classes; any class where no list is given.
    Categorical {
        /// The classes that labels may name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        classes: Option<Vec<String>>,
    },
    /// A number.
    Numeric,
}

impl Schema {
    /// The position of a feature.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.features.iter().position(|f| f.name == name)
    }

    /// Whether the target is a number.
    #[must_use]
    pub fn is_regression(&self) -> bool {
        matches!(self.target.kind, TargetKind::Numeric)
    }

    /// The hash of names and types, in order. Limits are left out: tightening a range does not change what rows mean.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        let mut text = String::new();
        for feature in &self.features {
            let kind = match feature.kind {
                FeatureKind::Numeric { .. } => "numeric",
                FeatureKind::Categorical { .. } => "categorical",
            };
            text.push_str(&format!("{:?}:{kind};", feature.name));
        }
        text.push_str(&format!("{:?}:{}", self.target.name, self.is_regression()));
        ContentHash::of(text.as_bytes())
    }

    /// Brings a label into the form in which rows hold it: a finite number, or the name of a class.
    ///
    /// # Errors
    /// When the label cannot be one of this target; the text says why.
    pub fn target_value(&self, label: &Value) -> Result<Value, String> {
        let name = &self.target.name;
        match &self.target.kind {
            TargetKind::Numeric => match label {
                Value::Number(x) if x.is_finite() => Ok(Value::Number(*x)),
                other => {
                    Err(format!("label of \"{name}\" is {}, a finite number is expected", describe(other)))
                }
            },
            TargetKind::Categorical { classes } => {
                let class = label.category().ok_or_else(|| {
                    format!("label of \"{name}\" is missing, the name of a class is expected")
                })?;
                match classes {
                    Some(known) if !known.contains(&class) => Err(format!(
                        "label of \"{name}\" is \"{class}\", one of {} is expected",
                        known.join(", ")
                    )),
                    _ => Ok(Value::Text(class)),
                }
            }
        }
    }
}

/// A cell in the words of an error message.
#[must_use]
pub fn describe(value: &Value) -> String {
    match value {
        Value::Number(x) => format!("the number {x}"),
        Value::Text(s) if s.chars().count() > 40 => {
            format!("the text \"{}...\"", s.chars().take(40).collect::<String>())
        }
        Value::Text(s) => format!("the text \"{s}\""),
        Value::Missing => "missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_brought_into_the_type_of_its_feature() {
        let numeric = FeatureKind::Numeric { min: Some(0.0), max: Some(1.0) };
        let categorical = FeatureKind::Categorical { values: Some(vec!["a".into()]) };
        let text = |t: &str| Value::Text(t.into());
        let cases = [
            (&numeric, Value::Number(7.0), Some(Value::Number(7.0))),
            (&numeric, text(" 7.5 "), Some(Value::Number(7.5))),
            (&numeric, text("many"), None),
            (&numeric, text("inf"), None),
            (&numeric, Value::Number(f64::NAN), None),
            (&numeric, Value::Missing, Some(Value::Missing)),
            (&categorical, text(" b "), Some(text("b"))),
            (&categorical, Value::Number(2.0), Some(text("2"))),
            (&categorical, Value::Missing, Some(Value::Missing)),
        ];
        for (kind, cell, expected) in cases {
            assert_eq!(kind.typed(&cell), expected, "{cell:?}");
        }
    }
}

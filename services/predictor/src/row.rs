//! From features as they were sent to the cells that a model expects.
//!
//! What the validator would clean before a row teaches is cleaned the same way before a model sees it; ranges and lists of
//! names are not enforced here, because a client wants an answer also for a row that will not teach.

use std::collections::BTreeMap;

use tidemill_domain::{FeatureKind, Schema, Value};

/// The cells in schema order. What is not there is missing, what the schema does not know is left out.
pub(crate) fn cells(schema: &Schema, features: &BTreeMap<String, Value>) -> Vec<Value> {
    let cell = |feature: &tidemill_domain::Feature| match features.get(&feature.name) {
        None => Value::Missing,
        Some(value) => clean(&feature.kind, value),
    };
    schema.features.iter().map(cell).collect()
}

fn clean(kind: &FeatureKind, value: &Value) -> Value {
    match (kind, value) {
        (FeatureKind::Numeric { .. }, Value::Text(text)) => {
            let number = text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
            number.map_or(Value::Missing, Value::Number)
        }
        (FeatureKind::Categorical { .. }, value) => {
            value.category().map_or(Value::Missing, |category| Value::Text(category.trim().to_owned()))
        }
        (FeatureKind::Numeric { .. }, value) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use tidemill_domain::{Feature, Target, TargetKind};

    use super::*;

    #[test]
    fn cells_are_in_schema_order_and_of_its_types() {
        let numeric = FeatureKind::Numeric { min: Some(0.0), max: Some(1.0) };
        let categorical = FeatureKind::Categorical { values: None };
        let feature = |name: &str, kind: &FeatureKind| Feature {
            name: name.into(),
            kind: kind.clone(),
            required: true,
        };
        let schema = Schema {
            features: vec![
                feature("b", &numeric),
                feature("a", &categorical),
                feature("c", &numeric),
                feature("d", &numeric),
            ],
            target: Target { name: "y".into(), kind: TargetKind::Numeric },
            entity: None,
            slices: vec![],
        };
        let sent = [
            ("a", Value::Number(2.0)),
            ("b", Value::Text(" 7.5".into())),
            ("d", Value::Text("many".into())),
            ("e", Value::Number(1.0)),
        ];
        let sent = sent.map(|(name, value)| (name.to_owned(), value)).into();
        let expected = [Value::Number(7.5), Value::Text("2".into()), Value::Missing, Value::Missing];
        assert_eq!(cells(&schema, &sent), expected);
    }
}

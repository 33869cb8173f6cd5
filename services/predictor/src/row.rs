//! From features as they were sent to the cells that a model expects.
//!
//! Cells get their types by the same rule as in the validator; ranges and lists of names are not enforced here, because a
//! client wants an answer also for a row that will not teach.

use std::collections::BTreeMap;

use tidemill_domain::{Schema, Value};

/// The cells in schema order. What is not there or has not the right type is missing, what the schema does not know is left
/// out.
pub(crate) fn cells(schema: &Schema, features: &BTreeMap<String, Value>) -> Vec<Value> {
    let cell = |feature: &tidemill_domain::Feature| {
        let sent = features.get(&feature.name);
        sent.and_then(|cell| feature.kind.typed(cell)).unwrap_or(Value::Missing)
    };
    schema.features.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use tidemill_domain::{Feature, FeatureKind, Target, TargetKind};

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

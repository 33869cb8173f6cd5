//! A row against the schema: types, ranges, categories, missing values. What can be cleaned without guessing is cleaned.

use tidemill_domain::schema::describe;
use tidemill_domain::{CleanLabel, CleanRow, Feature, FeatureKind, Label, PredictionRecord, Schema, Value};

/// A row in schema order, or everything that is wrong with it.
pub type CheckedRow = Result<CleanRow, Vec<String>>;

/// Checks a record against the schema and brings its features into schema order.
///
/// Cleaned are: numbers written as text, numbers in place of the names of categories, white space around names, and
/// fields that the schema does not know, which are left out.
///
/// # Errors
/// With every reason for which the row is refused, each with what would be right.
pub fn check_row(schema: &Schema, record: &PredictionRecord) -> CheckedRow {
    let mut features = Vec::with_capacity(schema.features.len());
    let mut reasons = Vec::new();
    for feature in &schema.features {
        match check_cell(feature, record.features.get(&feature.name)) {
            Ok(value) => features.push(value),
            Err(reason) => reasons.push(reason),
        }
    }
    if !reasons.is_empty() {
        return Err(reasons);
    }
    Ok(CleanRow {
        prediction_id: record.prediction_id.clone(),
        entity: record.entity.clone(),
        time: record.time,
        features,
        scored: record.scored.clone(),
        label: None,
    })
}

/// Checks a label against the schema.
///
/// # Errors
/// With the reason for which it is refused.
pub fn check_label(schema: &Schema, label: &Label) -> Result<CleanLabel, String> {
    let value = match (&label.label, schema.is_regression()) {
        (written @ Value::Text(_), true) => {
            written.as_finite().map_or_else(|| label.label.clone(), Value::Number)
        }
        (Value::Text(text), false) => Value::Text(text.trim().to_owned()),
        _ => label.label.clone(),
    };
    Ok(CleanLabel { value: schema.target_value(&value)?, source: label.source, time: label.time })
}

fn check_cell(feature: &Feature, value: Option<&Value>) -> Result<Value, String> {
    let name = &feature.name;
    let value = match value {
        None | Some(Value::Missing) if feature.required => {
            return Err(format!("\"{name}\" is missing, but the schema requires it"));
        }
        None | Some(Value::Missing) => return Ok(Value::Missing),
        Some(value) => value,
    };
    let typed = feature.kind.typed(value);
    match (&feature.kind, typed) {
        (FeatureKind::Numeric { min, max }, Some(Value::Number(x))) => {
            check_range(name, *min, *max, x).map(|()| Value::Number(x))
        }
        (FeatureKind::Categorical { values: Some(known) }, Some(Value::Text(category)))
            if !known.contains(&category) =>
        {
            Err(format!("\"{name}\" is \"{category}\", one of {} is expected", list(known)))
        }
        (FeatureKind::Categorical { .. }, Some(category)) => Ok(category),
        (FeatureKind::Numeric { .. }, _) | (FeatureKind::Categorical { .. }, None) => {
            Err(format!("\"{name}\" is {}, a finite number is expected", describe(value)))
        }
    }
}

fn check_range(name: &str, min: Option<f64>, max: Option<f64>, x: f64) -> Result<(), String> {
    if min.is_none_or(|min| x >= min) && max.is_none_or(|max| x <= max) {
        return Ok(());
    }
    let range = match (min, max) {
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        (Some(min), None) => format!("of at least {min}"),
        (None, Some(max)) => format!("of at most {max}"),
        (None, None) => String::new(),
    };
    Err(format!("\"{name}\" is {x}, a number {range} is expected"))
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use tidemill_domain::{LabelSource, PredictionId, Target, TargetKind, Timestamp};

    use super::*;

    fn schema() -> Schema {
        let numeric = FeatureKind::Numeric { min: Some(0.0), max: Some(10.0) };
        let day = FeatureKind::Categorical { values: Some(vec!["1".into(), "2".into()]) };
        Schema {
            features: vec![
                Feature { name: "load".into(), kind: numeric, required: true },
                Feature { name: "day".into(), kind: day, required: false },
            ],
            target: Target { name: "late".into(), kind: TargetKind::Categorical { classes: None } },
            entity: None,
            slices: vec![],
        }
    }

    fn record(cells: &[(&str, Value)]) -> PredictionRecord {
        PredictionRecord {
            prediction_id: PredictionId::new("p"),
            entity: None,
            time: Timestamp(0),
            features: cells.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
            scored: vec![],
        }
    }

    #[test]
    fn what_can_be_cleaned_is_cleaned() {
        let row = record(&[
            ("load", Value::Text(" 2.5 ".into())),
            ("day", Value::Number(1.0)),
            ("unknown", Value::Number(9.0)),
        ]);
        let clean = check_row(&schema(), &row).map(|r| r.features);
        assert_eq!(clean, Ok(vec![Value::Number(2.5), Value::Text("1".into())]));
    }

    #[test]
    fn every_reason_is_given_at_once() {
        let row = record(&[("load", Value::Number(11.0)), ("day", Value::Text("8".into()))]);
        let reasons = check_row(&schema(), &row).err().unwrap_or_default();
        assert_eq!(
            reasons,
            [
                "\"load\" is 11, a number from 0 to 10 is expected",
                "\"day\" is \"8\", one of 1, 2 is expected"
            ]
        );
    }

    #[test]
    fn missing_is_refused_only_where_required() {
        let reasons = check_row(&schema(), &record(&[])).err().unwrap_or_default();
        assert_eq!(reasons, ["\"load\" is missing, but the schema requires it"]);
        assert!(check_row(&schema(), &record(&[("load", Value::Number(1.0))])).is_ok());
    }

    #[test]
    fn numbers_serve_as_classes() {
        let label = Label {
            prediction_id: PredictionId::new("p"),
            label: Value::Number(1.0),
            source: LabelSource::Human,
            time: Timestamp(0),
        };
        assert_eq!(check_label(&schema(), &label).map(|l| l.value), Ok(Value::Text("1".into())));
    }
}

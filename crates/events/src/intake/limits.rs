//! What a record may hold, whatever the format in which it was sent. Decoders of other formats check with the same functions.
//! It must not know of any schema: whether values make sense is for the validator to say.

use tidemill_domain::schema::describe;
use tidemill_domain::{Label, Output, PredictionRecord, Scored, Value};

use crate::wire::{BATCH_BYTES, Weigh};

/// The longest id, model version, entity or feature name, in bytes.
pub const MAX_NAME: usize = 256;
/// The greatest number of features in a record.
pub const MAX_FEATURES: usize = 10_000;
/// The greatest number of records in a message.
pub const MAX_RECORDS: usize = 20_000;
/// The greatest number of problems of one record that are spelled out; the others are counted.
pub const MAX_REASONS: usize = 100;
/// How much is kept of what was refused, in bytes.
pub const MAX_SHOWN: usize = 16 << 10;
/// How far the sum of probabilities may be from 1: models compute in single precision, and some round to two digits.
pub const PROBABILITY_SLACK: f64 = 0.02;

/// Everything that is wrong with a record, each with what would be right; nothing if it is good.
#[must_use]
pub fn check_prediction(record: &PredictionRecord) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(name("prediction_id", record.prediction_id.as_str()));
    problems.extend(record.entity.as_deref().and_then(|entity| name("entity", entity)));
    if record.features.len() > MAX_FEATURES {
        problems.push(format!(
            "features: there are {}; at most {MAX_FEATURES} are allowed",
            record.features.len()
        ));
    }
    for (feature, value) in &record.features {
        if !(1..=MAX_NAME).contains(&feature.len()) {
            problems.push(format!(
                "features: the name {} has {} bytes; 1 to {MAX_NAME} are expected",
                shown(feature),
                feature.len()
            ));
        }
        if value.number().is_some_and(|x| !x.is_finite()) {
            problems.push(format!(
                "features.{}: the number is not finite; send null where there is none",
                bare(feature)
            ));
        }
    }
    for (index, scored) in record.scored.iter().enumerate() {
        let at =
            |field: &str| if index == 0 { field.to_owned() } else { format!("also[{}].{field}", index - 1) };
        problems.extend(name(&at("model_version"), scored.version.as_str()));
        if record.scored.iter().take(index).any(|earlier| earlier.version == scored.version) {
            problems.push(format!(
                "{}: {} is named twice; each model once is expected",
                at("model_version"),
                shown(scored.version.as_str())
            ));
        }
        check_output(&at, scored, &mut problems);
    }
    if record.weigh() > BATCH_BYTES {
        problems.push(format!(
            "the record takes some {} bytes; at most {BATCH_BYTES} are allowed",
            record.weigh()
        ));
    }
    problems
}

/// Everything that is wrong with a label, each with what would be right; nothing if it is good.
#[must_use]
pub fn check_label(label: &Label) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(name("prediction_id", label.prediction_id.as_str()));
    match &label.label {
        Value::Number(x) if x.is_finite() => {}
        Value::Text(text) if (1..=MAX_NAME).contains(&text.len()) => {}
        Value::Text(text) => {
            problems.push(format!("label: the name has {} bytes; 1 to {MAX_NAME} are expected", text.len()));
        }
        other @ (Value::Number(_) | Value::Missing) => {
            problems.push(format!(
                "label: it is {}; a finite number or the name of a class is expected",
                describe(other)
            ));
        }
    }
    problems
}

fn check_output(at: &dyn Fn(&str) -> String, scored: &Scored, problems: &mut Vec<String>) {
    let classes = match &scored.output {
        Output::Number(y) if y.is_finite() => return,
        Output::Number(_) => {
            problems
                .push(format!("{}: the number is not finite; a finite one is expected", at("prediction")));
            return;
        }
        Output::Classes(classes) => classes,
    };
    let field = at("probabilities");
    if classes.is_empty() {
        problems.push(format!("{field}: there are none; one for each class is expected"));
        return;
    }
    for (index, (class, p)) in classes.iter().enumerate() {
        problems.extend(name(&format!("{field}: the class"), class));
        if !(0.0..=1.0).contains(p) {
            problems.push(format!("{field}.{}: it is {p}; a number from 0 to 1 is expected", bare(class)));
        }
        if classes.iter().take(index).any(|earlier| earlier.0 == *class) {
            problems.push(format!("{field}.{}: it is here twice; each class once is expected", bare(class)));
        }
    }
    let sum: f64 = classes.iter().map(|c| c.1).sum();
    if (sum - 1.0).abs() > PROBABILITY_SLACK {
        problems.push(format!("{field}: their sum is {sum}; 1 is expected"));
    }
}

/// What is wrong with an id or a name that stands at `field`.
fn name(field: &str, text: &str) -> Option<String> {
    if !(1..=MAX_NAME).contains(&text.len()) {
        return Some(format!("{field}: it has {} bytes; 1 to {MAX_NAME} are expected", text.len()));
    }
    text.chars()
        .any(char::is_control)
        .then(|| format!("{field}: {} has control characters; none are expected", shown(text)))
}

/// A text from outside in the words of an error message, quoted and cut.
pub(super) fn shown(text: &str) -> String {
    let head: String = text.chars().take(40).collect();
    if head.len() < text.len() { format!("{head:?}...") } else { format!("{head:?}") }
}

/// The same as a part of a path: without quotes where it is plain.
pub(super) fn bare(text: &str) -> String {
    let plain =
        text.len() <= 40 && !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    if plain { text.to_owned() } else { shown(text) }
}

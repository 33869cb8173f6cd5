//! The record of a label:
//!
//! ```json
//! {"prediction_id": "p-1", "label": "up", "source": "human", "time": "2026-03-08T12:00:00Z"}
//! ```
//!
//! `prediction_id` and `label` must be there; they may also be called `id` and `ground_truth`, as chantilly does. A label is a
//! class name, a number, or true or false, which are taken as class names. Without `source` it is that of the subject,
//! without `time` the label became known when it was received. Other keys are passed over.

use tidemill_domain::{Label, LabelSource, PredictionId, Timestamp, Value};

use super::fields::Fields;
use super::limits::check_label;
use super::node::Node;
use super::source;

/// The record of an object.
pub(super) fn decode(
    object: &[(String, Node)],
    received: Timestamp,
    default: LabelSource,
) -> Result<Label, Vec<String>> {
    let mut fields = Fields::new(object, String::new());
    let id_key = either(&mut fields, "prediction_id", "id");
    let id = fields.need_id(id_key);
    let label_key = either(&mut fields, "label", "ground_truth");
    let label = match fields.get(label_key) {
        Some(node) => {
            let before = fields.problems.len();
            let value = fields.value(label_key, node);
            (fields.problems.len() == before).then_some(value)
        }
        None => {
            fields.problem(label_key, "it is missing", "a number or the name of a class is expected");
            None
        }
    };
    let source = label_source(&mut fields).unwrap_or(default);
    let time = fields.time("time").unwrap_or(received);
    let record = Label {
        prediction_id: PredictionId::new(id.unwrap_or_else(|| "-".to_owned())),
        // What is wrong has been noted; the rest is checked with a number that is good.
        label: label.unwrap_or(Value::Number(0.0)),
        source,
        time,
    };
    let mut problems = fields.problems;
    problems.extend(check_label(&record));
    if problems.is_empty() { Ok(record) } else { Err(problems) }
}

/// The key that is used: the first one unless only the second one is there.
fn either(fields: &mut Fields<'_>, first: &'static str, second: &'static str) -> &'static str {
    if fields.get(first).is_none() && fields.get(second).is_some() { second } else { first }
}

fn label_source(fields: &mut Fields<'_>) -> Option<LabelSource> {
    let node = fields.get("source")?;
    let found = match node {
        Node::Text(text) => source::parse(text),
        _ => None,
    };
    if found.is_none() {
        let expected = format!("one of {} is expected", source::names());
        fields.problem("source", &format!("it is {}", node.describe()), &expected);
    }
    found
}

//! The record of a prediction, or of a row without one:
//!
//! ```json
//! {"prediction_id": "p-1", "entity": "m-7", "time": "2026-03-01T12:00:00Z",
//!  "features": {"nswprice": 0.04, "day": "2", "holiday": false, "load": null},
//!  "prediction": "up", "probabilities": {"down": 0.3, "up": 0.7}, "model_version": "m-1",
//!  "also": [{"model_version": "m-2", "probabilities": {"down": 0.6, "up": 0.4}}]}
//! ```
//!
//! `prediction_id` and `features` must be there, and `model_version` where there is a prediction. Where there are
//! `probabilities` they are the answer, and `prediction` beside them must name one of their classes; a text alone counts as
//! its class with probability 1, a number alone as a number. `also` holds what other models said of the same row. Ids may be
//! whole numbers. Other keys are passed over: producers add things.

use std::collections::BTreeMap;

use tidemill_domain::{ModelVersion, Output, PredictionId, PredictionRecord, Scored, Timestamp, Value};

use super::fields::Fields;
use super::limits::{check_prediction, shown};
use super::node::Node;

/// Stands where something is wrong that was noted, so that the rest can be checked.
const PLACEHOLDER: &str = "-";

/// The record of an object.
pub(super) fn decode(
    object: &[(String, Node)],
    received: Timestamp,
) -> Result<PredictionRecord, Vec<String>> {
    let mut fields = Fields::new(object, String::new());
    let id = fields.need_id("prediction_id");
    let entity = fields.id("entity");
    let time = fields.time("time").unwrap_or(received);
    let features = features(&mut fields);
    let mut scored = Vec::new();
    scored.extend(answer(&mut fields, 0));
    let also = fields.get("also");
    others(&mut fields, also, &mut scored);
    let record = PredictionRecord {
        prediction_id: PredictionId::new(id.unwrap_or_else(|| PLACEHOLDER.to_owned())),
        entity,
        time,
        features,
        scored,
    };
    let mut problems = fields.problems;
    problems.extend(check_prediction(&record));
    if problems.is_empty() { Ok(record) } else { Err(problems) }
}

fn features(fields: &mut Fields<'_>) -> BTreeMap<String, Value> {
    if fields.get("features").is_none() {
        fields.problem("features", "they are missing", "an object with a value for each name is expected");
        return BTreeMap::new();
    }
    let mut features = BTreeMap::new();
    for (name, node) in fields.object("features").unwrap_or_default() {
        let key = Fields::below("features", name);
        let value = fields.value(&key, node);
        if features.insert(name.clone(), value).is_some() {
            fields.problem(&key, "it is here twice", "each feature once is expected");
        }
    }
    features
}

/// What one model said; nothing if there is no prediction. The first one is the answer that the client saw.
fn answer(fields: &mut Fields<'_>, place: usize) -> Option<Scored> {
    let prediction = fields.get("prediction").map(|node| fields.value("prediction", node));
    let classes = probabilities(fields);
    if prediction.is_none() && classes.is_none() {
        if place > 0 {
            fields.problem("prediction", "it is missing", "a prediction or probabilities are expected");
        }
        return None;
    }
    let version = fields.need_id("model_version").unwrap_or_else(|| format!("{PLACEHOLDER}{place}"));
    let output = match (prediction, classes) {
        (prediction, Some(classes)) => {
            let class = prediction.as_ref().and_then(Value::category);
            if let Some(class) = class.filter(|class| !classes.iter().any(|c| c.0 == *class)) {
                let what = format!("{} has no probability", shown(&class));
                fields.problem("prediction", &what, "one of the classes in probabilities is expected");
            }
            Output::Classes(classes)
        }
        (Some(Value::Text(class)), None) => Output::Classes(vec![(class, 1.0)]),
        (Some(Value::Number(y)), None) => Output::Number(y),
        // What is wrong has been noted.
        (Some(Value::Missing) | None, None) => return None,
    };
    Some(Scored { version: ModelVersion::new(version), output })
}

fn probabilities(fields: &mut Fields<'_>) -> Option<Vec<(String, f64)>> {
    let entries = fields.object("probabilities")?;
    let mut classes = Vec::with_capacity(entries.len());
    for (class, node) in entries {
        let key = Fields::below("probabilities", class);
        match node {
            Node::Float(_) | Node::Integer(_) => {
                let p = fields.value(&key, node).number().unwrap_or_default();
                classes.push((class.clone(), p));
            }
            other => fields.problem(
                &key,
                &format!("it is {}", other.describe()),
                "a number from 0 to 1 is expected",
            ),
        }
    }
    // A list with a hole in it does not sum to 1, which would only repeat what was noted.
    (classes.len() == entries.len()).then_some(classes)
}

fn others(fields: &mut Fields<'_>, also: Option<&Node>, scored: &mut Vec<Scored>) {
    let list = match also {
        None => return,
        Some(Node::List(list)) => list,
        Some(other) => {
            let what = format!("it is {}", other.describe());
            return fields.problem("also", &what, "a list of objects is expected");
        }
    };
    if scored.is_empty() && !list.is_empty() && fields.problems.is_empty() {
        fields.problem(
            "also",
            "there is no prediction beside it",
            "the answer that the client saw comes first",
        );
    }
    for (index, node) in list.iter().enumerate() {
        let path = format!("also[{index}]");
        let Node::Object(object) = node else {
            fields.problem(&path, &format!("it is {}", node.describe()), "an object is expected");
            continue;
        };
        let mut inner = Fields::new(object, format!("{path}."));
        scored.extend(answer(&mut inner, index + 1));
        fields.problems.append(&mut inner.problems);
    }
}

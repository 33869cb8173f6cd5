//! One row: checked, routed, answered, and handed to the log.

use std::sync::atomic::{AtomicU64, Ordering};

use tidemill_bus::clock;
use tidemill_domain::hash::hash_parts;
use tidemill_domain::{LoopId, PredictionId, PredictionRecord, Timestamp, Value};
use tidemill_events::intake::check_prediction;
use tidemill_proto::{response, v1};
use tonic::{Code, Status};

use crate::journal::{Entry, Journal};
use crate::serving::Snapshot;

/// Makes ids for predictions that come without one: derived from who makes them, since when, and a count.
#[derive(Debug)]
pub(crate) struct Ids {
    owner: String,
    since: Timestamp,
    count: AtomicU64,
}

impl Ids {
    pub(crate) fn new(owner: impl Into<String>, since: Timestamp) -> Self {
        Self { owner: owner.into(), since, count: AtomicU64::new(0) }
    }

    fn next(&self) -> PredictionId {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let parts = [self.owner.as_bytes(), &self.since.0.to_le_bytes(), &n.to_le_bytes()];
        PredictionId::new(format!("p-{}", hash_parts(parts).as_str().get(..24).unwrap_or_default()))
    }
}

/// The version of a loop's first route table.
const FIRST_TABLE: u64 = 1;

/// Answers a row with what is in force.
pub(crate) fn answer(
    in_force: &Snapshot,
    journal: &Journal,
    ids: &Ids,
    request: v1::PredictRequest,
) -> Result<v1::PredictResponse, Status> {
    if !in_force.is_complete {
        return Err(Status::unavailable(
            "the predictor has just started: its data folder is empty, and it has not read the log to its end yet: try again",
        ));
    }
    let name = request.r#loop;
    let known = LoopId::new(name.as_str()).ok().and_then(|id| Some((in_force.loops.get(&id)?, id)));
    let Some((state, loop_id)) = known.filter(|(state, _)| state.spec_version > 0) else {
        let shown: String = name.chars().take(80).collect();
        return Err(Status::not_found(format!(
            "no loop {shown:?} is applied: {}; apply its loop file first",
            in_force.names()
        )));
    };
    let has_id = !request.prediction_id.is_empty();
    let mut record = PredictionRecord {
        prediction_id: if has_id { PredictionId::new(request.prediction_id) } else { ids.next() },
        entity: request.entity,
        time: clock::now(),
        features: request.features.into_iter().map(|(name, value)| (name, Value::from(value))).collect(),
        scored: Vec::new(),
    };
    let problems = check_prediction(&record);
    if !problems.is_empty() {
        return Err(Status::new(Code::InvalidArgument, problems.join("\n")));
    }
    let key = record.entity.as_deref().unwrap_or(record.prediction_id.as_str());
    let Some(parts) = state.serving.parts(&loop_id, key) else {
        let is_behind = state.wanted != state.serving.table_version(&loop_id);
        // While the very first model is being loaded there is none yet, as a moment before.
        let is_first = state.wanted <= FIRST_TABLE;
        if state.serving.lacks_champion(&loop_id)
            || (is_behind && !is_first && state.serving.scorers.is_empty())
        {
            return Err(Status::unavailable(format!(
                "the model of loop {loop_id} is being loaded: try again"
            )));
        }
        // A row that can be labelled teaches, also without a prediction.
        if has_id {
            journal.put(Entry { loop_id: loop_id.clone(), record, also: Vec::new() });
        }
        let kept = if has_id {
            "the row was logged and teaches once its label comes"
        } else {
            "send rows with a prediction_id, and their labels"
        };
        return Err(Status::failed_precondition(format!(
            "no model of loop {loop_id} has passed its evaluation yet: {kept}"
        )));
    };
    let scored = parts.answer.score(&record);
    let message = response(&record.prediction_id, &scored, record.time);
    record.scored.push(scored);
    journal.put(Entry { loop_id, record, also: parts.also });
    Ok(message)
}

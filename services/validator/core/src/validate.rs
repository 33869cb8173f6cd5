//! The stream of one partition: accepted rows go on, refused rows go to quarantine, labelled rows fill segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_domain::{CleanRow, Label, LoopId, LoopSpec, PredictionRecord, Timestamp};
use tidemill_events::core::{Core, Draft, NoJob, Now};
use tidemill_events::event::Event;
use tidemill_events::sample::{CleanItem, Mark, Quarantined, SampleItem};
use tidemill_events::snapshot::{self, BadSnapshot};
use tidemill_events::{Partition, Recorded, Subject, Topic};

use crate::check::{check_label, check_row};
use crate::seal::Open;

#[derive(Debug, Serialize, Deserialize)]
struct LoopState {
    spec: LoopSpec,
    open: Open,
}

/// The core of one partition of validator.
#[derive(Debug, Serialize, Deserialize)]
pub struct Validate {
    partition: Partition,
    now: Now,
    last: u64,
    loops: BTreeMap<LoopId, LoopState>,
}

/// What follows from one batch, in the order of its rows.
struct Outcome<'a> {
    loop_id: &'a LoopId,
    partition: Partition,
    clean: Vec<CleanItem>,
    drafts: Vec<Draft>,
}

impl Outcome<'_> {
    fn quarantine(&mut self, record: &PredictionRecord, label: Option<&Label>, reasons: Vec<String>) {
        let payload = match label {
            None => serde_json::to_string(record),
            Some(label) => {
                serde_json::to_string(&serde_json::json!({ "prediction": record, "label": label }))
            }
        };
        self.refuse(Quarantined {
            prediction_id: Some(record.prediction_id.clone()),
            payload: payload.unwrap_or_default(),
            reasons,
            labelled: label.is_some(),
        });
    }

    fn refuse(&mut self, quarantined: Quarantined) {
        let to = Subject::new(self.loop_id.clone(), Topic::Quarantine(self.partition));
        self.drafts.push(Draft::new(to, Event::Quarantined(quarantined)));
    }
}

impl Validate {
    /// The core of `partition`.
    #[must_use]
    pub fn new(partition: Partition) -> Self {
        Self { partition, now: Now::default(), last: 0, loops: BTreeMap::new() }
    }

    fn mark(&mut self, mark: &Mark, out: &mut Outcome<'_>) {
        if let Mark::Spec { applied, .. } = mark {
            let schema = Arc::new(applied.spec.schema.clone());
            match self.loops.get_mut(out.loop_id) {
                Some(state) => {
                    if state.spec.schema.hash() != schema.hash() {
                        out.drafts.extend(state.open.seal(out.loop_id, self.partition));
                        state.open = Open::new(schema);
                    }
                    state.spec = applied.spec.clone();
                }
                None => {
                    let state = LoopState { spec: applied.spec.clone(), open: Open::new(schema) };
                    self.loops.insert(out.loop_id.clone(), state);
                }
            }
        }
        out.clean.push(CleanItem::Mark(mark.clone()));
    }

    fn item(&mut self, item: &SampleItem, now: Timestamp, out: &mut Outcome<'_>) {
        match item {
            SampleItem::Mark(mark) => return self.mark(mark, out),
            SampleItem::Refused(refused) => {
                return out.refuse(Quarantined {
                    prediction_id: None,
                    payload: refused.payload.clone(),
                    reasons: refused.reasons.clone(),
                    labelled: false,
                });
            }
            SampleItem::Expired { prediction_id, .. } => {
                return out.clean.push(CleanItem::Expired { prediction_id: prediction_id.clone() });
            }
            SampleItem::Labelled { .. } | SampleItem::Observed(_) => {}
        }
        let (record, label, earlier) = match item {
            SampleItem::Labelled { record, label, earlier, .. } => (record, Some(label), earlier.as_slice()),
            SampleItem::Observed(record) => (record, None, [].as_slice()),
            _ => return,
        };
        // Ingest puts rows on the log only after the mark of the spec.
        let Some(state) = self.loops.get_mut(out.loop_id) else {
            let reason = "the row came before any spec of its loop".to_owned();
            return out.quarantine(record, label, vec![reason]);
        };
        let schema = &state.spec.schema;
        let row = check_row(schema, record);
        let Some(label) = label else {
            return match row {
                Ok(row) => out.clean.push(CleanItem::Observed(row)),
                Err(reasons) => out.quarantine(record, None, reasons),
            };
        };
        let row = match (row, check_label(schema, label)) {
            (Ok(row), Ok(label)) => CleanRow { label: Some(label), ..row },
            (row, checked) => {
                let mut reasons = row.err().unwrap_or_default();
                reasons.extend(checked.err());
                return out.quarantine(record, Some(label), reasons);
            }
        };
        // The row teaches already if one of the labels that this one corrects was good. Then it is mended where that is
        // still possible, and never there twice; the windows of the monitor keep what they measured.
        if earlier.iter().any(|label| check_label(schema, label).is_ok()) {
            if !state.open.correct(row) {
                let reason = "the row was sealed into a segment before its label was corrected: datasets keep the label \
                              that they were made with";
                out.quarantine(record, Some(label), vec![reason.to_owned()]);
            }
            return;
        }
        out.clean.push(CleanItem::Labelled(row.clone()));
        state.open.push(row, now);
        if state.open.is_ripe(state.spec.segment_rows(), now) {
            out.drafts.extend(state.open.seal(out.loop_id, self.partition));
        }
    }
}

impl Core for Validate {
    type Job = NoJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        let Event::Sample(items) = &input.event else { return Vec::new() };
        if input.sequence <= self.last {
            return Vec::new();
        }
        self.last = input.sequence;
        let now = self.now.advance(input.time);
        let loop_id = &input.subject.loop_id;
        let mut out = Outcome { loop_id, partition: self.partition, clean: vec![], drafts: vec![] };
        for item in items {
            self.item(item, now, &mut out);
        }
        if let Some(state) = self.loops.get_mut(loop_id)
            && state.open.is_ripe(state.spec.segment_rows(), now)
        {
            out.drafts.extend(state.open.seal(loop_id, self.partition));
        }
        let Outcome { clean, mut drafts, .. } = out;
        if !clean.is_empty() {
            let to = Subject::new(loop_id.clone(), Topic::Clean(self.partition));
            drafts.insert(0, Draft::new(to, Event::Clean(clean)));
        }
        drafts
    }

    fn save(&self) -> Option<Vec<u8>> {
        snapshot::save(self)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        let state: Self = snapshot::load(bytes)?;
        if state.partition != self.partition {
            return Err(BadSnapshot::OtherSetup);
        }
        *self = state;
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests/corrected.rs"]
mod tests;

//! What becomes of one prediction, one label or one deadline of a loop, given what is remembered of its id.
//!
//! An id goes from pending to labelled or expired, and is forgotten a horizon after it was first seen, or after it expired.
//! A label that comes between is late, and taken all the same; a label that contradicts the one that stands corrects it or
//! is overruled, as the loop wants it. What comes later than twice the horizon cannot be told from new.

use tidemill_domain::spec::Corrections;
use tidemill_domain::{Label, LoopId, LoopSpec, PredictionId, PredictionRecord};
use tidemill_events::intake::{IntakeItem, Refused};
use tidemill_events::sample::SampleItem;

use crate::memory::{Due, Known, Memory};
use crate::state::{Head, Tally};

/// A label is corrected so often at most; further ones are overruled.
const MAX_CORRECTIONS: usize = 8;

/// One loop, and what is remembered.
pub(crate) struct Labels<'a, M> {
    pub(crate) memory: &'a mut M,
    pub(crate) head: &'a mut Head,
    pub(crate) loop_id: &'a LoopId,
    pub(crate) spec: &'a LoopSpec,
    pub(crate) out: &'a mut Vec<SampleItem>,
}

impl<M: Memory> Labels<'_, M> {
    pub(crate) fn prediction(&mut self, record: &PredictionRecord) -> Result<(), M::Error> {
        let id = &record.prediction_id;
        match self.memory.get(self.loop_id, id)? {
            None => {
                self.out.push(SampleItem::Observed(record.clone()));
                self.memory.set(self.loop_id, id, Known::Pending(Box::new(record.clone())))?;
                self.tally().pending += 1;
                self.remember(id);
            }
            Some(Known::Early(label)) => {
                self.out.push(SampleItem::Observed(record.clone()));
                self.tally().matured += 1;
                self.labelled(Box::new(record.clone()), label, Vec::new(), false)?;
            }
            Some(Known::Pending(_) | Known::Labelled { .. } | Known::Expired(_)) => {
                self.tally().duplicate_predictions += 1;
            }
        }
        Ok(())
    }

    pub(crate) fn label(&mut self, label: &Label) -> Result<(), M::Error> {
        let id = &label.prediction_id;
        match self.memory.get(self.loop_id, id)? {
            None => {
                self.memory.set(self.loop_id, id, Known::Early(label.clone()))?;
                self.remember(id);
            }
            Some(Known::Pending(record)) => {
                let tally = self.tally();
                tally.pending = tally.pending.saturating_sub(1);
                tally.matured += 1;
                self.labelled(record, label.clone(), Vec::new(), false)?;
            }
            Some(Known::Expired(record)) => {
                self.tally().late += 1;
                self.labelled(record, label.clone(), Vec::new(), true)?;
            }
            // Nobody saw the earlier one yet.
            Some(Known::Early(standing)) => {
                if self.corrects(label, &standing, 0) {
                    self.memory.set(self.loop_id, id, Known::Early(label.clone()))?;
                }
            }
            Some(Known::Labelled { record, label: standing, mut earlier, late }) => {
                if self.corrects(label, &standing, earlier.len()) {
                    earlier.push(standing);
                    self.labelled(record, label.clone(), earlier, late)?;
                }
            }
        }
        Ok(())
    }

    /// Closes what is due about an id.
    pub(crate) fn due(&mut self, id: &PredictionId) -> Result<(), M::Error> {
        match self.memory.get(self.loop_id, id)? {
            Some(Known::Pending(record)) => {
                let tally = self.tally();
                tally.pending = tally.pending.saturating_sub(1);
                tally.expired += 1;
                self.out.push(SampleItem::Expired { prediction_id: id.clone(), time: record.time });
                self.memory.set(self.loop_id, id, Known::Expired(record))?;
                self.note(id);
            }
            Some(Known::Early(label)) => {
                let item = IntakeItem::Label(label);
                let reason = "no prediction with this id came within labels.horizon";
                self.out.push(refuse(&item, reason.to_owned()));
                self.forget(id);
            }
            Some(Known::Labelled { .. } | Known::Expired(_)) => self.forget(id),
            None => {}
        }
        Ok(())
    }

    fn labelled(
        &mut self,
        record: Box<PredictionRecord>,
        label: Label,
        earlier: Vec<Label>,
        late: bool,
    ) -> Result<(), M::Error> {
        let id = record.prediction_id.clone();
        self.out.push(SampleItem::Labelled {
            record: PredictionRecord::clone(&record),
            label: label.clone(),
            late,
            earlier: earlier.clone(),
        });
        self.memory.set(self.loop_id, &id, Known::Labelled { record, label, earlier, late })
    }

    /// Whether a label takes the place of the one that stands; counts what it is. A source that sends its labels again, in
    /// whatever order, changes nothing: the times that it gives them decide.
    fn corrects(&mut self, label: &Label, standing: &Label, n_before: usize) -> bool {
        let policy = self.spec.labels.corrections;
        let tally = self.tally();
        if label.label == standing.label {
            tally.duplicate_labels += 1;
            return false;
        }
        let corrects =
            policy == Corrections::Latest && label.time >= standing.time && n_before < MAX_CORRECTIONS;
        if corrects {
            tally.corrected += 1;
        } else {
            tally.overruled += 1;
        }
        corrects
    }

    fn remember(&mut self, id: &PredictionId) {
        self.head.remembered += 1;
        self.note(id);
    }

    fn forget(&mut self, id: &PredictionId) {
        self.head.remembered = self.head.remembered.saturating_sub(1);
        self.memory.forget(self.loop_id, id);
    }

    /// Something about the id is due when a horizon is over.
    fn note(&mut self, id: &PredictionId) {
        self.head.noted += 1;
        let due = Due { at: self.head.now + self.spec.labels.horizon, nth: self.head.noted };
        self.memory.note(due, self.loop_id, id);
    }

    fn tally(&mut self) -> &mut Tally {
        self.head.tally(self.loop_id)
    }
}

/// What is said of an item that cannot be taken.
pub(crate) fn refuse(item: &IntakeItem, reason: String) -> SampleItem {
    let payload = match item {
        IntakeItem::Label(label) => serde_json::to_string(label),
        IntakeItem::Prediction(record) => serde_json::to_string(record),
        IntakeItem::Unreadable(refused) => Ok(refused.payload.clone()),
    };
    SampleItem::Refused(Refused { payload: payload.unwrap_or_default(), reasons: vec![reason] })
}

#[cfg(test)]
#[path = "tests/labels.rs"]
mod tests;

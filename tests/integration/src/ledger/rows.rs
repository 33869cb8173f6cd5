//! What became of every prediction: exactly one of labelled, expired, pending, quarantined, or lost on the way to the log.

use std::collections::BTreeMap;
use std::fmt;

use tidemill_domain::{CleanRow, LoopId, PredictionId};
use tidemill_events::dataset::SegmentSealed;
use tidemill_events::intake::IntakeItem;
use tidemill_events::sample::{CleanItem, SampleItem};
use tidemill_events::{Event, Recorded};

use super::SHOWN;

/// How often a prediction was seen at each stage of its way.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    expected: bool,
    sent: u8,
    label: u8,
    observed: u8,
    labelled: u8,
    expired: u8,
    accepted: u8,
    quarantined: u8,
    taught: u8,
    refused: u8,
    sealed: u8,
}

/// Predictions by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Those on the intake, and those that are expected there.
    pub sent: usize,
    /// Accepted with their labels.
    pub labelled: usize,
    /// Without a label within the horizon.
    pub expired: usize,
    /// Accepted, their labels still awaited.
    pub pending: usize,
    /// Refused with reasons.
    pub quarantined: usize,
    /// Taken from their producer, and not on the log.
    pub lost: usize,
    /// On the intake, and not read yet.
    pub unread: usize,
    /// Labelled rows that a segment holds.
    pub sealed: usize,
    /// How many messages said what another had said already.
    pub repeated: usize,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, labelled, expired, pending, quarantined, lost, unread, sealed, repeated } = self;
        write!(
            f,
            "{sent} sent: {labelled} labelled ({sealed} sealed), {expired} expired, {pending} pending, {quarantined} \
             quarantined, {lost} lost, {unread} unread; {repeated} repeated"
        )
    }
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    seen: BTreeMap<LoopId, BTreeMap<PredictionId, Seen>>,
    segment_rows: BTreeMap<LoopId, u64>,
    refused: u64,
    refused_quarantined: u64,
    wrong: Vec<String>,
}

impl Rows {
    pub(super) fn expect(&mut self, loop_id: &LoopId, ids: impl IntoIterator<Item = PredictionId>) {
        let rows = self.seen.entry(loop_id.clone()).or_default();
        for id in ids {
            rows.entry(id).or_default().expected = true;
        }
    }

    pub(super) fn fold(&mut self, recorded: &Recorded) {
        let loop_id = &recorded.subject.loop_id;
        let rows = self.seen.entry(loop_id.clone()).or_default();
        let mut at = |id: &PredictionId, count: fn(&mut Seen) -> &mut u8| {
            let count = count(rows.entry(id.clone()).or_default());
            *count = count.saturating_add(1);
        };
        match &recorded.event {
            Event::Intake(batch) => {
                for item in &batch.items {
                    match item {
                        IntakeItem::Prediction(record) => at(&record.prediction_id, |s| &mut s.sent),
                        IntakeItem::Label(label) => at(&label.prediction_id, |s| &mut s.label),
                        IntakeItem::Unreadable(_) => {}
                    }
                }
            }
            Event::Sample(items) => {
                for item in items {
                    match item {
                        SampleItem::Observed(record) => at(&record.prediction_id, |s| &mut s.observed),
                        SampleItem::Labelled { record, .. } => at(&record.prediction_id, |s| &mut s.labelled),
                        SampleItem::Expired { prediction_id, .. } => at(prediction_id, |s| &mut s.expired),
                        SampleItem::Refused(_) => self.refused += 1,
                        SampleItem::Mark(_) => {}
                    }
                }
            }
            Event::Clean(items) => {
                for item in items {
                    match item {
                        CleanItem::Observed(row) => at(&row.prediction_id, |s| &mut s.accepted),
                        CleanItem::Labelled(row) => at(&row.prediction_id, |s| &mut s.taught),
                        CleanItem::Expired { .. } | CleanItem::Mark(_) => {}
                    }
                }
            }
            Event::Quarantined(row) => match &row.prediction_id {
                Some(id) if row.labelled => at(id, |s| &mut s.refused),
                Some(id) => at(id, |s| &mut s.quarantined),
                None => self.refused_quarantined += 1,
            },
            Event::Spec(applied) => {
                self.segment_rows.insert(loop_id.clone(), applied.spec.segment_rows());
            }
            _ => {}
        }
    }

    pub(super) fn sealed(&mut self, loop_id: &LoopId, segment: &SegmentSealed, rows: &[CleanRow]) {
        if rows.len() as u64 != segment.segment.rows {
            let (hash, says) = (&segment.segment.hash, segment.segment.rows);
            self.wrong.push(format!("segment {hash} holds {} rows and says {says}", rows.len()));
        }
        let seen = self.seen.entry(loop_id.clone()).or_default();
        for row in rows {
            let seen = seen.entry(row.prediction_id.clone()).or_default();
            seen.sealed = seen.sealed.saturating_add(1);
        }
    }

    pub(super) fn has(&self, loop_id: &LoopId, id: &PredictionId) -> bool {
        self.seen.get(loop_id).and_then(|rows| rows.get(id)).is_some_and(|seen| seen.sent > 0)
    }

    pub(super) fn account(&self) -> Account {
        let mut account = Account::default();
        for seen in self.seen.values().flat_map(BTreeMap::values) {
            // A label alone is no prediction.
            if seen.sent == 0 && !seen.expected {
                continue;
            }
            account.sent += 1;
            account.sealed += usize::from(seen.sealed > 0);
            account.repeated += usize::from(seen.sent.saturating_sub(1));
            *match seen {
                Seen { sent: 0, .. } => &mut account.lost,
                Seen { observed: 0, .. } => &mut account.unread,
                Seen { taught: 1.., .. } => &mut account.labelled,
                Seen { refused: 1.., .. } | Seen { quarantined: 1.., .. } => &mut account.quarantined,
                Seen { expired: 1.., .. } => &mut account.expired,
                _ => &mut account.pending,
            } += 1;
        }
        account
    }

    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (loop_id, rows) in &self.seen {
            let mut unsealed = 0;
            for (id, s) in rows {
                let reason = if s.expected && s.sent == 0 {
                    "was sent and is not on the intake"
                } else if s.sent > 0 && s.observed == 0 {
                    "is on the intake and was not observed"
                } else if s.accepted + s.quarantined < s.observed {
                    "was observed, and neither accepted nor quarantined"
                } else if s.label > 0 && s.sent > 0 && s.labelled + s.expired == 0 {
                    "has a label that led to nothing"
                } else if s.taught + s.refused < s.labelled {
                    "was labelled, and neither accepted nor quarantined"
                } else {
                    unsealed += u64::from(s.taught > 0 && s.sealed == 0);
                    continue;
                };
                if missing.len() < SHOWN {
                    missing.push(format!("{loop_id}: {id} {reason}"));
                }
            }
            let full = self.segment_rows.get(loop_id).copied().unwrap_or(1);
            if unsealed >= full {
                missing
                    .push(format!("{loop_id}: {unsealed} rows are in no segment, which is full with {full}"));
            }
        }
        if self.refused_quarantined < self.refused {
            missing
                .push(format!("{} of {} refusals are quarantined", self.refused_quarantined, self.refused));
        }
        missing
    }

    pub(super) fn wrong(&self) -> Vec<String> {
        let mut wrong = self.wrong.clone();
        for (loop_id, rows) in &self.seen {
            for (id, s) in rows {
                let stages = [
                    (s.observed, "observed"),
                    (s.labelled + s.expired, "labelled or expired"),
                    (s.accepted + s.quarantined, "accepted or quarantined"),
                    (s.taught + s.refused, "accepted or quarantined with its label"),
                    (s.sealed, "in a segment"),
                ];
                let twice = stages.into_iter().filter(|(n, _)| *n > 1);
                wrong.extend(twice.map(|(n, what)| format!("{loop_id}: {id} is {n} times {what}")));
                let order = [
                    (s.accepted + s.quarantined > s.observed, "was judged and never observed"),
                    (s.taught + s.refused > s.labelled, "was judged with a label and never labelled"),
                    (s.sealed > s.taught, "is in a segment and was never accepted with a label"),
                ];
                wrong.extend(order.iter().filter(|o| o.0).map(|o| format!("{loop_id}: {id} {}", o.1)));
                if wrong.len() >= SHOWN {
                    return wrong;
                }
            }
        }
        if self.refused_quarantined > self.refused {
            wrong.push(format!("{} refusals, {} quarantined", self.refused, self.refused_quarantined));
        }
        wrong
    }
}

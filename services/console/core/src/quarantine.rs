//! Refused rows, as the validator writes them: the newest of a deployment, and counts by reason of all that were seen.
//!
//! They are not on the log of a loop but among the samples, so a shell feeds this fold from another stream.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use tidemill_domain::{LoopId, Timestamp};
use tidemill_events::sample::Quarantined;
use tidemill_events::{Event, Recorded, Topic};

/// Rows that are kept, over all loops.
const MAX_ROWS: usize = 10_000;
/// Kinds of reasons that are counted by name, for each loop.
const MAX_KINDS: usize = 200;
/// Characters of a kind.
const MAX_KIND: usize = 120;
/// The kind that counts what has no name of its own any more.
const OTHER: &str = "(other reasons)";

/// A refused row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantineRecord {
    /// Its place among the samples.
    pub sequence: u64,
    /// When it was refused.
    pub time: Timestamp,
    /// The partition.
    pub partition: u16,
    /// The row and the reasons.
    #[serde(flatten)]
    pub row: Quarantined,
}

/// What is known of the refused rows of a loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantineAnswer {
    /// The newest, newest first.
    pub rows: Vec<QuarantineRecord>,
    /// How many are on the stream, or were as long as this console watches.
    pub total: u64,
    /// How many of them are no longer here.
    pub gone: u64,
    /// Reasons with what differs from row to row left out, and how often each was given.
    pub kinds: BTreeMap<String, u64>,
}

/// The refused rows of all loops.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quarantine {
    last: u64,
    rows: VecDeque<(LoopId, QuarantineRecord)>,
    loops: BTreeMap<LoopId, Tally>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Tally {
    total: u64,
    kinds: BTreeMap<String, u64>,
}

impl Quarantine {
    /// A fold that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event of the samples; other events than refused rows change nothing but the place.
    pub fn fold(&mut self, input: &Recorded) {
        if input.sequence <= self.last {
            return;
        }
        self.last = input.sequence;
        let (Event::Quarantined(row), Topic::Quarantine(partition)) = (&input.event, input.subject.topic)
        else {
            return;
        };
        let loop_id = &input.subject.loop_id;
        let tally = self.loops.entry(loop_id.clone()).or_default();
        tally.total += 1;
        for reason in &row.reasons {
            tally.count(kind(reason));
        }
        let record = QuarantineRecord {
            sequence: input.sequence,
            time: input.time,
            partition: partition.0,
            row: row.clone(),
        };
        self.rows.push_back((loop_id.clone(), record));
        if self.rows.len() > MAX_ROWS {
            self.rows.pop_front();
        }
    }

    /// The refused rows of a loop.
    #[must_use]
    pub fn of(&self, loop_id: &LoopId, limit: usize) -> QuarantineAnswer {
        let mine = || self.rows.iter().rev().filter(|(id, _)| id == loop_id).map(|(_, row)| row);
        let tally = self.loops.get(loop_id).cloned().unwrap_or_default();
        let kept = mine().count() as u64;
        let rows = mine().take(limit).cloned().collect();
        QuarantineAnswer {
            rows,
            total: tally.total,
            gone: tally.total.saturating_sub(kept),
            kinds: tally.kinds,
        }
    }

    /// One refused row, by its place among the samples or by its prediction.
    #[must_use]
    pub fn find(&self, loop_id: &LoopId, name: &str) -> Option<QuarantineRecord> {
        let mut mine = self.rows.iter().rev().filter(|(id, _)| id == loop_id).map(|(_, row)| row);
        let sequence: Option<u64> = name.parse().ok();
        let is_it = |r: &&QuarantineRecord| {
            Some(r.sequence) == sequence || r.row.prediction_id.as_ref().is_some_and(|id| id.as_str() == name)
        };
        mine.find(is_it).cloned()
    }
}

impl Tally {
    fn count(&mut self, kind: String) {
        let room = self.kinds.len() < MAX_KINDS || self.kinds.contains_key(&kind);
        *self.kinds.entry(if room { kind } else { OTHER.to_owned() }).or_default() += 1;
    }
}

/// A reason without the value of the row: `"price" is -3, a number of at least 0 is expected` and the same with -4 are one kind.
fn kind(reason: &str) -> String {
    let kind = reason.split_once(" is ").and_then(|(head, rest)| {
        let rest =
            rest.strip_prefix("the number ").or_else(|| rest.strip_prefix("the text ")).unwrap_or(rest);
        let after = match rest.strip_prefix('"') {
            Some(text) => text.split_once('"')?.1.trim_start_matches("..."),
            None if rest.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                rest.split_once([',', ';']).map_or("", |(value, _)| &rest[value.len()..])
            }
            None => return None,
        };
        Some(format!("{head} is …{after}"))
    });
    kind.as_deref().unwrap_or(reason).chars().take(MAX_KIND).collect()
}

#[cfg(test)]
mod tests {
    use tidemill_domain::EventId;
    use tidemill_events::envelope::Meta;
    use tidemill_events::{Partition, Subject};

    use super::*;

    #[test]
    fn reasons_that_differ_in_the_value_are_one_kind() {
        for (reason, expected) in [
            (
                "\"price\" is -3.5, a number of at least 0 is expected",
                "\"price\" is …, a number of at least 0 is expected",
            ),
            ("\"day\" is \"a, b\", one of 1, 2 is expected", "\"day\" is …, one of 1, 2 is expected"),
            ("x: it is the text \"abc\"; a number is expected", "x: it is …; a number is expected"),
            (
                "\"price\" is missing, but the schema requires it",
                "\"price\" is missing, but the schema requires it",
            ),
            ("nothing to see", "nothing to see"),
        ] {
            assert_eq!(kind(reason), expected);
        }
    }

    fn row(loop_id: &LoopId, sequence: u64, reason: &str) -> Recorded {
        let id = tidemill_domain::PredictionId::new(format!("p{sequence}"));
        let row = Quarantined {
            prediction_id: Some(id),
            payload: "{}".into(),
            reasons: vec![reason.into()],
            labelled: false,
        };
        Recorded {
            sequence,
            time: Timestamp(0),
            subject: Subject::new(loop_id.clone(), Topic::Quarantine(Partition(0))),
            meta: Meta {
                id: EventId::new(sequence.to_string()),
                source: "validator-0".into(),
                causation: None,
                correlation: None,
                upto: None,
            },
            event: Event::Quarantined(row),
        }
    }

    #[test]
    fn the_newest_rows_are_kept_and_all_are_counted() {
        let [a, b] = ["a", "b"].map(|name| LoopId::new(name).unwrap_or_else(|e| unreachable!("{e}")));
        let mut quarantine = Quarantine::new();
        for sequence in 1..=10_010 {
            quarantine.fold(&row(
                if sequence <= 20 { &a } else { &b },
                sequence,
                "\"x\" is 1, less is expected",
            ));
        }
        quarantine.fold(&row(&b, 7, "seen already"));
        let (of_a, of_b) = (quarantine.of(&a, 3), quarantine.of(&b, 3));
        assert_eq!((of_a.total, of_a.gone, of_a.rows.len()), (20, 10, 3));
        assert_eq!((of_b.total, of_b.gone, of_b.rows[0].sequence), (9_990, 0, 10_010));
        assert_eq!(of_a.kinds, BTreeMap::from([("\"x\" is …, less is expected".to_owned(), 20)]));
        assert_eq!(quarantine.find(&a, "p15").map(|r| r.sequence), Some(15));
        assert_eq!(quarantine.find(&a, "16").map(|r| r.sequence), Some(16));
        assert_eq!(quarantine.find(&a, "p5"), None);
    }
}

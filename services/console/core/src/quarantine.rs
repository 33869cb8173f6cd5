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
        let (Event::Quarantined(row), Topic::Quarantine(partition)) = (&input.event, input.subject.topic) else { return };
        let loop_id = &input.subject.loop_id;
        let tally = self.loops.entry(loop_id.clone()).or_default();
        tally.total += 1;
        for reason in &row.reasons {
            tally.count(kind(reason));
        }
        let record =
            QuarantineRecord { sequence: input.sequence, time: input.time, partition: partition.0, row: row.clone() };
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
        QuarantineAnswer { rows, total: tally.total, gone: tally.total.saturating_sub(kept), kinds: tally.kinds }
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

/// A reason without what differs from row to row: values in the words of an error message, and numbers.
fn kind(reason: &str) -> String {
    let mut out = String::new();
    let mut words = reason.split(' ').peekable();
    while let Some(word) = words.next() {
        let is_number = |w: &str| w.trim_matches(|c: char| !c.is_ascii_digit() && c != '-').parse::<f64>().is_ok();
        let shown = match word {
            // A name in quotes stays where it names a column, and goes where it is what was sent.
            "text" | "number" if words.peek().is_some() => {
                skip_value(&mut words);
                format!("{word} …")
            }
            number if is_number(number) => "…".to_owned(),
            other => other.to_owned(),
        };
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&shown);
    }
    out.chars().take(MAX_KIND).collect()
}

/// Passes over a value, which in quotes may hold spaces.
fn skip_value<'a>(words: &mut impl Iterator<Item = &'a str>) {
    let Some(first) = words.next() else { return };
    let ends = |w: &str| w.trim_end_matches([',', ';', '.', ')']).ends_with('"');
    if first.starts_with('"') && (first.len() == 1 || !ends(first)) {
        words.find(|w| ends(w));
    }
}

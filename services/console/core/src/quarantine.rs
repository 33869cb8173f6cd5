//! Refused rows, as the validator writes them, and how their reasons are counted.
//!
//! They are not on the log of a loop but among the samples. They are many, so this crate keeps none of them: the SQL view does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::{LoopId, Timestamp};
use tidemill_events::sample::Quarantined;
use tidemill_events::{Event, Recorded, Topic};

use crate::answers::Since;

/// Characters of a kind.
const MAX_KIND: usize = 120;

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
    /// How many are on the stream, or were since the view was built.
    pub total: u64,
    /// How many of them the stream no longer keeps.
    pub gone: u64,
    /// Where the next page begins; none after the last.
    #[serde(default)]
    pub next: Option<String>,
    /// Where the answer begins on the stream, if what is older was gone already when it was read.
    #[serde(default)]
    pub since: Option<Since>,
    /// Reasons with what differs from row to row left out, and how often each was given.
    pub kinds: BTreeMap<String, u64>,
}

impl QuarantineRecord {
    /// The record of a refused row, and its loop; none of other events.
    #[must_use]
    pub fn of(input: &Recorded) -> Option<(&LoopId, Self)> {
        let (Event::Quarantined(row), Topic::Quarantine(partition)) = (&input.event, input.subject.topic)
        else {
            return None;
        };
        let (sequence, time) = (input.sequence, input.time);
        Some((&input.subject.loop_id, Self { sequence, time, partition: partition.0, row: row.clone() }))
    }
}

/// A reason without the value of the row: `"price" is -3, a number of at least 0 is expected` and the same with -4 are one kind.
#[must_use]
pub fn reason_kind(reason: &str) -> String {
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
            assert_eq!(reason_kind(reason), expected);
        }
    }
}

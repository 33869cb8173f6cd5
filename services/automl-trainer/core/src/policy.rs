//! Whether what asks for a turn gets one.

use std::fmt;

use tidemill_domain::spec::AlertKind;
use tidemill_domain::{LoopSpec, Timestamp};

/// How people hold a loop, so that no turn begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Frozen,
    Paused,
    Pinned,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frozen => "frozen",
            Self::Paused => "paused",
            Self::Pinned => "pinned to a model",
        })
    }
}

/// What the policy looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// Whether a turn searches or awaits its verdict.
    pub under_way: bool,
    /// What people hold the loop with.
    pub held: Option<Held>,
    /// When the last turn began.
    pub last_turn: Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
    /// Whether there are rows enough to learn, choose and judge.
    pub enough_rows: bool,
}

/// Why no turn begins now; `None` if one may.
///
/// A person who asks need not wait for the cool-down, but for everything else.
pub(crate) fn objection(spec: &LoopSpec, by_hand: bool, s: Situation) -> Option<String> {
    if let Some(held) = s.held {
        return Some(format!("the loop is {held}"));
    }
    if s.under_way {
        return Some("a turn is under way".to_owned());
    }
    if !s.enough_rows {
        return Some("there are too few labelled rows to learn from and to be judged on".to_owned());
    }
    let cooling = s.last_turn.filter(|at| !by_hand && s.now - *at < spec.training.cooldown);
    cooling.map(|at| {
        format!("the last turn began {} ago, training.cooldown is {}", s.now - at, spec.training.cooldown)
    })
}

/// Whether an alert of this kind is meant to start turns.
pub(crate) fn listens_to(spec: &LoopSpec, alert: AlertKind) -> bool {
    spec.triggers.on.contains(&alert)
}

/// Whether enough rows were labelled since the last turn.
pub(crate) fn enough_new(spec: &LoopSpec, rows: u64) -> bool {
    spec.triggers.new_labels.is_some_and(|wanted| rows >= wanted)
}

/// When the schedule asks for the next turn.
pub(crate) fn next_scheduled(
    spec: &LoopSpec,
    last: Option<Timestamp>,
    since: Timestamp,
) -> Option<Timestamp> {
    spec.triggers.every.map(|every| last.unwrap_or(since) + every)
}

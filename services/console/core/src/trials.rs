//! Which trials of a loop are asked for, and in which order.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use tidemill_domain::{Algorithm, LoopId, TurnId};

use crate::answers::Page;
use crate::record::TrialRecord;
use crate::refused::Refused;
use crate::turns::Turns;

/// The order of trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The dearest first, by processor time.
    Cost,
    /// The newest first.
    #[default]
    Newest,
    /// The best first; trials without a score come last. Scores compare within a turn: each has its own rows.
    Score,
}

/// Which trials are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialFilter {
    /// Only of this turn: its name or its number.
    #[serde(default)]
    pub turn: Option<String>,
    /// Only of this family of learners.
    #[serde(default)]
    pub algorithm: Option<Algorithm>,
    /// In this order.
    #[serde(default)]
    pub sort: Sort,
    /// At most so many.
    #[serde(default = "TrialFilter::default_limit")]
    pub limit: usize,
}

impl Default for TrialFilter {
    fn default() -> Self {
        Self { turn: None, algorithm: None, sort: Sort::default(), limit: Self::default_limit() }
    }
}

impl TrialFilter {
    fn default_limit() -> usize {
        100
    }

    pub(crate) fn apply(&self, loop_id: &LoopId, turns: &Turns) -> Result<Page<TrialRecord>, Refused> {
        let turn = match &self.turn {
            Some(text) => {
                let id = turn_id(loop_id, text);
                turns.get(&id).ok_or_else(|| {
                    Refused::not_found(format!("there is no turn \"{text}\""), known(turns))
                })?;
                Some(id)
            }
            None => None,
        };
        let gone = turn.as_ref().and_then(|id| turns.get(id)).map_or(turns.trials_gone, |t| t.trials_gone);
        let chosen = turns.iter().rev().filter(|t| turn.as_ref().is_none_or(|id| &t.id == id));
        let trials = chosen.flat_map(|t| t.trials.iter().rev());
        let mut trials: Vec<&TrialRecord> =
            trials.filter(|t| self.algorithm.is_none_or(|wanted| t.algorithm == wanted)).collect();
        match self.sort {
            Sort::Newest => {}
            Sort::Score => trials.sort_by(|a, b| by_score(a, b)),
            Sort::Cost => trials.sort_by(|a, b| cost(b).total_cmp(&cost(a))),
        }
        Ok(Page::of(trials.into_iter().cloned(), self.limit, gone))
    }
}

fn turn_id(loop_id: &LoopId, text: &str) -> TurnId {
    match text.parse::<u64>() {
        Ok(number) => TurnId::new(format!("{loop_id}-{number}")),
        Err(_) => TurnId::new(text),
    }
}

fn known(turns: &Turns) -> String {
    match (turns.iter().next(), turns.iter().next_back()) {
        (Some(first), Some(last)) if first.id != last.id => format!("there is {} to {}", first.id, last.id),
        (Some(only), _) => format!("there is {}", only.id),
        (None, _) => "no turn began yet".to_owned(),
    }
}

fn by_score(a: &TrialRecord, b: &TrialRecord) -> Ordering {
    match (a.score, b.score) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

fn cost(trial: &TrialRecord) -> f64 {
    trial.measured.as_ref().map_or(0.0, |m| m.cpu_seconds)
}

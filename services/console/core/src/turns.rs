//! The turns of a loop: each keeps all that led to it and came of it, so that one record explains a model.
//!
//! The oldest turns go first, but never those whose models may get traffic: a live model can always be explained (INV-4).

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use tidemill_domain::{ModelVersion, Timestamp, TrialId, TurnId};
use tidemill_events::training::{Purpose, TriggerCause, TurnOutcome};
use tidemill_events::verdict::GateOutcome;

use crate::answers::Held;
use crate::newest::Newest;
use crate::record::{
    AlertRecord, At, CandidateRecord, RolloutRecord, SpecRecord, TrialRecord, TrialState, TriggerRecord,
    VerdictRecord,
};

/// Turns that are kept.
const MAX_TURNS: usize = 200;
/// Trials that are kept, over all turns.
const MAX_TRIALS: usize = 2_000;
/// Steps of rollouts that are kept with a turn.
const MAX_STEPS: usize = 200;

/// How far a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It ended.
    Closed,
    /// Its candidate awaits the verdict.
    Judged,
    /// Its candidate is on the way to traffic.
    Rolling,
    /// Trials run.
    Searching,
}

/// How many trials of a turn are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCounts {
    /// Trials that were planned, whatever became of them.
    pub planned: u64,
    /// Of these, those that gave a result.
    pub finished: u64,
    /// Of these, those that failed.
    pub failed: u64,
}

/// A turn in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnSummary {
    /// The turn.
    pub turn: TurnId,
    /// When it began; none if its trigger is not on the log.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What asked for it.
    pub cause: Option<TriggerCause>,
    /// How far it is.
    pub stage: Stage,
    /// How it ended.
    pub outcome: Option<TurnOutcome>,
    /// Its trials.
    pub trials: TrialCounts,
    /// The least mean loss of its trials.
    pub best_score: Option<f64>,
    /// The model that it proposed.
    pub candidate: Option<ModelVersion>,
    /// The verdict on it.
    pub verdict: Option<GateOutcome>,
}

/// All that is known of a turn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) id: TurnId,
    pub(crate) trigger: Option<TriggerRecord>,
    pub(crate) closed: Option<(At, TurnOutcome)>,
    pub(crate) alert: Option<AlertRecord>,
    pub(crate) dataset: Option<Held>,
    pub(crate) spec: Option<SpecRecord>,
    pub(crate) trials: Vec<TrialRecord>,
    /// The trials by state, also of those that were let go.
    pub(crate) counts: TrialCounts,
    pub(crate) trials_gone: u64,
    pub(crate) candidate: Option<CandidateRecord>,
    pub(crate) verdict: Option<VerdictRecord>,
    pub(crate) steps: Newest<RolloutRecord>,
}

impl Turn {
    fn new(id: TurnId) -> Self {
        Self {
            id,
            trigger: None,
            closed: None,
            alert: None,
            dataset: None,
            spec: None,
            trials: Vec::new(),
            counts: TrialCounts::default(),
            trials_gone: 0,
            candidate: None,
            verdict: None,
            steps: Newest::new(MAX_STEPS),
        }
    }

    pub(crate) fn cause(&self) -> Option<&TriggerCause> {
        use tidemill_events::training::Trigger;
        match &self.trigger.as_ref()?.trigger {
            Trigger::Accepted { cause, .. } | Trigger::Declined { cause, .. } => Some(cause),
            Trigger::Closed { .. } => None,
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        match (&self.closed, &self.candidate, &self.verdict) {
            (Some(_), _, _) => Stage::Closed,
            (None, _, Some(_)) => Stage::Rolling,
            (None, Some(_), None) => Stage::Judged,
            (None, None, None) => Stage::Searching,
        }
    }

    fn best_score(&self) -> Option<f64> {
        let scores = self.trials.iter().filter(|t| t.purpose == Purpose::Search).filter_map(|t| t.score);
        let won = self.candidate.iter().flat_map(|c| &c.won).map(|(_, score)| *score);
        scores.chain(won).reduce(f64::min)
    }

    pub(crate) fn summary(&self) -> TurnSummary {
        TurnSummary {
            turn: self.id.clone(),
            began: self.trigger.as_ref().map(|t| t.at.time),
            ended: self.closed.as_ref().map(|(at, _)| at.time),
            cause: self.cause().cloned(),
            stage: self.stage(),
            outcome: self.closed.as_ref().map(|(_, outcome)| *outcome),
            trials: self.counts,
            best_score: self.best_score(),
            candidate: self.candidate.as_ref().map(|c| c.version.clone()),
            verdict: self.verdict.as_ref().map(|v| v.outcome),
        }
    }
}

/// The turns of a loop, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Turns {
    list: VecDeque<Turn>,
    n_trials: usize,
    pub(crate) gone: u64,
    pub(crate) trials_gone: u64,
}

impl Turns {
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Turn> {
        self.list.iter()
    }

    pub(crate) fn get(&self, id: &TurnId) -> Option<&Turn> {
        self.list.iter().rev().find(|t| &t.id == id)
    }

    /// The turn, made where it is not known yet.
    pub(crate) fn at(&mut self, id: &TurnId) -> &mut Turn {
        let index = self.list.iter().rposition(|t| &t.id == id).unwrap_or_else(|| {
            self.list.push_back(Turn::new(id.clone()));
            self.list.len() - 1
        });
        &mut self.list[index]
    }

    /// The newest turn that proposed a model version.
    pub(crate) fn of_version(&self, version: &ModelVersion) -> Option<&Turn> {
        let proposed = |t: &&Turn| t.candidate.as_ref().is_some_and(|c| &c.version == version);
        self.list.iter().rev().find(proposed)
    }

    pub(crate) fn plan(&mut self, trial: TrialRecord) {
        let turn = self.at(&trial.turn.clone());
        if turn.trials.iter().any(|t| t.trial == trial.trial) {
            return;
        }
        turn.counts.planned += 1;
        turn.trials.push(trial);
        self.n_trials += 1;
    }

    pub(crate) fn end(
        &mut self,
        turn: &TurnId,
        trial: &TrialId,
        state: TrialState,
        change: impl FnOnce(&mut TrialRecord),
    ) {
        let turn = self.at(turn);
        let Some(known) =
            turn.trials.iter_mut().find(|t| &t.trial == trial && t.state == TrialState::Planned)
        else {
            return;
        };
        known.state = state;
        change(known);
        match state {
            TrialState::Failed => turn.counts.failed += 1,
            TrialState::Finished => turn.counts.finished += 1,
            TrialState::Planned => {}
        }
    }

    /// Lets the oldest go, but none of `pinned`: first their trials, then the turns.
    pub(crate) fn shed(&mut self, pinned: &BTreeSet<TurnId>) {
        while self.n_trials > MAX_TRIALS {
            let newest = self.list.len() - 1;
            let spare =
                |(i, t): &(usize, &Turn)| *i < newest && !t.trials.is_empty() && !pinned.contains(&t.id);
            // Where nothing else is left to give, the newest turn gives its oldest trials.
            let (index, n) = match self.list.iter().enumerate().find(spare) {
                Some((index, turn)) => (index, turn.trials.len()),
                None => (newest, 1),
            };
            let turn = &mut self.list[index];
            let n = turn.trials.drain(..n.min(turn.trials.len())).count();
            if n == 0 {
                break;
            }
            turn.trials_gone += n as u64;
            self.n_trials -= n;
            self.trials_gone += n as u64;
        }
        while self.list.len() > MAX_TURNS {
            let Some(index) = self.list.iter().position(|t| !pinned.contains(&t.id)) else { break };
            if let Some(turn) = self.list.remove(index) {
                self.n_trials -= turn.trials.len();
                self.trials_gone += turn.trials.len() as u64;
                self.gone += 1;
            }
        }
    }
}

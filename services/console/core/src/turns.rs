//! The turns of a loop: each keeps all that led to it and came of it, so that one record explains a model.
//!
//! The oldest turns go first, but never those whose models may get traffic: a live model can always be explained (INV-4).

use std::collections::{BTreeSet, VecDeque};

use tidemill_domain::{ModelVersion, TrialId, TurnId};

use crate::answers::Held;
use crate::newest::Newest;
use crate::record::{
    AlertRecord, CandidateRecord, RolloutRecord, SpecRecord, TrialRecord, TrialState, TriggerRecord,
    VerdictRecord,
};
use crate::summary::{Stage, TurnSummary};

/// Turns that are kept.
const MAX_TURNS: usize = 200;
/// Trials that are kept, over all turns.
const MAX_TRIALS: usize = 2_000;
/// Steps of rollouts that are kept with a turn.
const MAX_STEPS: usize = 200;

/// All that is known of a turn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) id: TurnId,
    /// In short, with the trials that were let go.
    pub(crate) summary: TurnSummary,
    pub(crate) trigger: Option<TriggerRecord>,
    pub(crate) alert: Option<AlertRecord>,
    pub(crate) dataset: Option<Held>,
    pub(crate) spec: Option<SpecRecord>,
    pub(crate) trials: Vec<TrialRecord>,
    pub(crate) trials_gone: u64,
    pub(crate) candidate: Option<CandidateRecord>,
    pub(crate) verdict: Option<VerdictRecord>,
    pub(crate) steps: Newest<RolloutRecord>,
}

impl Turn {
    pub(crate) fn new(id: TurnId) -> Self {
        Self {
            summary: TurnSummary::new(id.clone()),
            id,
            trigger: None,
            alert: None,
            dataset: None,
            spec: None,
            trials: Vec::new(),
            trials_gone: 0,
            candidate: None,
            verdict: None,
            steps: Newest::new(MAX_STEPS),
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.summary.stage
    }

    pub(crate) fn propose(&mut self, candidate: CandidateRecord) {
        self.summary.proposed(&candidate);
        self.candidate = Some(candidate);
    }

    pub(crate) fn judge(&mut self, verdict: VerdictRecord) {
        self.summary.judged(&verdict);
        self.verdict = Some(verdict);
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
        turn.summary.planned();
        turn.trials.push(trial);
        self.n_trials += 1;
    }

    /// Changes a trial that has not ended; one that has stays as it is.
    pub(crate) fn end(&mut self, turn: &TurnId, trial: &TrialId, change: impl FnOnce(&mut TrialRecord)) {
        let turn = self.at(turn);
        let open = |t: &&mut TrialRecord| &t.trial == trial && t.state == TrialState::Planned;
        if let Some(known) = turn.trials.iter_mut().find(open) {
            change(known);
            turn.summary.ended(known);
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

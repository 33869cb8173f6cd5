//! A turn in short, event by event. Memory and the SQL view keep it with the same steps.

use serde::{Deserialize, Serialize};
use tidemill_domain::{ModelVersion, Timestamp, TurnId};
use tidemill_events::training::{Purpose, Trigger, TriggerCause, TurnOutcome};
use tidemill_events::verdict::GateOutcome;

use crate::record::{CandidateRecord, TrialRecord, TrialState, TriggerRecord, VerdictRecord};

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

impl TurnSummary {
    /// A turn of which nothing is known yet.
    #[must_use]
    pub fn new(turn: TurnId) -> Self {
        Self {
            turn,
            began: None,
            ended: None,
            cause: None,
            stage: Stage::Searching,
            outcome: None,
            trials: TrialCounts::default(),
            best_score: None,
            candidate: None,
            verdict: None,
        }
    }

    /// A decision about it.
    pub fn decided(&mut self, record: &TriggerRecord) {
        match &record.trigger {
            Trigger::Accepted { cause, .. } => {
                self.began = Some(record.at.time);
                self.cause = Some(cause.clone());
            }
            Trigger::Closed { outcome, .. } => {
                self.ended = Some(record.at.time);
                self.outcome = Some(*outcome);
            }
            Trigger::Declined { .. } => {}
        }
        self.see_stage();
    }

    /// A trial was planned.
    pub fn planned(&mut self) {
        self.trials.planned += 1;
    }

    /// A trial that was planned has ended.
    pub fn ended(&mut self, trial: &TrialRecord) {
        match trial.state {
            TrialState::Failed => self.trials.failed += 1,
            TrialState::Finished => self.trials.finished += 1,
            TrialState::Planned => {}
        }
        if trial.purpose == Purpose::Search {
            self.see_score(trial.score);
        }
    }

    /// It proposed a candidate.
    pub fn proposed(&mut self, candidate: &CandidateRecord) {
        self.candidate = Some(candidate.version.clone());
        candidate.won.iter().for_each(|(_, score)| self.see_score(Some(*score)));
        self.see_stage();
    }

    /// Its candidate was judged.
    pub fn judged(&mut self, verdict: &VerdictRecord) {
        self.verdict = Some(verdict.outcome);
        self.see_stage();
    }

    fn see_score(&mut self, score: Option<f64>) {
        self.best_score = self.best_score.into_iter().chain(score).reduce(f64::min);
    }

    fn see_stage(&mut self) {
        self.stage = match (&self.ended, &self.candidate, &self.verdict) {
            (Some(_), _, _) => Stage::Closed,
            (None, _, Some(_)) => Stage::Rolling,
            (None, Some(_), None) => Stage::Judged,
            (None, None, None) => Stage::Searching,
        };
    }
}

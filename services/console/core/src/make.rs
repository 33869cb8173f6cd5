//! Records from events. Memory and the SQL view keep the same ones, so that both answer alike.

use std::collections::BTreeMap;

use tidemill_domain::{ModelVersion, TrialId};
use tidemill_events::Command;
use tidemill_events::dataset::DatasetCreated;
use tidemill_events::event::SpecApplied;
use tidemill_events::rollout::{Role, Rollout, Route};
use tidemill_events::training::{Candidate, Purpose, Standing, TrialJob, TrialResult};
use tidemill_events::verdict::Verdict;

use crate::answers::SegmentRecord;
use crate::record::{
    At, CandidateRecord, CommandRecord, DatasetRecord, RolloutRecord, SpecRecord, StepCause, TrialRecord,
    TrialState, VerdictRecord, Weight,
};

impl SpecRecord {
    /// The record of a spec that was put in force.
    #[must_use]
    pub fn of(at: At, applied: &SpecApplied) -> Self {
        Self { at, version: applied.version, hash: applied.hash.clone(), by: applied.by.clone() }
    }
}

impl CommandRecord {
    /// The record of a command.
    #[must_use]
    pub fn of(at: At, command: &Command) -> Self {
        let Command { kind, by, reason } = command.clone();
        Self { at, kind, by, reason }
    }
}

impl DatasetRecord {
    /// The record of a dataset version.
    #[must_use]
    pub fn of(at: At, created: &DatasetCreated) -> Self {
        Self {
            at,
            dataset: created.dataset.clone(),
            parent: created.parent.clone(),
            added: created.added.clone(),
            rows: created.rows,
            segments: created.segments,
            from: created.from,
            to: created.to,
            sources: created.sources.clone(),
        }
    }

    /// The segments that it adds, newest first.
    pub fn segments(&self) -> impl Iterator<Item = SegmentRecord> + '_ {
        let mut end = self.rows;
        self.added.iter().rev().map(move |segment| {
            end = end.saturating_sub(segment.rows);
            SegmentRecord {
                at: self.at.clone(),
                dataset: self.dataset.clone(),
                hash: segment.hash.clone(),
                rows: segment.rows,
                first_row: end,
            }
        })
    }
}

impl TrialRecord {
    /// The record of a trial that is to be run.
    #[must_use]
    pub fn of(at: At, job: &TrialJob) -> Self {
        Self {
            planned: at,
            ended: None,
            trial: job.trial.clone(),
            turn: job.turn.clone(),
            purpose: job.purpose,
            state: TrialState::Planned,
            algorithm: job.choice.algorithm,
            parameters: job.choice.parameters.clone(),
            strategy: job.choice.strategy,
            seed: job.seed,
            dataset: job.dataset.clone(),
            metric: job.metric,
            rows: job.train.rows(),
            validated: if job.purpose == Purpose::Search { job.validate.rows() } else { 0 },
            modelled: job.modelled,
            score: None,
            metrics: BTreeMap::new(),
            measured: None,
            artefact: None,
            reason: None,
        }
    }

    /// It gave a result.
    pub fn finish(&mut self, at: At, result: &TrialResult) {
        self.state = TrialState::Finished;
        self.ended = Some(at);
        self.rows = result.rows;
        self.score = result.score;
        self.metrics.clone_from(&result.metrics);
        self.measured = Some(result.measured.clone());
        self.artefact.clone_from(&result.artefact);
    }

    /// It failed.
    pub fn fail(&mut self, at: At, reason: &str) {
        self.state = TrialState::Failed;
        self.ended = Some(at);
        self.reason = Some(reason.to_owned());
    }

    /// What it cost, in seconds of processor time; nothing before its end.
    #[must_use]
    pub fn cost(&self) -> f64 {
        self.measured.as_ref().map_or(0.0, |m| m.cpu_seconds)
    }
}

impl CandidateRecord {
    /// The record of a candidate.
    #[must_use]
    pub fn of(at: At, candidate: &Candidate) -> Self {
        let model = &candidate.model;
        Self {
            at,
            version: model.model.version.clone(),
            artefact: model.model.artefact.clone(),
            trained_to: model.trained_to,
            dataset: candidate.dataset.clone(),
            trial: candidate.trial.clone(),
            choice: candidate.choice.clone(),
            won: won(candidate),
        }
    }
}

/// The trials that a candidate repeats: a refit that failed leaves the next best to be taken.
fn won(candidate: &Candidate) -> Vec<(TrialId, f64)> {
    let repeats = |s: &&Standing| match candidate.members.as_slice() {
        [] => s.choice == candidate.choice,
        members => members.iter().any(|m| m.trial == s.trial),
    };
    candidate.leaderboard.iter().filter(repeats).map(|s| (s.trial.clone(), s.score)).collect()
}

impl VerdictRecord {
    /// The record of a verdict.
    #[must_use]
    pub fn of(at: At, verdict: &Verdict) -> Self {
        let (recent, old) = (&verdict.measurement.recent, &verdict.measurement.old);
        Self {
            at,
            turn: verdict.turn.clone(),
            version: verdict.candidate.model.version.clone(),
            champion: verdict.champion.clone(),
            outcome: verdict.outcome,
            gates: verdict.gates.clone(),
            dataset: verdict.dataset.clone(),
            spec_version: verdict.spec_version,
            recent_rows: recent.rows,
            old_rows: old.rows,
            candidate_metrics: recent.candidate.all(),
            champion_metrics: recent.champion.all(),
        }
    }
}

impl RolloutRecord {
    /// The record of a step, after which `before` is no longer champion, or is it still.
    #[must_use]
    pub fn of(at: At, rollout: &Rollout, before: Option<ModelVersion>, cause: Option<StepCause>) -> Self {
        let weight =
            |r: &Route| Weight { version: r.model.model.version.clone(), role: r.role, weight: r.weight };
        Self {
            at,
            step: rollout.step,
            version: rollout.version.clone(),
            lane: rollout.lane,
            judgement: rollout.judgement.clone(),
            reason: rollout.reason.clone(),
            table: rollout.table.version,
            weights: rollout.table.routes.iter().map(weight).collect(),
            champion_before: before,
            cause,
        }
    }

    /// The champion from now on.
    #[must_use]
    pub fn champion(&self) -> Option<&ModelVersion> {
        self.weights.iter().find(|w| w.role == Role::Champion).map(|w| &w.version)
    }

    /// The model that became champion with this step.
    #[must_use]
    pub fn crowned(&self) -> Option<&ModelVersion> {
        self.champion().filter(|version| self.champion_before.as_ref() != Some(version))
    }

    /// Whether it is about a model: it names it, or makes it champion.
    pub(crate) fn is_about(&self, version: &ModelVersion) -> bool {
        self.version.as_ref() == Some(version) || self.crowned() == Some(version)
    }
}

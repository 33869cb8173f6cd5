//! Answers each candidate of the log with one verdict: opens it, says what to measure, takes the first report.
//!
//! It must not know how anything is measured. What is to be measured is fixed when there are enough rows, so that later
//! datasets do not move under a job; if the champion changes meanwhile, the candidate is measured again against the new one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use tidemill_domain::{DatasetId, LoopId, ModelVersion, TurnId};
use tidemill_events::core::{Core, Draft};
use tidemill_events::dataset::{Catalogue, DatasetCreated, RowRange};
use tidemill_events::envelope::Recorded;
use tidemill_events::event::{Event, SpecApplied};
use tidemill_events::model::Deployed;
use tidemill_events::rollout::RouteTable;
use tidemill_events::snapshot::{self, BadSnapshot};
use tidemill_events::subject::{Log, Subject};
use tidemill_events::training::{Candidate, Report};
use tidemill_events::verdict::{EvaluationJob, Measurement, Verdict};

use crate::gates::{judge, without_evidence};
use crate::rows::to_judge;

/// Candidates that may wait at a time in one loop; one more and the oldest gets its verdict without evidence (INV-8).
const MAX_OPEN: usize = 8;
/// Turns whose verdict is remembered, so that a candidate told twice is not judged twice.
const MAX_CLOSED: usize = 64;
/// How often a candidate is measured at most because the champion changed under it.
const MAX_ATTEMPTS: u32 = 3;

/// The evaluator: folds the log of all loops, wants measurements, gives verdicts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluator {
    loops: BTreeMap<LoopId, LoopState>,
    /// The place of the newest input; anything not beyond it was folded already (INV-1).
    last: Option<u64>,
}

impl Evaluator {
    /// An evaluator that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Core for Evaluator {
    type Job = EvaluationJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        if self.last.is_some_and(|last| input.sequence <= last) {
            return Vec::new();
        }
        self.last = Some(input.sequence);
        let loop_id = &input.subject.loop_id;
        if let Event::Spec(applied) = &input.event {
            let state = self.loops.entry(loop_id.clone()).or_insert_with(|| LoopState::new(applied));
            state.spec = SpecApplied::clone(applied);
        }
        let Some(state) = self.loops.get_mut(loop_id) else { return Vec::new() };
        let verdicts = state.fold(&input.event);
        state.fix_jobs(loop_id);
        verdicts
            .into_iter()
            .map(|verdict| {
                let turn = verdict.turn.clone();
                let to = Subject::log(loop_id.clone(), Log::Verdict);
                Draft::new(to, Event::Verdict(Box::new(verdict))).in_turn(turn)
            })
            .collect()
    }

    fn jobs(&self) -> Vec<(String, EvaluationJob)> {
        let open = self.loops.iter().flat_map(|(id, state)| state.open.iter().map(move |o| (id, o)));
        open.filter_map(|(id, o)| Some((o.job_name(id), o.job.clone()?))).collect()
    }

    fn save(&self) -> Option<Vec<u8>> {
        snapshot::save(self)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        *self = snapshot::load(bytes)?;
        Ok(())
    }
}

/// What is known of one loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct LoopState {
    spec: SpecApplied,
    catalogue: Catalogue,
    table: RouteTable,
    /// Models that learned from rows that are numbered otherwise: the dataset began anew since (another schema).
    foreign: BTreeSet<ModelVersion>,
    open: Vec<Open>,
    closed: VecDeque<TurnId>,
}

/// A candidate without a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    candidate: Deployed,
    dataset: DatasetId,
    attempt: u32,
    job: Option<EvaluationJob>,
}

impl Open {
    fn job_name(&self, loop_id: &LoopId) -> String {
        let turn = &self.candidate.turn;
        match self.attempt {
            0 => format!("evaluate/{loop_id}/{turn}"),
            again => format!("evaluate/{loop_id}/{turn}/{again}"),
        }
    }
}

impl LoopState {
    fn new(applied: &SpecApplied) -> Self {
        Self {
            spec: applied.clone(),
            catalogue: Catalogue::default(),
            table: RouteTable::default(),
            foreign: BTreeSet::new(),
            open: Vec::new(),
            closed: VecDeque::new(),
        }
    }

    fn fold(&mut self, event: &Event) -> Vec<Verdict> {
        match event {
            Event::Candidate(candidate) => self.take(candidate),
            Event::Dataset(created) => self.extend(created),
            Event::Report(report) => match report.as_ref() {
                Report::Evaluated { job, measurement } => self.measured(job, measurement),
                Report::EvaluationFailed { job, reason } => self.not_measured(job, reason),
                Report::TrialFailed { .. } | Report::TrialFinished { .. } => Vec::new(),
            },
            Event::Rollout(rollout) => {
                self.table = rollout.table.clone();
                Vec::new()
            }
            Event::Alert(_)
            | Event::Claimed(_)
            | Event::Clean(_)
            | Event::Command(_)
            | Event::Dead(_)
            | Event::Intake(_)
            | Event::PartWindow(_)
            | Event::Quarantined(_)
            | Event::Sample(_)
            | Event::Segment(_)
            | Event::Spec(_)
            | Event::Tick(_)
            | Event::Trial(_)
            | Event::Trigger(_)
            | Event::Unknown { .. }
            | Event::Verdict(_)
            | Event::Window(_)
            | Event::Work(_) => Vec::new(),
        }
    }

    fn take(&mut self, candidate: &Candidate) -> Vec<Verdict> {
        let model = &candidate.model;
        let known =
            self.closed.contains(&model.turn) || self.open.iter().any(|o| o.candidate.turn == model.turn);
        if known {
            return Vec::new();
        }
        let dataset = candidate.dataset.clone();
        self.open.push(Open { candidate: model.clone(), dataset, attempt: 0, job: None });
        if model.trained_to > self.catalogue.rows {
            let reason = "the candidate learned from rows that the newest dataset does not have";
            return self.close(self.open.len() - 1, reason).into_iter().collect();
        }
        if self.open.len() > MAX_OPEN {
            return self.close(0, "newer candidates came before there was evidence").into_iter().collect();
        }
        Vec::new()
    }

    fn extend(&mut self, created: &DatasetCreated) -> Vec<Verdict> {
        let anew = self.catalogue.dataset.is_some() && created.parent != self.catalogue.dataset;
        self.catalogue.fold(created);
        if !anew {
            return Vec::new();
        }
        let routed = self.table.routes.iter().map(|r| &r.model).chain(&self.table.previous);
        self.foreign = routed.map(|m| m.model.version.clone()).collect();
        let reason = "the dataset began anew after the candidate was trained";
        std::iter::from_fn(|| self.close(0, reason)).collect()
    }

    fn measured(&mut self, job: &EvaluationJob, measurement: &Measurement) -> Vec<Verdict> {
        let champion = self.champion().map(|c| c.model.version.clone());
        let Some(index) = self.open_job(job) else { return Vec::new() };
        let judged_against = job.champion.as_ref().map(|c| &c.model.version);
        let open = &mut self.open[index];
        if judged_against != champion.as_ref() && open.attempt + 1 < MAX_ATTEMPTS {
            open.attempt += 1;
            open.job = None;
            return Vec::new();
        }
        let open = self.open.remove(index);
        self.remember(open.candidate.turn);
        vec![judge(&self.spec, job, measurement)]
    }

    fn not_measured(&mut self, job: &EvaluationJob, reason: &str) -> Vec<Verdict> {
        let index = self.open_job(job);
        index.and_then(|i| self.close(i, &format!("the evaluation failed: {reason}"))).into_iter().collect()
    }

    fn open_job(&self, job: &EvaluationJob) -> Option<usize> {
        self.open.iter().position(|o| o.job.as_ref() == Some(job))
    }

    /// Ends the wait of the candidate at `index` with a verdict without evidence.
    fn close(&mut self, index: usize, reason: &str) -> Option<Verdict> {
        if index >= self.open.len() {
            return None;
        }
        let open = self.open.remove(index);
        self.remember(open.candidate.turn.clone());
        let champion = match &open.job {
            Some(job) => job.champion.as_ref(),
            None => self.champion(),
        };
        let dataset = open.job.as_ref().map_or(&open.dataset, |job| &job.dataset);
        Some(without_evidence(&self.spec, &open.candidate, champion, dataset, reason))
    }

    fn remember(&mut self, turn: TurnId) {
        self.closed.push_back(turn);
        if self.closed.len() > MAX_CLOSED {
            self.closed.pop_front();
        }
    }

    /// The champion, if a candidate can be compared with it row by row.
    fn champion(&self) -> Option<&Deployed> {
        self.table.champion().filter(|c| !self.foreign.contains(&c.model.version))
    }

    /// Says what to measure for each candidate for which there are enough rows by now.
    fn fix_jobs(&mut self, loop_id: &LoopId) {
        let Some(dataset) = self.catalogue.dataset.clone() else { return };
        let champion = self.champion().cloned();
        let champion_learned_to = champion.as_ref().map_or(0, |c| c.trained_to);
        for open in self.open.iter_mut().filter(|o| o.job.is_none()) {
            let learned_to = open.candidate.trained_to.max(champion_learned_to);
            let (recent, old) = to_judge(self.catalogue.rows, learned_to);
            if recent.rows() < self.spec.spec.evaluation.min_rows {
                continue;
            }
            open.job = Some(EvaluationJob {
                loop_id: loop_id.clone(),
                turn: open.candidate.turn.clone(),
                candidate: open.candidate.clone(),
                champion: champion.clone(),
                schema: self.spec.spec.schema.clone(),
                metric: self.spec.spec.training.metric,
                dataset: dataset.clone(),
                located: self.catalogue.locate(RowRange { from: old.from, to: recent.to }),
                recent,
                old,
            });
        }
    }
}

#[cfg(test)]
#[path = "tests/turns.rs"]
mod tests;

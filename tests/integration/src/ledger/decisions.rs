//! Decisions: each once, routes legal at every step (INV-3), no traffic without a verdict that passed (INV-2), datasets made
//! of the sealed segments, each once.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_domain::{ContentHash, LoopId};
use tidemill_events::rollout::Rollout;
use tidemill_events::training::{Trial, Trigger};
use tidemill_events::verdict::GateOutcome;
use tidemill_events::{Event, Recorded};

#[derive(Debug, Default)]
struct Loop {
    accepted: BTreeSet<String>,
    closed: BTreeSet<String>,
    candidates: BTreeSet<String>,
    verdicts: BTreeSet<String>,
    planned: BTreeSet<String>,
    ended: BTreeSet<String>,
    passed: BTreeSet<String>,
    table: u64,
    sealed: BTreeMap<ContentHash, u64>,
    datasets: BTreeMap<ContentHash, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Decisions {
    loops: BTreeMap<LoopId, Loop>,
    wrong: Vec<String>,
}

impl Decisions {
    pub(super) fn fold(&mut self, recorded: &Recorded) {
        let at = recorded.sequence;
        let Self { loops, wrong } = self;
        let state = loops.entry(recorded.subject.loop_id.clone()).or_default();
        let mut once = |seen: &mut BTreeSet<String>, what: &str, id: &str| {
            if !seen.insert(id.to_owned()) {
                wrong.push(format!("{id} was {what} again at {at}"));
            }
        };
        match &recorded.event {
            Event::Trigger(Trigger::Accepted { turn, .. }) => {
                once(&mut state.accepted, "accepted", turn.as_str());
            }
            Event::Trigger(Trigger::Closed { turn, .. }) => once(&mut state.closed, "closed", turn.as_str()),
            Event::Candidate(candidate) => {
                once(&mut state.candidates, "given a candidate", candidate.model.turn.as_str());
            }
            Event::Verdict(verdict) => {
                once(&mut state.verdicts, "judged", verdict.turn.as_str());
                if verdict.outcome == GateOutcome::Passed {
                    state.passed.insert(verdict.candidate.model.version.to_string());
                }
            }
            Event::Trial(trial) => match trial.as_ref() {
                Trial::Planned { job } => once(&mut state.planned, "planned", job.trial.as_str()),
                Trial::Finished { trial, .. } | Trial::Failed { trial, .. } => {
                    once(&mut state.ended, "ended", trial.as_str());
                }
            },
            Event::Rollout(rollout) => wrong.extend(routes(state, rollout)),
            Event::Segment(sealed) => *state.sealed.entry(sealed.segment.hash.clone()).or_default() += 1,
            Event::Dataset(created) => {
                for segment in &created.added {
                    *state.datasets.entry(segment.hash.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    pub(super) fn accepted(&self) -> usize {
        self.loops.values().map(|l| l.accepted.len()).sum()
    }

    pub(super) fn open(&self) -> usize {
        self.loops.values().map(|l| l.accepted.difference(&l.closed).count()).sum()
    }

    pub(super) fn table(&self, loop_id: &LoopId) -> u64 {
        self.loops.get(loop_id).map_or(0, |l| l.table)
    }

    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (id, state) in &self.loops {
            missing.extend(state.accepted.difference(&state.closed).map(|t| format!("{id}: {t} is open")));
            missing.extend(state.planned.difference(&state.ended).map(|t| format!("{id}: {t} has no end")));
            let unlisted = state.sealed.keys().filter(|hash| !state.datasets.contains_key(*hash)).count();
            if unlisted > 0 {
                missing.push(format!("{id}: {unlisted} segments are in no dataset"));
            }
        }
        missing
    }

    /// Segments and datasets lie in different streams, so that these are compared only here.
    pub(super) fn wrong(&self) -> Vec<String> {
        let mut wrong = self.wrong.clone();
        for (id, state) in &self.loops {
            let twice =
                |(hash, n): (&ContentHash, &u64)| (*n > 1).then(|| format!("{id}: {hash}, {n} times"));
            wrong.extend(state.sealed.iter().filter_map(twice).map(|t| format!("{t} sealed")));
            wrong.extend(state.datasets.iter().filter_map(twice).map(|t| format!("{t} in datasets")));
        }
        wrong
    }
}

fn routes(state: &mut Loop, rollout: &Rollout) -> Vec<String> {
    let table = &rollout.table;
    let mut wrong: Vec<String> =
        table.violations().into_iter().map(|v| format!("table {}: {v}", table.version)).collect();
    if table.version <= state.table {
        wrong.push(format!("table {} follows table {}", table.version, state.table));
    }
    state.table = table.version;
    for route in table.routes.iter().filter(|r| r.weight > 0) {
        let version = route.model.model.version.to_string();
        if !state.passed.contains(&version) {
            wrong.push(format!("table {}: {version} has traffic without a verdict", table.version));
        }
    }
    wrong
}

//! The trainer of all loops: weighs what asks for a turn, leads the search, proposes the best, and closes the books.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::{LoopId, LoopSpec, ModelVersion, Timestamp, TrialId, TriggerId, TurnId};
use tidemill_events::core::{Core, Draft, Now};
use tidemill_events::dataset::Catalogue;
use tidemill_events::event::{CommandKind, Event};
use tidemill_events::monitor::AlertState;
use tidemill_events::rollout::{Rollout, RolloutStep};
use tidemill_events::snapshot::{self, BadSnapshot};
use tidemill_events::training::{Report, Trial, TrialJob, TrialResult, Trigger, TriggerCause, TurnOutcome};
use tidemill_events::verdict::{GateOutcome, Verdict};
use tidemill_events::{Log, Recorded, Subject};

use crate::memory::Memory;
use crate::policy::{self, Held, Situation};
use crate::split::Split;
use crate::turn::{Next, Turn};

/// Candidates whose rollout may be awaited at the same time; the oldest is closed beyond it.
const MAX_AWAITED: usize = 32;

/// A candidate on its way through evaluation and rollout.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Awaited {
    trigger: TriggerId,
    turn: TurnId,
    version: ModelVersion,
}

#[derive(Debug, Serialize, Deserialize)]
struct LoopState {
    spec: LoopSpec,
    spec_version: u64,
    catalogue: Catalogue,
    paused: bool,
    frozen: bool,
    pinned: bool,
    turns: u64,
    since: Timestamp,
    last_turn: Option<Timestamp>,
    rows_at_last_turn: u64,
    search: Option<Turn>,
    judged: Option<Awaited>,
    rolling: Vec<Awaited>,
    memory: Memory,
}

/// The core of automl-trainer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Trainer {
    last: u64,
    now: Now,
    loops: BTreeMap<LoopId, LoopState>,
}

impl Trainer {
    /// A core that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Core for Trainer {
    /// To put a trial on the queue of the workers, whose report comes back on the log.
    type Job = TrialJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        if input.sequence <= self.last {
            return Vec::new();
        }
        self.last = input.sequence;
        let now = self.now.advance(input.time);
        let loop_id = &input.subject.loop_id;
        if let Event::Spec(applied) = &input.event {
            let state =
                self.loops.entry(loop_id.clone()).or_insert_with(|| LoopState::new(&applied.spec, now));
            state.spec = applied.spec.clone();
            state.spec_version = applied.version;
            return Vec::new();
        }
        let mut drafts = Vec::new();
        if let Some(state) = self.loops.get_mut(loop_id) {
            let mut out = Out { loop_id, drafts: &mut drafts };
            state.take(input, now, &mut out);
        }
        // Time concerns every loop, whoever's event brought it.
        for (loop_id, state) in &mut self.loops {
            state.scheduled(input, now, &mut Out { loop_id, drafts: &mut drafts });
        }
        drafts
    }

    /// Trials that were planned and have not reported: an owner that starts sends them again, which wastes only compute.
    fn jobs(&self) -> Vec<(String, TrialJob)> {
        let searches = self.loops.values().filter_map(|l| l.search.as_ref());
        searches.flat_map(Turn::unfinished).map(|job| (job.trial.to_string(), job.clone())).collect()
    }

    fn deadline(&self) -> Option<Timestamp> {
        let due = |l: &LoopState| {
            let due = policy::next_scheduled(&l.spec, l.last_turn, l.since)?;
            // A turn that cannot start waits for another event, not for time.
            (l.objection(due.max(self.now.get()), false).is_none()).then_some(due)
        };
        self.loops.values().filter_map(due).min()
    }

    fn save(&self) -> Option<Vec<u8>> {
        snapshot::save(self)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        *self = snapshot::load(bytes)?;
        Ok(())
    }
}

/// Where a loop's decisions go.
struct Out<'a> {
    loop_id: &'a LoopId,
    drafts: &'a mut Vec<Draft>,
}

impl Out<'_> {
    fn log(&mut self, log: Log, event: Event, turn: Option<&TurnId>) {
        let mut draft = Draft::new(Subject::log(self.loop_id.clone(), log), event);
        draft.turn = turn.cloned();
        self.drafts.push(draft);
    }

    fn close(&mut self, trigger: &TriggerId, turn: &TurnId, outcome: TurnOutcome) {
        let closed = Trigger::Closed { trigger: trigger.clone(), turn: turn.clone(), outcome };
        self.log(Log::Trigger, Event::Trigger(closed), Some(turn));
    }
}

impl LoopState {
    fn new(spec: &LoopSpec, now: Timestamp) -> Self {
        Self {
            spec: spec.clone(),
            spec_version: 0,
            catalogue: Catalogue::default(),
            paused: false,
            frozen: false,
            pinned: false,
            turns: 0,
            since: now,
            last_turn: None,
            rows_at_last_turn: 0,
            search: None,
            judged: None,
            rolling: Vec::new(),
            memory: Memory::default(),
        }
    }

    fn take(&mut self, input: &Recorded, now: Timestamp, out: &mut Out<'_>) {
        match &input.event {
            Event::Dataset(created) => {
                self.catalogue.fold(created);
                self.catalogue.note_lag(created, now);
                if self.catalogue.rows < self.rows_at_last_turn {
                    self.rows_at_last_turn = 0;
                }
                self.new_labels(input, now, out);
            }
            Event::Alert(alert)
                if alert.state == AlertState::Detected && policy::listens_to(&self.spec, alert.alert) =>
            {
                let cause = TriggerCause::Alert { alert: alert.alert, event: input.meta.id.clone() };
                self.weigh(input, cause, now, out);
            }
            Event::Command(command) => match command.kind {
                CommandKind::Freeze => self.frozen = true,
                CommandKind::Pause => self.paused = true,
                CommandKind::Resume => {
                    (self.paused, self.frozen) = (false, false);
                    self.new_labels(input, now, out);
                }
                CommandKind::Retrain => {
                    let (by, reason) = (command.by.clone(), command.reason.clone());
                    self.weigh(input, TriggerCause::Manual { by, reason }, now, out);
                }
                // What comes of these is told by the deployer.
                CommandKind::Approve { .. }
                | CommandKind::Pin { .. }
                | CommandKind::Reject { .. }
                | CommandKind::Rollback
                | CommandKind::Unpin => {}
            },
            Event::Report(report) => {
                self.report(report, out);
                self.new_labels(input, now, out);
            }
            Event::Verdict(verdict) => {
                self.verdict(verdict, out);
                self.new_labels(input, now, out);
            }
            Event::Rollout(rollout) => {
                self.rollout(rollout, out);
                self.new_labels(input, now, out);
            }
            _ => {}
        }
    }

    fn held(&self) -> Option<Held> {
        let held = [(self.pinned, Held::Pinned), (self.frozen, Held::Frozen), (self.paused, Held::Paused)];
        held.iter().find(|h| h.0).map(|h| h.1)
    }

    fn objection(&self, now: Timestamp, by_hand: bool) -> Option<String> {
        let situation = Situation {
            under_way: self.search.is_some() || self.judged.is_some(),
            held: self.held(),
            last_turn: self.last_turn,
            now,
            enough_rows: Split::of(&self.catalogue, &self.spec).is_some(),
        };
        policy::objection(&self.spec, by_hand, situation)
    }

    /// New labels and the schedule wait in silence until a turn may begin: they are levels, not events.
    fn new_labels(&mut self, input: &Recorded, now: Timestamp, out: &mut Out<'_>) {
        let rows = self.catalogue.rows.saturating_sub(self.rows_at_last_turn);
        if policy::enough_new(&self.spec, rows) && self.objection(now, false).is_none() {
            self.weigh(input, TriggerCause::NewLabels { rows }, now, out);
        }
    }

    fn scheduled(&mut self, input: &Recorded, now: Timestamp, out: &mut Out<'_>) {
        let due = policy::next_scheduled(&self.spec, self.last_turn, self.since).filter(|due| *due <= now);
        if let Some(due) = due
            && self.objection(now, false).is_none()
        {
            self.weigh(input, TriggerCause::Schedule { due }, now, out);
        }
    }

    fn weigh(&mut self, input: &Recorded, cause: TriggerCause, now: Timestamp, out: &mut Out<'_>) {
        let loop_name = out.loop_id.as_str();
        let cause_id = input.meta.id.as_str();
        let hash = tidemill_domain::hash::hash_parts([loop_name, cause_id, cause.name()].map(str::as_bytes));
        let trigger = TriggerId::new(format!("t-{}", hash.short()));
        let by_hand = matches!(cause, TriggerCause::Manual { .. });
        let dataset = self.catalogue.dataset.clone();
        let split = Split::of(&self.catalogue, &self.spec);
        let (Some(dataset), Some(split), None) = (dataset, split, self.objection(now, by_hand)) else {
            let none = || "there are no labelled rows".to_owned();
            let reason = self.objection(now, by_hand).unwrap_or_else(none);
            let declined = Trigger::Declined { trigger, cause, reason };
            return out.log(Log::Trigger, Event::Trigger(declined), None);
        };
        self.turns += 1;
        self.last_turn = Some(now);
        self.rows_at_last_turn = self.catalogue.rows;
        let turn = TurnId::new(format!("{loop_name}-{}", self.turns));
        let accepted = Trigger::Accepted {
            trigger: trigger.clone(),
            turn: turn.clone(),
            cause,
            dataset,
            spec_version: self.spec_version,
        };
        out.log(Log::Trigger, Event::Trigger(accepted), Some(&turn));
        self.search = Some(Turn::new(
            turn,
            trigger,
            self.spec.clone(),
            self.catalogue.clone(),
            split,
            self.memory.clone(),
        ));
        self.go_on(out);
    }

    /// Moves the search as far as it goes without another report.
    fn go_on(&mut self, out: &mut Out<'_>) {
        let Some(turn) = self.search.as_mut() else { return };
        match turn.next() {
            Next::Wait => {}
            Next::Run(jobs) => {
                let id = turn.id.clone();
                for job in jobs {
                    out.log(Log::Trial, Event::Trial(Box::new(Trial::Planned { job })), Some(&id));
                }
            }
            Next::GiveUp => {
                let (trigger, id) = (turn.trigger.clone(), turn.id.clone());
                self.search = None;
                out.close(&trigger, &id, TurnOutcome::NoCandidate);
            }
        }
    }

    fn report(&mut self, report: &Report, out: &mut Out<'_>) {
        match report {
            Report::TrialFinished { trial, turn, result } => self.trial(turn, trial, Ok(result), out),
            Report::TrialFailed { trial, turn, reason } => self.trial(turn, trial, Err(reason), out),
            Report::Evaluated { .. } | Report::EvaluationFailed { .. } => {}
        }
    }

    fn trial(
        &mut self,
        turn_id: &TurnId,
        trial: &TrialId,
        end: Result<&TrialResult, &String>,
        out: &mut Out<'_>,
    ) {
        let Some(turn) = self.search.as_mut().filter(|t| &t.id == turn_id) else { return };
        let Some(job) = turn.finish(trial, end.ok()) else { return };
        let ended = match end {
            Ok(result) => {
                Trial::Finished { trial: trial.clone(), turn: turn_id.clone(), result: result.clone() }
            }
            Err(reason) => {
                Trial::Failed { trial: trial.clone(), turn: turn_id.clone(), reason: reason.clone() }
            }
        };
        out.log(Log::Trial, Event::Trial(Box::new(ended)), Some(turn_id));
        let refit = end.ok().filter(|_| job.purpose == tidemill_events::training::Purpose::Refit);
        let Some(candidate) = refit.and_then(|result| turn.candidate(&job, result)) else {
            return self.go_on(out);
        };
        let version = candidate.version().clone();
        let awaited = Awaited { trigger: turn.trigger.clone(), turn: turn_id.clone(), version };
        self.memory.learn(&turn.results());
        self.search = None;
        self.judged = Some(awaited);
        out.log(Log::Candidate, Event::Candidate(Box::new(candidate)), Some(turn_id));
    }

    fn verdict(&mut self, verdict: &Verdict, out: &mut Out<'_>) {
        let Some(judged) = self.judged.take_if(|j| j.turn == verdict.turn) else { return };
        match verdict.outcome {
            GateOutcome::Passed => {
                self.rolling.push(judged);
                if self.rolling.len() > MAX_AWAITED {
                    let oldest = self.rolling.remove(0);
                    out.close(&oldest.trigger, &oldest.turn, TurnOutcome::Replaced);
                }
            }
            GateOutcome::Failed => out.close(&judged.trigger, &judged.turn, TurnOutcome::Failed),
            GateOutcome::Inconclusive | GateOutcome::Recorded => {
                out.close(&judged.trigger, &judged.turn, TurnOutcome::Inconclusive);
            }
        }
    }

    fn rollout(&mut self, rollout: &Rollout, out: &mut Out<'_>) {
        // Whether the deployer could pin is known from what it did, not from what was asked.
        match rollout.step {
            RolloutStep::Pinned => self.pinned = true,
            RolloutStep::Unpinned => self.pinned = false,
            _ => {}
        }
        let outcome = match rollout.step {
            RolloutStep::Pinned | RolloutStep::Promoted => TurnOutcome::Promoted,
            RolloutStep::Kept => TurnOutcome::Kept,
            RolloutStep::Declined => TurnOutcome::Declined,
            RolloutStep::Replaced => TurnOutcome::Replaced,
            RolloutStep::Awaiting
            | RolloutStep::Demoted
            | RolloutStep::Frozen
            | RolloutStep::Paused
            | RolloutStep::Resumed
            | RolloutStep::RolledBack
            | RolloutStep::Shadowed
            | RolloutStep::StepStarted
            | RolloutStep::Unpinned
            | RolloutStep::Watched => return,
        };
        // Every model that leaves is named by an event of its own.
        let mut named = |a: &mut Awaited| rollout.version.as_ref() == Some(&a.version);
        for awaited in self.rolling.extract_if(.., &mut named) {
            out.close(&awaited.trigger, &awaited.turn, outcome);
        }
    }
}

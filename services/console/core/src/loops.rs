//! What is known of one loop: each event of its log goes to the list that it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_domain::spec::{AlertKind, Lane};
use tidemill_domain::{EventId, LoopSpec, ModelVersion, Timestamp, TurnId};
use tidemill_events::event::SpecApplied;
use tidemill_events::monitor::{Alert, AlertState};
use tidemill_events::rollout::{Role, Rollout, RolloutStep, RouteTable};
use tidemill_events::training::{Candidate, Trial, Trigger, TriggerCause};
use tidemill_events::{Command, CommandKind, Event, Recorded};

use crate::answers::Held;
use crate::newest::Newest;
use crate::record::{
    AlertRecord, At, CandidateRecord, CommandRecord, DatasetRecord, RolloutRecord, SpecRecord, StepCause,
    TrialRecord, TriggerRecord, VerdictRecord, WindowRecord,
};
use crate::turns::Turns;

/// Versions of the spec that are kept.
const MAX_SPECS: usize = 200;
/// Windows that are kept.
const MAX_WINDOWS: usize = 1_000;
/// Alerts that are kept.
const MAX_ALERTS: usize = 500;
/// Dataset versions, triggers, steps and commands that are kept, each.
const MAX_RECORDS: usize = 1_000;

/// One loop.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoopState {
    pub(crate) spec: LoopSpec,
    pub(crate) specs: Newest<SpecRecord>,
    pub(crate) paused: Option<CommandRecord>,
    /// The step that pinned it.
    pub(crate) pinned: Option<RolloutRecord>,
    /// Candidates that wait for approval.
    pub(crate) waiting: Vec<ModelVersion>,
    pub(crate) commands: Newest<CommandRecord>,
    pub(crate) datasets: Newest<DatasetRecord>,
    pub(crate) windows: Newest<WindowRecord>,
    pub(crate) alerts: Newest<AlertRecord>,
    pub(crate) active: BTreeMap<AlertKind, AlertRecord>,
    pub(crate) triggers: Newest<TriggerRecord>,
    pub(crate) turns: Turns,
    pub(crate) rollouts: Newest<RolloutRecord>,
    pub(crate) table: RouteTable,
    /// The part that each model plays, and since when.
    pub(crate) since: BTreeMap<ModelVersion, (Role, Timestamp)>,
    pub(crate) lane: Option<Lane>,
    pub(crate) verdict: Option<VerdictRecord>,
}

impl LoopState {
    pub(crate) fn new(spec: LoopSpec) -> Self {
        Self {
            spec,
            specs: Newest::new(MAX_SPECS),
            paused: None,
            pinned: None,
            waiting: Vec::new(),
            commands: Newest::new(MAX_RECORDS),
            datasets: Newest::new(MAX_RECORDS),
            windows: Newest::new(MAX_WINDOWS),
            alerts: Newest::new(MAX_ALERTS),
            active: BTreeMap::new(),
            triggers: Newest::new(MAX_RECORDS),
            turns: Turns::default(),
            rollouts: Newest::new(MAX_RECORDS),
            table: RouteTable::default(),
            since: BTreeMap::new(),
            lane: None,
            verdict: None,
        }
    }

    /// The version of the spec in force.
    pub(crate) fn spec_version(&self) -> u64 {
        self.specs.last().map_or(0, |s| s.version)
    }

    pub(crate) fn fold(&mut self, input: &Recorded) {
        let at = At::of(input);
        match &input.event {
            Event::Alert(alert) => self.alert(at, alert),
            Event::Candidate(candidate) => self.candidate(at, candidate),
            Event::Command(command) => self.command(at, command),
            Event::Dataset(created) => self.datasets.push(DatasetRecord::of(at, created)),
            Event::Rollout(rollout) => self.rollout(at, rollout, input.meta.causation.as_ref()),
            Event::Spec(applied) => self.spec(at, applied),
            Event::Trial(trial) => self.trial(at, trial),
            Event::Trigger(trigger) => self.trigger(TriggerRecord { at, trigger: trigger.clone() }),
            Event::Verdict(verdict) => {
                let record = VerdictRecord::of(at, verdict);
                self.turns.at(&verdict.turn).judge(record.clone());
                self.verdict = Some(record);
            }
            Event::Window(window) => self.windows.push(WindowRecord { at, window: window.as_ref().clone() }),
            // Reports count once the trainer and the evaluator took them; claims and ticks say nothing to people.
            Event::Report(_) | Event::Claimed(_) | Event::Tick(_) | Event::Unknown { .. } => {}
            // Not on this stream.
            Event::Clean(_)
            | Event::Dead(_)
            | Event::Intake(_)
            | Event::PartWindow(_)
            | Event::Quarantined(_)
            | Event::Sample(_)
            | Event::Segment(_)
            | Event::Work(_) => {}
        }
        self.turns.shed(&self.pinned());
    }

    /// The turns of the models that may get traffic.
    fn pinned(&self) -> BTreeSet<TurnId> {
        self.table
            .routes
            .iter()
            .map(|r| &r.model)
            .chain(&self.table.previous)
            .map(|m| m.turn.clone())
            .collect()
    }

    fn spec(&mut self, at: At, applied: &SpecApplied) {
        self.spec = applied.spec.clone();
        self.specs.push(SpecRecord::of(at, applied));
    }

    fn command(&mut self, at: At, command: &Command) {
        let record = CommandRecord::of(at, command);
        match command.kind {
            // A freeze is the stronger of the two, and what is shown.
            CommandKind::Freeze => self.paused = Some(record.clone()),
            CommandKind::Pause if self.paused.is_none() => self.paused = Some(record.clone()),
            CommandKind::Resume => self.paused = None,
            CommandKind::Approve { .. }
            | CommandKind::Pause
            | CommandKind::Pin { .. }
            | CommandKind::Reject { .. }
            | CommandKind::Retrain
            | CommandKind::Rollback
            | CommandKind::Unpin => {}
        }
        self.commands.push(record);
    }

    fn alert(&mut self, at: At, alert: &Alert) {
        let measured = self.windows.iter().rev().find(|w| w.window.key == alert.window).cloned();
        let record = AlertRecord { at, alert: alert.clone(), measured };
        match alert.state {
            AlertState::Cleared => self.active.remove(&alert.alert),
            AlertState::Detected | AlertState::Suspected => self.active.insert(alert.alert, record.clone()),
        };
        self.alerts.push(record);
    }

    fn trigger(&mut self, record: TriggerRecord) {
        match &record.trigger {
            Trigger::Accepted { turn, cause, dataset, spec_version, .. } => {
                let alert = match cause {
                    TriggerCause::Alert { event, .. } => {
                        self.alerts.iter().rev().find(|a| &a.at.event == event).cloned()
                    }
                    TriggerCause::Manual { .. }
                    | TriggerCause::NewLabels { .. }
                    | TriggerCause::Schedule { .. } => None,
                };
                let held = Held::of(&self.datasets, dataset);
                let spec = self.specs.iter().rev().find(|s| s.version == *spec_version).cloned();
                let known = self.turns.at(turn);
                known.summary.decided(&record);
                known.trigger = Some(record.clone());
                known.alert = alert;
                known.dataset = held;
                known.spec = spec;
            }
            Trigger::Closed { turn, .. } => self.turns.at(turn).summary.decided(&record),
            Trigger::Declined { .. } => {}
        }
        self.triggers.push(record);
    }

    fn trial(&mut self, at: At, trial: &Trial) {
        match trial {
            Trial::Planned { job } => self.turns.plan(TrialRecord::of(at, job)),
            Trial::Finished { trial, turn, result } => {
                self.turns.end(turn, trial, |known| known.finish(at, result));
            }
            Trial::Failed { trial, turn, reason } => {
                self.turns.end(turn, trial, |known| known.fail(at, reason));
            }
        }
    }

    /// The command or alert that is `id`.
    fn step_cause(&self, id: &EventId) -> Option<StepCause> {
        let command = self.commands.iter().rev().find(|c| &c.at.event == id).cloned().map(StepCause::Command);
        let alert = || self.alerts.iter().rev().find(|a| &a.at.event == id).cloned();
        command.or_else(|| Some(StepCause::Alert(Box::new(alert()?))))
    }

    fn candidate(&mut self, at: At, candidate: &Candidate) {
        self.turns.at(&candidate.model.turn).propose(CandidateRecord::of(at, candidate));
    }

    fn rollout(&mut self, at: At, rollout: &Rollout, causation: Option<&EventId>) {
        let cause = causation.and_then(|id| self.step_cause(id));
        let before = self.table.champion().map(|c| c.model.version.clone());
        let record = RolloutRecord::of(at, rollout, before, cause);
        // A model that returns as champion is not the one that the step names.
        let concerned = BTreeSet::from_iter(record.version.iter().chain(record.crowned()));
        for version in concerned {
            let routed = rollout.table.routes.iter().map(|r| &r.model).chain(&rollout.table.previous);
            let mut deployed = routed.chain(self.table.routes.iter().map(|r| &r.model));
            let named = deployed.find(|m| &m.model.version == version).map(|m| m.turn.clone());
            let turn = named.or_else(|| self.turns.of_version(version).map(|t| t.id.clone()));
            if let Some(turn) = turn {
                self.turns.at(&turn).steps.push(record.clone());
            }
        }
        let roles = rollout.table.routes.iter().map(|r| {
            let version = r.model.model.version.clone();
            let before = self.since.get(&version).filter(|(role, _)| *role == r.role);
            let since = before.map_or(record.at.time, |(_, since)| *since);
            (version, (r.role, since))
        });
        self.since = roles.collect();
        match rollout.step {
            RolloutStep::Pinned => self.pinned = Some(record.clone()),
            RolloutStep::Unpinned => self.pinned = None,
            _ => {}
        }
        if let Some(version) = &rollout.version {
            self.waiting.retain(|w| w != version);
            if rollout.step == RolloutStep::Awaiting {
                self.waiting.push(version.clone());
            }
        }
        self.lane = rollout.lane.or(self.lane);
        self.table = rollout.table.clone();
        // The monitor watches the champion only; what it said of another one ends with its reign.
        let champion = self.table.champion().map(|c| c.model.version.clone());
        self.active.retain(|_, a| champion.is_none() || a.alert.version == champion);
        self.rollouts.push(record);
    }
}

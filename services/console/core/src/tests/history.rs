//! Builds the log of a loop event by event, as the services would write it. The tests of the console's shell use it too.

use std::collections::BTreeMap;

use tidemill_domain::spec::{AlertKind, Lane, parse};
use tidemill_domain::{
    Algorithm, ContentHash, DatasetId, EventId, LoopId, LoopSpec, Metric, ModelRef, ModelVersion, Span,
    Strategy, Timestamp, TrialId, TriggerId, TurnId,
};
use tidemill_events::dataset::{DatasetCreated, Located, RowRange, SegmentRef};
use tidemill_events::envelope::Meta;
use tidemill_events::event::SpecApplied;
use tidemill_events::model::{Deployed, Profile};
use tidemill_events::monitor::{Alert, AlertState, ColumnDrift, LoopWindow, WindowKey, WindowKind};
use tidemill_events::rollout::{Role, Rollout, RolloutStep, Route, RouteTable};
use tidemill_events::training::{
    Candidate, Choice, Measured, Purpose, Standing, Trial, TrialJob, TrialResult, Trigger, TriggerCause,
    TurnOutcome,
};
use tidemill_events::verdict::{Gate, GateOutcome, Measurement, Verdict};
use tidemill_events::{Command, CommandKind, Event, Log, Recorded, Subject};

use super::View;

/// The log of the loop `tides`, folded as it grows.
pub(super) struct History {
    pub(super) view: View,
    pub(super) loop_id: LoopId,
    spec: LoopSpec,
    sequence: u64,
    datasets: Vec<DatasetCreated>,
    table: RouteTable,
    pub(super) log: Vec<Recorded>,
}

pub(super) fn spec(rest: &str) -> LoopSpec {
    let text = format!(
        "apiVersion: tidemill.dev/v1\nkind: Loop\nmetadata: {{ name: tides }}\nspec:\n  schema:\n    \
         features: [{{ name: moon, type: numeric }}]\n    target: {{ name: high, type: categorical }}\n{rest}"
    );
    parse(&text).unwrap_or_else(|problems| unreachable!("{problems:?}"))
}

pub(super) fn version(name: &str) -> ModelVersion {
    ModelVersion::new(format!("m-{name}"))
}

pub(super) fn turn(n: u64) -> TurnId {
    TurnId::new(format!("tides-{n}"))
}

impl History {
    /// A loop whose spec is in force.
    pub(super) fn new() -> Self {
        let mut history = Self::without_spec();
        history.apply(spec(""));
        history
    }

    pub(super) fn without_spec() -> Self {
        Self {
            view: View::new(),
            loop_id: LoopId::new("tides").unwrap_or_else(|e| unreachable!("{e}")),
            spec: spec(""),
            sequence: 0,
            datasets: Vec::new(),
            table: RouteTable::default(),
            log: Vec::new(),
        }
    }

    /// Writes an event; one second passes.
    pub(super) fn write(&mut self, log: Log, event: Event) -> EventId {
        self.write_because(None, log, event)
    }

    fn write_because(&mut self, causation: Option<EventId>, log: Log, event: Event) -> EventId {
        self.sequence += 1;
        let id = EventId::new(format!("e{}", self.sequence));
        let recorded = Recorded {
            sequence: self.sequence,
            time: Timestamp(0) + Span::seconds(self.sequence.cast_signed()),
            subject: Subject::log(self.loop_id.clone(), log),
            meta: Meta { id: id.clone(), source: "test".into(), causation, correlation: None, upto: None },
            event,
        };
        self.view.fold(&recorded);
        self.log.push(recorded);
        id
    }

    pub(super) fn apply(&mut self, spec: LoopSpec) {
        let version = self.view.spec(&self.loop_id).map_or(0, |s| s.version) + 1;
        self.spec = spec.clone();
        let applied = SpecApplied { version, hash: spec.hash(), spec, by: "ann".into() };
        self.write(Log::Spec, Event::Spec(Box::new(applied)));
    }

    pub(super) fn command(&mut self, kind: CommandKind) -> EventId {
        self.write(Log::Command, Event::Command(Command { kind, by: "bob".into(), reason: "a test".into() }))
    }

    /// A dataset version with one more segment of `rows`.
    pub(super) fn dataset(&mut self, rows: u64) -> DatasetId {
        let before = self.datasets.last();
        let n = before.map_or(0, |d| d.segments);
        let hash = ContentHash::of(&n.to_le_bytes());
        let parent = before.map(|d| d.dataset.clone());
        let id = DatasetId::of(parent.as_ref(), [&hash]);
        let created = DatasetCreated {
            dataset: id.clone(),
            parent,
            added: vec![SegmentRef { hash, rows }],
            rows: before.map_or(0, |d| d.rows) + rows,
            segments: n + 1,
            schema: self.spec.schema.hash(),
            from: Timestamp(0),
            to: Timestamp(0) + Span::seconds(self.sequence.cast_signed()),
            sources: BTreeMap::from([(tidemill_domain::LabelSource::Application, rows)]),
            classes: Default::default(),
        };
        self.datasets.push(created.clone());
        self.write(Log::Dataset, Event::Dataset(created));
        id
    }

    pub(super) fn window(&mut self, kind: WindowKind, of: Option<&str>, index: u64) -> WindowKey {
        let key = WindowKey { kind, version: of.map(version), index };
        let drift = ColumnDrift {
            column: "moon".into(),
            test: "kolmogorov_smirnov".into(),
            statistic: 0.4,
            p_value: 1e-9,
            p_adjusted: 1e-9,
            psi: 0.8,
            missing_ratio: 0.0,
            drifted: true,
        };
        let window = LoopWindow {
            key: key.clone(),
            rows: 100,
            from: Timestamp(0),
            to: Timestamp(1_000_000),
            metrics: BTreeMap::from([("accuracy".into(), 0.75)]),
            loss: None,
            drift: if kind == WindowKind::Observed { vec![drift] } else { Vec::new() },
            paired: None,
        };
        self.write(Log::Window, Event::Window(Box::new(window)));
        key
    }

    pub(super) fn alert(
        &mut self,
        kind: AlertKind,
        state: AlertState,
        of: &str,
        window: &WindowKey,
    ) -> EventId {
        let alert = Alert {
            alert: kind,
            state,
            version: Some(version(of)),
            window: window.clone(),
            evidence: BTreeMap::from([("psi".into(), 0.8)]),
            columns: vec!["moon".into()],
            summary: "moon moved".into(),
        };
        self.write(Log::Alert, Event::Alert(alert))
    }

    pub(super) fn accept(&mut self, n: u64, cause: TriggerCause) {
        let dataset = self.datasets.last().map_or(DatasetId::new("d-none"), |d| d.dataset.clone());
        let trigger = TriggerId::new(format!("t-{n}"));
        let spec_version = self.view.spec(&self.loop_id).map_or(0, |s| s.version);
        let accepted = Trigger::Accepted { trigger, turn: turn(n), cause, dataset, spec_version };
        self.write(Log::Trigger, Event::Trigger(accepted));
    }

    pub(super) fn decline(&mut self, reason: &str) {
        let (trigger, cause) = (TriggerId::new("t-no"), TriggerCause::NewLabels { rows: 5 });
        self.write(Log::Trigger, Event::Trigger(Trigger::Declined { trigger, cause, reason: reason.into() }));
    }

    pub(super) fn close(&mut self, n: u64, outcome: TurnOutcome) {
        let closed = Trigger::Closed { trigger: TriggerId::new(format!("t-{n}")), turn: turn(n), outcome };
        self.write(Log::Trigger, Event::Trigger(closed));
    }

    pub(super) fn plan(&mut self, n: u64, trial: &str, algorithm: Algorithm, purpose: Purpose) {
        let job = TrialJob {
            loop_id: self.loop_id.clone(),
            turn: turn(n),
            trial: TrialId::new(trial),
            purpose,
            choice: choice(algorithm),
            members: Vec::new(),
            temperature: None,
            seed: 7,
            schema: self.spec.schema.clone(),
            metric: Metric::LogLoss,
            dataset: DatasetId::new("d-1"),
            located: Located::default(),
            train: RowRange { from: 0, to: 80 },
            validate: RowRange { from: 80, to: 100 },
            modelled: Span::seconds(1),
        };
        self.write(Log::Trial, Event::Trial(Box::new(Trial::Planned { job })));
    }

    pub(super) fn finish(&mut self, n: u64, trial: &str, score: Option<f64>, cpu_seconds: f64) {
        let result = TrialResult {
            score,
            temperature: None,
            metrics: BTreeMap::from([("accuracy".into(), 0.8)]),
            rows: 76,
            artefact: score.is_none().then(|| ContentHash::of(b"model")),
            profile: None,
            measured: Measured { cpu_seconds, worker: "w1".into(), ..Measured::default() },
        };
        let finished = Trial::Finished { trial: TrialId::new(trial), turn: turn(n), result };
        self.write(Log::Trial, Event::Trial(Box::new(finished)));
    }

    pub(super) fn fail(&mut self, n: u64, trial: &str) {
        let failed = Trial::Failed { trial: TrialId::new(trial), turn: turn(n), reason: "no rows".into() };
        self.write(Log::Trial, Event::Trial(Box::new(failed)));
    }

    pub(super) fn candidate(&mut self, n: u64, name: &str, best: &str) {
        let candidate = Candidate {
            model: deployed(n, name),
            dataset: DatasetId::new("d-1"),
            trial: TrialId::new(format!("tides-{n}-refit-1")),
            choice: choice(Algorithm::Linear),
            members: Vec::new(),
            profile: Profile::new(&self.spec.schema, 32),
            leaderboard: vec![Standing {
                trial: TrialId::new(best),
                choice: choice(Algorithm::Linear),
                score: 0.4,
            }],
        };
        self.write(Log::Candidate, Event::Candidate(Box::new(candidate)));
    }

    pub(super) fn verdict(&mut self, n: u64, name: &str, champion: Option<&str>, outcome: GateOutcome) {
        let gate = Gate {
            name: "recent".into(),
            outcome,
            measured: 0.4,
            limit: Some(0.5),
            summary: "mean loss 0.4 against 0.5".into(),
        };
        let verdict = Verdict {
            turn: turn(n),
            candidate: deployed(n, name),
            champion: champion.map(version),
            outcome,
            gates: vec![gate],
            dataset: DatasetId::new("d-1"),
            spec_version: 1,
            measurement: Measurement::default(),
        };
        self.write(Log::Verdict, Event::Verdict(Box::new(verdict)));
    }

    /// A step of `name` of turn `n`, after which it has `weight` percent in this part.
    pub(super) fn step(&mut self, step: RolloutStep, n: u64, name: &str, role: Role, weight: u8) {
        let champion = self.table.champion().filter(|c| c.model.version != version(name)).cloned();
        let mut table = RouteTable { version: self.table.version + 1, ..RouteTable::default() };
        table.routes.push(Route { model: deployed(n, name), role, weight });
        match (role, champion) {
            (Role::Champion, before) => table.previous = before,
            (_, Some(champion)) => {
                table.routes.push(Route { model: champion, role: Role::Champion, weight: 100 - weight });
                table.previous = self.table.previous.clone();
            }
            (_, None) => {}
        }
        self.table = table.clone();
        let rollout = Rollout {
            step,
            version: Some(version(name)),
            lane: Some(Lane::Steps),
            table,
            judgement: None,
            reason: "the test says so".into(),
        };
        self.write(Log::Rollout, Event::Rollout(Box::new(rollout)));
    }

    /// The previous champion returns because of `cause`.
    pub(super) fn restore(&mut self, step: RolloutStep, cause: EventId) {
        let (Some(previous), Some(gone)) = (self.table.previous.clone(), self.table.champion().cloned())
        else {
            return;
        };
        let route = Route { model: previous, role: Role::Champion, weight: 100 };
        self.table = RouteTable { version: self.table.version + 1, routes: vec![route], previous: None };
        let (version, table) = (Some(gone.model.version), self.table.clone());
        let rollout =
            Rollout { step, version, lane: None, table, judgement: None, reason: "the test says so".into() };
        self.write_because(Some(cause), Log::Rollout, Event::Rollout(Box::new(rollout)));
    }

    /// A whole turn that ends with `name` as champion.
    pub(super) fn promote(&mut self, n: u64, name: &str, cause: TriggerCause) {
        let before = self.table.champion().map(|c| c.model.version.as_str()[2..].to_owned());
        self.accept(n, cause);
        self.search(n);
        self.candidate(n, name, &format!("tides-{n}-001"));
        self.verdict(n, name, before.as_deref(), GateOutcome::Passed);
        self.step(RolloutStep::Promoted, n, name, Role::Champion, 100);
        self.close(n, TurnOutcome::Promoted);
    }

    /// The trials of a turn: two that finish, one that fails, one that becomes the candidate.
    pub(super) fn search(&mut self, n: u64) {
        self.plan(n, &format!("tides-{n}-001"), Algorithm::Linear, Purpose::Search);
        self.plan(n, &format!("tides-{n}-002"), Algorithm::Boosting, Purpose::Search);
        self.plan(n, &format!("tides-{n}-003"), Algorithm::Mlp, Purpose::Search);
        self.finish(n, &format!("tides-{n}-002"), Some(0.5), 9.0);
        self.finish(n, &format!("tides-{n}-001"), Some(0.4), 2.0);
        self.fail(n, &format!("tides-{n}-003"));
        self.plan(n, &format!("tides-{n}-refit-1"), Algorithm::Linear, Purpose::Refit);
        self.finish(n, &format!("tides-{n}-refit-1"), None, 3.0);
    }
}

fn choice(algorithm: Algorithm) -> Choice {
    Choice { algorithm, parameters: BTreeMap::from([("l2".into(), 0.1)]), strategy: Strategy::All }
}

fn deployed(n: u64, name: &str) -> Deployed {
    let artefact = ContentHash::of(name.as_bytes());
    let model = ModelRef { version: version(name), artefact, algorithm: Algorithm::Linear };
    Deployed { model, turn: turn(n), trained_to: 100 }
}

pub(super) fn labels() -> TriggerCause {
    TriggerCause::NewLabels { rows: 100 }
}

//! The invariants of the design, checked on what a world wrote. Each check lists what it finds wrong.
//!
//! Checks read the log only: they share no state with the cores, and tests show for each that a broken core is caught.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_domain::{ModelVersion, PredictionId};
use tidemill_events::intake::IntakeItem;
use tidemill_events::monitor::WindowKind;
use tidemill_events::sample::{CleanItem, Mark, SampleItem};
use tidemill_events::training::{Purpose, Report, Trial};
use tidemill_events::verdict::GateOutcome;
use tidemill_events::{Command, CommandKind, Event, Log, Recorded, Topic};

use crate::log::Stream;
use crate::world::World;

/// INV-1 and INV-9: both worlds wrote the same events, subject by subject, under the same ids.
///
/// Reports are inputs, and a worker may report twice. Places in the log may differ by what was delivered again.
#[must_use]
pub fn differences(one: &World, other: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for (a, b) in [(one.samples(), other.samples()), (one.log(), other.log())] {
        let (a, b) = (by_subject(a), by_subject(b));
        let subjects: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for subject in subjects {
            let none = Vec::new();
            let (x, y) = (a.get(subject).unwrap_or(&none), b.get(subject).unwrap_or(&none));
            let first = x.iter().zip(y).position(|(x, y)| x != y);
            match first {
                Some(i) => wrong.push(format!("{subject}: event {i} differs:\n  {}\n  {}", x[i], y[i])),
                None if x.len() != y.len() => {
                    let more = x.get(y.len()).or_else(|| y.get(x.len()));
                    let more = more.map_or("", String::as_str);
                    wrong.push(format!("{subject}: {} events against {}: {more}", x.len(), y.len()));
                }
                None => {}
            }
        }
    }
    wrong
}

fn by_subject(stream: &Stream) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for recorded in stream.iter().filter(|r| r.subject.topic != Topic::Log(Log::Report)) {
        found.entry(recorded.subject.to_string()).or_default().push(canonical(recorded));
    }
    found
}

fn canonical(recorded: &Recorded) -> String {
    let mut event = recorded.event.clone();
    let forget_place = |mark: &mut Mark| match mark {
        Mark::Routes { sequence, .. } | Mark::Spec { sequence, .. } => *sequence = 0,
        Mark::Tick => {}
    };
    match &mut event {
        Event::Sample(items) => {
            for item in items {
                if let SampleItem::Mark(mark) = item {
                    forget_place(mark);
                }
            }
        }
        Event::Clean(items) => {
            for item in items {
                if let CleanItem::Mark(mark) = item {
                    forget_place(mark);
                }
            }
        }
        _ => {}
    }
    let text = serde_json::to_string(&event).unwrap_or_default();
    let cause = recorded.meta.causation.as_ref().map_or("", |c| c.as_str());
    format!("{} {} {cause} {text}", recorded.time, recorded.meta.id)
}

/// INV-3: tables are legal and rise, and a rollback takes one event.
#[must_use]
pub fn routes(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut last = 0;
    for recorded in world.log().iter() {
        let Event::Rollout(rollout) = &recorded.event else { continue };
        let table = &rollout.table;
        wrong.extend(table.violations().into_iter().map(|v| format!("table {}: {v}", table.version)));
        if table.version <= last {
            wrong.push(format!("table {} follows table {last}", table.version));
        }
        last = table.version;
    }
    wrong
}

/// INV-2: every model in a table was passed before by a verdict, or a person pinned it.
#[must_use]
pub fn passed(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut allowed = BTreeSet::new();
    for recorded in world.log().iter() {
        match &recorded.event {
            Event::Verdict(verdict) if verdict.outcome == GateOutcome::Passed => {
                allowed.insert(verdict.candidate.model.version.clone());
            }
            Event::Command(Command { kind: CommandKind::Pin { version: Some(version) }, .. }) => {
                allowed.insert(version.clone());
            }
            Event::Rollout(rollout) => {
                let routes = rollout.table.routes.iter().filter(|r| r.weight > 0);
                let unjudged = routes.filter(|r| !allowed.contains(&r.model.model.version));
                wrong.extend(
                    unjudged.map(|r| format!("{} has traffic without a verdict", r.model.model.version)),
                );
            }
            _ => {}
        }
    }
    wrong
}

/// INV-5: no row judges a model that learned from it, and no label scores a prediction made after it was known.
#[must_use]
pub fn judges(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    // How far each trained artefact has learned, from the trials themselves.
    let mut planned = BTreeMap::new();
    let mut learned_to = BTreeMap::new();
    for recorded in world.log().iter() {
        match &recorded.event {
            Event::Trial(trial) => match trial.as_ref() {
                Trial::Planned { job } => {
                    if job.purpose == Purpose::Search && job.validate.from < job.train.to {
                        wrong.push(format!("{} is scored on rows that it learns from", job.trial));
                    }
                    planned.insert(job.trial.clone(), job.train);
                }
                Trial::Finished { trial, result, .. } => {
                    if let (Some(artefact), Some(train)) = (&result.artefact, planned.get(trial)) {
                        let to = learned_to.entry(artefact.clone()).or_insert(train.to);
                        *to = train.to.max(*to);
                    }
                }
                Trial::Failed { .. } => {}
            },
            Event::Report(report) => {
                let Report::Evaluated { job, .. } = report.as_ref() else { continue };
                for judged in std::iter::once(&job.candidate).chain(&job.champion) {
                    match learned_to.get(&judged.model.artefact) {
                        Some(to) if job.recent.from < *to => wrong.push(format!(
                            "{} learned up to row {to} and is judged from row {} on",
                            judged.model.version, job.recent.from
                        )),
                        Some(_) => {}
                        None => {
                            wrong.push(format!("{} is judged, but no trial made it", judged.model.version))
                        }
                    }
                }
            }
            _ => {}
        }
    }
    wrong.extend(scored_too_late(world));
    wrong
}

/// Windows of labelled rows hold no more rows than there were labels that came after their predictions.
fn scored_too_late(world: &World) -> Vec<String> {
    let mut honest: BTreeMap<ModelVersion, u64> = BTreeMap::new();
    let mut counted: BTreeMap<ModelVersion, u64> = BTreeMap::new();
    for recorded in world.samples().iter() {
        let Event::Clean(items) = &recorded.event else { continue };
        for item in items {
            let CleanItem::Labelled(row) = item else { continue };
            if let (true, Some(answer)) = (row.is_scorable(), row.answer()) {
                *honest.entry(answer.version.clone()).or_default() += 1;
            }
        }
    }
    for recorded in world.log().iter() {
        let Event::Window(window) = &recorded.event else { continue };
        if let (WindowKind::Labelled, Some(version)) = (window.key.kind, &window.key.version) {
            *counted.entry(version.clone()).or_default() += window.rows;
        }
    }
    let too_many = counted.into_iter().filter(|(v, n)| *n > honest.get(v).copied().unwrap_or(0));
    too_many
        .map(|(v, n)| format!("{v} was scored on {n} rows, fewer labels came after their predictions"))
        .collect()
}

/// INV-6: whatever was sent is accounted for at each stage of its way.
#[must_use]
pub fn accounts(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut sent, mut labels, mut garbage) = (BTreeSet::new(), BTreeSet::new(), 0_u64);
    for recorded in world.intake().iter() {
        let Event::Intake(batch) = &recorded.event else { continue };
        for item in &batch.items {
            match item {
                IntakeItem::Prediction(record) => _ = sent.insert(record.prediction_id.clone()),
                IntakeItem::Label(label) => _ = labels.insert(label.prediction_id.clone()),
                IntakeItem::Unreadable(_) => garbage += 1,
            }
        }
    }
    let mut at = Stages::default();
    for recorded in world.samples().iter() {
        at.add(&recorded.event);
    }
    compare("predicted", "observed", &sent, &at.observed, &mut wrong);
    let onward: BTreeSet<_> = at.accepted.union(&at.quarantined).cloned().collect();
    compare("observed", "accepted or quarantined", &at.observed, &onward, &mut wrong);
    let ended: BTreeSet<_> = at.labelled.union(&at.expired).cloned().collect();
    compare("observed", "labelled or expired", &at.observed, &ended, &mut wrong);
    let taught: BTreeSet<_> = at.taught.union(&at.quarantined_labelled).cloned().collect();
    compare("labelled", "accepted or quarantined with their labels", &at.labelled, &taught, &mut wrong);
    if at.refused < garbage || at.refused != at.quarantined_raw {
        wrong.push(format!(
            "{garbage} messages were unreadable, {} refused, {} quarantined",
            at.refused, at.quarantined_raw
        ));
    }
    let unsealed = at.taught.len() as u64 - at.sealed.min(at.taught.len() as u64);
    if at.sealed > at.taught.len() as u64 || unsealed > 0 {
        wrong.push(format!("{} rows were accepted with labels, {} sealed", at.taught.len(), at.sealed));
    }
    let lost_labels = labels.iter().filter(|id| sent.contains(*id) && !ended.contains(*id)).count();
    if lost_labels > 0 {
        wrong.push(format!("{lost_labels} labels led to nothing"));
    }
    wrong
}

/// Which ids reached which stage.
#[derive(Default)]
struct Stages {
    observed: BTreeSet<PredictionId>,
    labelled: BTreeSet<PredictionId>,
    expired: BTreeSet<PredictionId>,
    accepted: BTreeSet<PredictionId>,
    taught: BTreeSet<PredictionId>,
    quarantined: BTreeSet<PredictionId>,
    quarantined_labelled: BTreeSet<PredictionId>,
    refused: u64,
    quarantined_raw: u64,
    sealed: u64,
}

impl Stages {
    fn add(&mut self, event: &Event) {
        match event {
            Event::Sample(items) => {
                for item in items {
                    match item {
                        SampleItem::Observed(r) => _ = self.observed.insert(r.prediction_id.clone()),
                        SampleItem::Labelled { record: r, .. } => {
                            _ = self.labelled.insert(r.prediction_id.clone())
                        }
                        SampleItem::Expired { prediction_id, .. } => {
                            _ = self.expired.insert(prediction_id.clone())
                        }
                        SampleItem::Refused(_) => self.refused += 1,
                        SampleItem::Mark(_) => {}
                    }
                }
            }
            Event::Clean(items) => {
                for item in items {
                    match item {
                        CleanItem::Observed(r) => _ = self.accepted.insert(r.prediction_id.clone()),
                        CleanItem::Labelled(r) => _ = self.taught.insert(r.prediction_id.clone()),
                        CleanItem::Expired { .. } | CleanItem::Mark(_) => {}
                    }
                }
            }
            Event::Quarantined(row) => match (&row.prediction_id, row.labelled) {
                (Some(id), false) => _ = self.quarantined.insert(id.clone()),
                (Some(id), true) => _ = self.quarantined_labelled.insert(id.clone()),
                (None, _) => self.quarantined_raw += 1,
            },
            Event::Segment(sealed) => self.sealed += sealed.segment.rows,
            _ => {}
        }
    }
}

fn compare(
    from: &str,
    to: &str,
    had: &BTreeSet<PredictionId>,
    have: &BTreeSet<PredictionId>,
    wrong: &mut Vec<String>,
) {
    for id in had.difference(have) {
        wrong.push(format!("{id} was {from} and never {to}"));
    }
    for id in have.difference(had) {
        wrong.push(format!("{id} was {to} and never {from}"));
    }
}

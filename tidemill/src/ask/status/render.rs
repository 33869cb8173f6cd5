//! A status for the screen. Pure: the time is given.

use tidemill_console_core::{
    AlertRecord, LoopSummary, ModelStatus, RolloutRecord, Status, TriggerRecord, TurnSummary, VerdictRecord,
    WindowRecord,
};
use tidemill_domain::{Metric, ModelVersion, Timestamp};
use tidemill_events::CommandKind;
use tidemill_events::monitor::{AlertState, ColumnDrift};
use tidemill_events::training::Trigger;

use crate::ask::lists::stage;
use crate::ask::table::{Lean, table};
use crate::ask::words::{ago, bar, count, gate, number, numbers, outcome, role, time};

/// Cells of the bar that shows how far a search is.
const BAR: u64 = 20;
/// Columns that moved, in a line.
const MAX_COLUMNS: usize = 6;

/// Every loop in a line.
pub(in crate::ask) fn loops(loops: &[LoopSummary]) -> String {
    if loops.is_empty() {
        return "there is no loop yet: `tidemill init --csv FILE` writes a loop file, `tidemill apply -f FILE` puts it in \
                force\n"
            .to_owned();
    }
    let rows: Vec<Vec<String>> = loops
        .iter()
        .map(|l| {
            let dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
            vec![
                l.name.as_str().to_owned(),
                l.spec_version.to_string(),
                dash(l.champion.as_ref().map(ModelVersion::as_str)),
                count(l.rows),
                l.alerts.to_string(),
                dash(l.turn.as_ref().map(|t| t.as_str())),
                if l.paused { "paused" } else { "" }.to_owned(),
            ]
        })
        .collect();
    let head = [
        ("LOOP", Lean::Left),
        ("SPEC", Lean::Right),
        ("CHAMPION", Lean::Left),
        ("ROWS", Lean::Right),
        ("ALERTS", Lean::Right),
        ("TURN", Lean::Left),
        ("", Lean::Left),
    ];
    table(&head, &rows)
}

/// One loop at a glance.
pub(in crate::ask) fn one(status: &Status, now: Timestamp) -> String {
    let mut page = Page::default();
    let spec = status.spec.as_ref();
    let spec = spec.map(|s| format!("version {}, by {}, {}", s.version, s.by, ago(s.at.time, now)));
    page.line(&format!("loop {}", status.name));
    page.item("spec", spec.unwrap_or_default());
    if let Some(paused) = &status.paused {
        let reason = if paused.reason.is_empty() { String::new() } else { format!(": {}", paused.reason) };
        let how = if paused.kind == CommandKind::Freeze { "FROZEN" } else { "PAUSED" };
        page.item(how, format!("by {}, {}{reason}", paused.by, ago(paused.at.time, now)));
    }
    if let Some(pinned) = &status.pinned {
        page.item("PINNED", format!("{}, {}", pinned.reason, ago(pinned.at.time, now)));
    }
    if status.models.is_empty() {
        page.item("models", "none yet: it gets one when a first model passes its evaluation".to_owned());
        if let Some(window) = &status.window {
            page.item(
                "",
                format!(
                    "{} rows in the newest window, {}",
                    count(window.window.rows),
                    ago(window.at.time, now)
                ),
            );
        }
    }
    for model in &status.models {
        page.model(model, status.metric, now);
    }
    if let Some(previous) = &status.previous {
        page.item("previous", format!("{previous}, ready to return"));
    }
    if let Some(rollout) = &status.rollout {
        page.item("rollout", rollout_line(rollout, status, now));
    }
    page.item("dataset", dataset_line(status));
    match status.alerts.as_slice() {
        [] => page.item("alerts", "none".to_owned()),
        alerts => alerts.iter().for_each(|a| page.item("alert", alert_line(a, now))),
    }
    if let Some(turn) = &status.turn {
        page.item("turn", turn_line(turn, now));
    }
    if let Some(verdict) = &status.verdict {
        page.verdict(verdict, now);
    }
    for trigger in &status.triggers {
        page.item("trigger", trigger_line(trigger, now));
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
    last: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A name and a value; the name of the line before is not said again.
    fn item(&mut self, name: &str, value: String) {
        let shown = if name == self.last { "" } else { name };
        let line = format!("  {shown:<11} {value}");
        self.line(line.trim_end());
        if !name.is_empty() {
            self.last = name.to_owned();
        }
    }

    fn model(&mut self, model: &ModelStatus, metric: Metric, now: Timestamp) {
        let ModelStatus { version, weight, since, algorithm, turn, trained_to, .. } = model;
        let share = format!("{weight:>3} %");
        let about = format!("{algorithm} of {turn}, learned to row {}", count(*trained_to));
        self.item(role(model.role), format!("{version}  {share}  since {}  {about}", ago(*since, now)));
        if let Some(window) = &model.labelled {
            self.item("", labelled_line(window, metric, now));
        }
        if let Some(window) = model.observed.as_ref().filter(|w| !w.window.drift.is_empty()) {
            self.item("", drift_line(window, now));
        }
    }

    fn verdict(&mut self, verdict: &VerdictRecord, now: Timestamp) {
        let other = verdict.champion.as_ref().map_or("the prior", ModelVersion::as_str);
        let VerdictRecord { version, outcome, .. } = verdict;
        self.item(
            "verdict",
            format!("{}: {version} against {other}, {}", gate(*outcome), ago(verdict.at.time, now)),
        );
        for g in &verdict.gates {
            self.item("", format!("{} {}: {}", gate(g.outcome), g.name, g.summary));
        }
    }
}

fn labelled_line(record: &WindowRecord, metric: Metric, now: Timestamp) -> String {
    let window = &record.window;
    let mut metrics = window.metrics.clone();
    let first = metrics.remove(metric.name()).map(|x| format!("{metric} {}", number(x)));
    let rest = Some(numbers(&metrics)).filter(|text| !text.is_empty());
    let figures: Vec<String> = first.into_iter().chain(rest).collect();
    format!("{} ({} labelled rows, {})", figures.join(", "), count(window.rows), ago(record.at.time, now))
}

fn drift_line(record: &WindowRecord, now: Timestamp) -> String {
    let drift = &record.window.drift;
    let mut moved: Vec<&ColumnDrift> = drift.iter().filter(|d| d.drifted).collect();
    let about = format!("{} rows, {}", count(record.window.rows), ago(record.at.time, now));
    if moved.is_empty() {
        return format!("no drift in {} columns ({about})", drift.len());
    }
    moved.sort_by(|a, b| b.psi.total_cmp(&a.psi));
    let mut names: Vec<String> =
        moved.iter().take(MAX_COLUMNS).map(|d| format!("{} (psi {})", d.column, number(d.psi))).collect();
    if moved.len() > MAX_COLUMNS {
        names.push(format!("{} more", moved.len() - MAX_COLUMNS));
    }
    format!("drift in {} of {} columns: {} ({about})", moved.len(), drift.len(), names.join(", "))
}

fn rollout_line(rollout: &RolloutRecord, status: &Status, now: Timestamp) -> String {
    let version = rollout.version.as_ref().map(|v| format!("{v} ")).unwrap_or_default();
    let lane = status.lane.map(|l| format!(", lane {l}")).unwrap_or_default();
    format!("{version}{}{lane}, {}: {}", rollout.step.words(), ago(rollout.at.time, now), rollout.reason)
}

fn dataset_line(status: &Status) -> String {
    let Some(dataset) = &status.dataset else { return "no labelled rows yet".to_owned() };
    let (rows, segments) = (count(dataset.rows), count(dataset.segments));
    let (from, to) = (time(dataset.from), time(dataset.to));
    format!("{}: {rows} rows in {segments} segments, predicted {from} to {to}", dataset.dataset)
}

fn alert_line(record: &AlertRecord, now: Timestamp) -> String {
    let alert = &record.alert;
    let state = match alert.state {
        AlertState::Suspected => "suspected",
        AlertState::Detected => "detected",
        AlertState::Cleared => "cleared",
    };
    format!("{} {state}, {}: {}", alert.alert, ago(record.at.time, now), alert.summary)
}

fn turn_line(turn: &TurnSummary, now: Timestamp) -> String {
    let cause = turn.cause.as_ref().map_or("unknown", |c| c.name()).replace('_', " ");
    let began = turn.began.map(|at| format!(", began {}", ago(at, now))).unwrap_or_default();
    let trials = turn.trials;
    let done = trials.finished + trials.failed;
    let failed = if trials.failed > 0 { format!(", {} failed", trials.failed) } else { String::new() };
    let best = turn.best_score.map(|x| format!(", best {}", number(x))).unwrap_or_default();
    let search =
        format!("{} {done} of {} trials{failed}{best}", bar(done, trials.planned, BAR), trials.planned);
    format!("{} for {cause}{began}, {}  {search}", turn.turn, stage(turn))
}

fn trigger_line(record: &TriggerRecord, now: Timestamp) -> String {
    let when = ago(record.at.time, now);
    match &record.trigger {
        Trigger::Accepted { turn, cause, .. } => {
            format!("{when}: {} accepted, {turn} began", cause.name().replace('_', " "))
        }
        Trigger::Closed { turn, outcome: ended, .. } => format!("{when}: {turn} ended, {}", outcome(*ended)),
        Trigger::Declined { cause, reason, .. } => {
            format!("{when}: {} declined, {reason}", cause.name().replace('_', " "))
        }
    }
}

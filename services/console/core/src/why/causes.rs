//! What asked for the turn, and what it started from: trigger, alert, window, dataset, segments, spec.

use tidemill_events::monitor::{AlertState, ColumnDrift, WindowKind};
use tidemill_events::training::{Trigger, TriggerCause};

use super::Node;
use super::text::{number, numbers, short, time};
use crate::record::{AlertRecord, WindowRecord};
use crate::turns::Turn;

/// Drifted columns that are shown of a window.
const MAX_COLUMNS: usize = 20;

/// The accepted trigger, with what asked.
pub(super) fn trigger(turn: &Turn) -> Node {
    let Some(record) = &turn.trigger else { return Node::missing("trigger") };
    let Trigger::Accepted { trigger, turn: id, cause, .. } = &record.trigger else {
        return Node::missing("trigger");
    };
    let node = Node::new(format!("trigger {trigger}: {}", cause.name().replace('_', " ")))
        .at(&record.at)
        .with("turn", id.as_str());
    match cause {
        TriggerCause::Alert { event, .. } => node.child(match &turn.alert {
            Some(record) => alert(record),
            None => Node { event: Some(event.clone()), ..Node::missing("the alert") },
        }),
        TriggerCause::Manual { by, reason } => {
            node.with("asked for by", by.clone()).with("because", reason.clone())
        }
        TriggerCause::NewLabels { rows } => node.with("rows labelled since the last turn", rows.to_string()),
        TriggerCause::Schedule { due } => node.with("due", time(*due)),
    }
}

/// An alert, with the window that says so.
pub(super) fn alert(record: &AlertRecord) -> Node {
    let alert = &record.alert;
    let state = match alert.state {
        AlertState::Suspected => "suspected",
        AlertState::Detected => "detected",
        AlertState::Cleared => "cleared",
    };
    let node = Node::new(format!("alert: {} {state}", alert.alert))
        .at(&record.at)
        .with("finding", alert.summary.clone())
        .with_some("model", alert.version.as_ref().map(|v| v.as_str()))
        .with_some("evidence", numbers(&alert.evidence))
        .with_some("columns", (!alert.columns.is_empty()).then(|| alert.columns.join(", ")));
    node.child(match &record.measured {
        Some(window) => window_node(window),
        None => Node::missing("the window"),
    })
}

fn window_node(record: &WindowRecord) -> Node {
    let window = &record.window;
    let kind = match window.key.kind {
        WindowKind::Labelled => "labelled rows",
        WindowKind::Observed => "predictions",
        WindowKind::Paired => "paired rows",
    };
    let loss = window.loss.as_ref().and_then(|l| l.mean()).map(number);
    let drifted: Vec<&ColumnDrift> = window.drift.iter().filter(|d| d.drifted).collect();
    let more = drifted.len().saturating_sub(MAX_COLUMNS);
    let node = Node::new(format!("window {} of {} {kind}", window.key.index, window.rows))
        .at(&record.at)
        .with("from", time(window.from))
        .with("to", time(window.to))
        .with_some("metrics", numbers(&window.metrics))
        .with_some("mean loss", loss);
    let node = if more > 0 { node.with("more columns that moved", more.to_string()) } else { node };
    node.children(drifted.into_iter().take(MAX_COLUMNS).map(|d| {
        Node::new(format!("column {} moved", d.column))
            .with("test", d.test.clone())
            .with("statistic", number(d.statistic))
            .with("adjusted p-value", number(d.p_adjusted))
            .with("psi", number(d.psi))
    }))
}

/// The dataset that the turn started from, with its newest segments.
pub(super) fn dataset(turn: &Turn) -> Node {
    let Some(held) = &turn.dataset else {
        let id = turn.candidate.as_ref().map_or(String::new(), |c| format!(" {}", c.dataset));
        return Node::missing(&format!("dataset{id}"));
    };
    let version = &held.version;
    let sources: Vec<String> =
        version.sources.iter().map(|(source, n)| format!("{source:?} {n}").to_lowercase()).collect();
    let node = Node::new(format!(
        "dataset {}: {} rows in {} segments",
        version.dataset, version.rows, version.segments
    ))
    .at(&version.at)
    .with("predictions from", time(version.from))
    .with("predictions to", time(version.to))
    .with_some("labels from", (!sources.is_empty()).then(|| sources.join(", ")))
    .with_some("extends", version.parent.as_ref().map(|p| p.as_str()))
    .children(held.segments.iter().map(|s| {
        let last = s.first_row.saturating_add(s.rows).saturating_sub(1);
        Node::new(format!("segment {}: {} rows", short(&s.hash), s.rows))
            .at(&s.at)
            .with("rows number", format!("{} to {last}", s.first_row))
            .with("hash", s.hash.as_str())
    }));
    match version.segments.saturating_sub(held.segments.len() as u64) {
        0 => node,
        more => node.child(Node::new(format!("and {more} older segments"))),
    }
}

/// The spec under which the turn began.
pub(super) fn spec(turn: &Turn) -> Node {
    match &turn.spec {
        Some(spec) => Node::new(format!("loop spec version {}", spec.version))
            .at(&spec.at)
            .with("applied by", spec.by.clone())
            .with("hash", short(&spec.hash)),
        None => Node::missing("loop spec"),
    }
}

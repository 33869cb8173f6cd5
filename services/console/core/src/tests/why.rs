//! INV-4: from a live model back to the rows.

use tidemill_domain::Algorithm;
use tidemill_domain::spec::AlertKind;
use tidemill_events::CommandKind;
use tidemill_events::monitor::{AlertState, WindowKind};
use tidemill_events::rollout::{Role, RolloutStep};
use tidemill_events::training::{Purpose, TriggerCause};
use tidemill_events::verdict::GateOutcome;

use super::history::{History, labels, version};
use crate::refused::Why;
use crate::why::Node;

fn why(history: &History, asked: &str) -> Node {
    history.view.why(&history.loop_id, asked).unwrap_or_else(|e| unreachable!("{e}"))
}

/// The labels, each behind as many dots as it lies deep.
fn outline(node: &Node) -> Vec<String> {
    fn down(node: &Node, depth: usize, out: &mut Vec<String>) {
        out.push(format!("{}{}", ". ".repeat(depth), node.label));
        node.children.iter().for_each(|child| down(child, depth + 1, out));
    }
    let mut out = Vec::new();
    down(node, 0, &mut out);
    out
}

fn after_drift() -> History {
    let mut history = History::new();
    (0..25).for_each(|_| drop(history.dataset(10)));
    history.promote(1, "a", labels());
    let key = history.window(WindowKind::Observed, Some("a"), 3);
    let event = history.alert(AlertKind::Drift, AlertState::Detected, "a", &key);
    history.promote(2, "b", TriggerCause::Alert { alert: AlertKind::Drift, event });
    history
}

#[test]
fn a_live_model_is_explained_down_to_its_segments() {
    let tree = why(&after_drift(), "live");
    let lines = outline(&tree);
    let (segments, links): (Vec<_>, Vec<_>) = lines.into_iter().partition(|l| l.contains("segment "));
    assert_eq!(
        links,
        [
            "model m-b: champion with 100 % of traffic, since 1970-01-01T00:00:53Z",
            ". rollout: 1 step",
            ". . promoted",
            ". verdict: passed against m-a",
            ". . gate recent: passed",
            ". candidate m-b: linear on all rows",
            ". . made by tides-2-refit-1: linear, learned again from all rows but the newest",
            ". . won by tides-2-001: linear, log loss 0.4",
            ". . other trials of the turn: 2",
            ". . . trial tides-2-002: boosting, log loss 0.5",
            ". . . trial tides-2-003: mlp, failed",
            ". trigger t-2: drift",
            ". . alert: drift detected",
            ". . . window 3 of 100 predictions",
            ". . . . column moon moved",
            ". dataset d-e1ea1f6e583a: 250 rows in 25 segments",
            ". . and 5 older segments",
            ". loop spec version 1",
            ". it replaced m-a as champion",
        ]
    );
    assert_eq!(segments.len(), 20);
    assert!(tree.walk().all(|node| !node.missing));
}

#[test]
fn every_link_names_its_event() {
    let history = after_drift();
    let tree = why(&history, "m-b");
    let on_log =
        |node: &Node| node.event.as_ref().is_none_or(|id| history.log.iter().any(|e| &e.meta.id == id));
    assert!(tree.walk().all(on_log));
    let with_event =
        ["promoted", "verdict", "candidate", "trigger", "alert", "window", "dataset", "segment", "loop spec"];
    for start in with_event {
        let found: Vec<_> = tree.walk().filter(|n| n.label.starts_with(start)).collect();
        assert!(!found.is_empty() && found.iter().all(|n| n.event.is_some()), "{start}");
    }
}

#[test]
fn the_champion_before_is_still_explained() {
    let tree = why(&after_drift(), "m-a");
    assert_eq!(tree.label, "model m-a: the champion before, ready to return");
    assert!(tree.walk().all(|node| !node.missing));
    assert_eq!(tree.children.last().map(|n| n.label.as_str()), Some("it was the first champion"));
}

#[test]
fn a_champion_that_returns_names_the_command_or_the_alert() {
    for by_hand in [true, false] {
        let mut history = after_drift();
        let (step, cause) = if by_hand {
            (RolloutStep::RolledBack, history.command(CommandKind::Rollback))
        } else {
            let key = history.window(WindowKind::Labelled, Some("b"), 1);
            (RolloutStep::Demoted, history.alert(AlertKind::Decay, AlertState::Detected, "b", &key))
        };
        history.restore(step, cause.clone());
        let tree = why(&history, "live");
        assert!(tree.label.starts_with("model m-a: champion with 100 %"), "{}", tree.label);
        let steps: Vec<&str> = tree.children[0].children.iter().map(|n| n.label.as_str()).collect();
        let expected = if by_hand { "rolled back by a person" } else { "taken back on evidence" };
        assert_eq!(steps, ["promoted", &format!("champion again: m-b was {expected}")]);
        let returned = &tree.children[0].children[1];
        assert_eq!(returned.children[0].event, Some(cause));
        // The one that went is explained too.
        let gone = why(&history, "m-b");
        assert_eq!(gone.label, "model m-b: without traffic");
        assert_eq!(gone.children[0].children.last().map(|n| n.label.as_str()), Some(expected));
    }
}

#[test]
fn what_is_not_on_the_log_is_named() {
    let mut history = History::new();
    history.plan(1, "tides-1-001", Algorithm::Linear, Purpose::Search);
    history.candidate(1, "a", "tides-1-001");
    history.step(RolloutStep::Promoted, 1, "a", Role::Champion, 100);
    let missing: Vec<String> =
        why(&history, "live").walk().filter(|n| n.missing).map(|n| n.label.clone()).collect();
    assert_eq!(
        missing,
        [
            "verdict: not on the log",
            "the trial tides-1-refit-1 that made it: not on the log",
            "trigger: not on the log",
            "dataset d-1: not on the log",
            "loop spec: not on the log",
        ]
    );
}

#[test]
fn a_model_of_an_unknown_turn_has_everything_missing() {
    let mut history = History::new();
    history.step(RolloutStep::Promoted, 1, "a", Role::Champion, 100);
    let tree = why(&history, "live");
    assert!(tree.walk().filter(|n| n.missing).count() >= 4);
}

#[test]
fn a_candidate_that_failed_is_explained_too() {
    let mut history = History::new();
    history.dataset(100);
    history.accept(1, labels());
    history.search(1);
    history.candidate(1, "a", "tides-1-001");
    history.verdict(1, "a", None, GateOutcome::Failed);
    let lines = outline(&why(&history, "m-a"));
    assert_eq!(lines[0], "model m-a: without traffic");
    assert_eq!(lines[1], ". rollout: it never got rows");
    assert_eq!(lines[2], ". verdict: failed against the prior");
}

#[test]
fn models_are_found_by_the_beginning_of_their_name() {
    let mut history = History::new();
    let refused = |h: &History, asked: &str| h.view.why(&h.loop_id, asked).err().map(|e| e.why);
    assert_eq!(refused(&history, "live"), Some(Why::NotFound));
    history.dataset(100);
    history.promote(1, "abc", labels());
    history.promote(2, "abd", labels());
    assert!(why(&history, "m-abc").label.contains(version("abc").as_str()));
    assert_eq!(refused(&history, "m-ab"), Some(Why::Invalid));
    assert_eq!(refused(&history, "m-x"), Some(Why::NotFound));
}

//! How a loop is, at each stage of its life.

use tidemill_domain::spec::AlertKind;
use tidemill_events::CommandKind;
use tidemill_events::monitor::{AlertState, WindowKind};
use tidemill_events::rollout::{Role, RolloutStep};
use tidemill_events::training::TurnOutcome;
use tidemill_events::verdict::GateOutcome;

use super::history::{History, labels, turn, version};
use crate::status::Status;
use crate::summary::{Stage, TrialCounts};
use crate::view::View;

fn status(history: &History) -> Status {
    history.view.status(&history.loop_id).unwrap_or_else(|e| unreachable!("{e}"))
}

#[test]
fn a_new_loop_has_a_spec_and_nothing_else() {
    let history = History::new();
    let status = status(&history);
    assert_eq!(status.spec.map(|s| s.version), Some(1));
    assert_eq!((status.models.len(), status.alerts.len(), status.dataset, status.turn), (0, 0, None, None));
}

#[test]
fn a_turn_is_seen_through_its_stages() {
    let mut history = History::new();
    history.dataset(100);
    history.accept(1, labels());
    let stage = |h: &History| status(h).turn.map(|t| (t.stage, t.trials));
    let counts = |planned, finished, failed| TrialCounts { planned, finished, failed };
    assert_eq!(stage(&history), Some((Stage::Searching, counts(0, 0, 0))));
    history.search(1);
    assert_eq!(stage(&history), Some((Stage::Searching, counts(4, 3, 1))));
    history.candidate(1, "a", "tides-1-001");
    assert_eq!(stage(&history), Some((Stage::Judged, counts(4, 3, 1))));
    history.verdict(1, "a", None, GateOutcome::Passed);
    assert_eq!(stage(&history), Some((Stage::Rolling, counts(4, 3, 1))));
    assert_eq!(status(&history).verdict.map(|v| v.outcome), Some(GateOutcome::Passed));
    history.step(RolloutStep::Promoted, 1, "a", Role::Champion, 100);
    history.close(1, TurnOutcome::Promoted);
    assert_eq!(stage(&history), None);
}

#[test]
fn models_have_their_share_and_since_when() {
    let mut history = History::new();
    history.dataset(100);
    history.promote(1, "a", labels());
    let since = status(&history).time;
    history.step(RolloutStep::Shadowed, 2, "b", Role::Shadow, 0);
    history.step(RolloutStep::StepStarted, 2, "b", Role::Challenger, 5);
    let started = status(&history).time;
    history.step(RolloutStep::StepStarted, 2, "b", Role::Challenger, 25);
    history.window(WindowKind::Labelled, Some("b"), 0);
    let status = status(&history);
    let models: Vec<_> = status.models.iter().map(|m| (m.version.clone(), m.role, m.weight)).collect();
    assert_eq!(models, [(version("a"), Role::Champion, 75), (version("b"), Role::Challenger, 25)]);
    // The champion's part is older than the step before the last, the challenger's began with its first share.
    assert!(
        status.models[0].since < started
            && status.models[0].since < status.time
            && since > status.models[0].since
    );
    assert_eq!(status.models[1].since, started);
    assert_eq!(status.models[1].labelled.as_ref().map(|w| w.window.rows), Some(100));
}

#[test]
fn alerts_last_until_they_are_cleared_or_their_model_goes() {
    let mut history = History::new();
    history.dataset(100);
    history.promote(1, "a", labels());
    let key = history.window(WindowKind::Observed, Some("a"), 0);
    history.alert(AlertKind::Drift, AlertState::Suspected, "a", &key);
    history.alert(AlertKind::Decay, AlertState::Detected, "a", &key);
    assert_eq!(status(&history).alerts.len(), 2);
    history.alert(AlertKind::Drift, AlertState::Cleared, "a", &key);
    assert_eq!(status(&history).alerts.len(), 1);
    history.promote(2, "b", labels());
    assert_eq!(status(&history).alerts.len(), 0);
    assert_eq!(status(&history).previous, Some(version("a")));
}

#[test]
fn pause_and_resume_are_seen() {
    let mut history = History::new();
    history.command(CommandKind::Pause);
    assert_eq!(status(&history).paused.map(|p| p.by), Some("bob".into()));
    history.command(CommandKind::Resume);
    assert_eq!(status(&history).paused, None);
}

#[test]
fn declined_triggers_are_shown_newest_first() {
    let mut history = History::new();
    (0..7).for_each(|n| history.decline(&format!("reason {n}")));
    let shown = status(&history).triggers;
    assert_eq!(shown.len(), 5);
    assert!(format!("{:?}", shown[0]).contains("reason 6"));
}

/// INV-1: events told again, in any way the bus allows, change nothing.
#[test]
fn events_told_twice_change_nothing() {
    let mut history = History::new();
    history.dataset(100);
    history.promote(1, "a", labels());
    let mut again = View::new();
    for event in &history.log {
        again.fold(event);
        history.log[..4].iter().for_each(|old| again.fold(old));
        again.fold(event);
    }
    assert_eq!(again, history.view);
}

#[test]
fn events_of_a_loop_without_a_spec_are_counted() {
    let mut history = History::without_spec();
    history.accept(1, labels());
    assert_eq!((history.view.loops().len(), history.view.passed_over()), (0, 1));
    assert!(history.view.status(&history.loop_id).is_err());
    history.apply(super::history::spec(""));
    assert_eq!(history.view.loops().len(), 1);
    assert_eq!(history.view.known(&history.loop_id).map(|s| s.turns.iter().count()), Ok(0));
    let _ = turn(1);
}

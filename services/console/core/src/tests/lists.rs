//! What memory keeps, and what it lets go.

use tidemill_domain::Algorithm;
use tidemill_events::monitor::WindowKind;
use tidemill_events::training::{Purpose, TurnOutcome};

use super::history::{History, labels, turn};
use crate::record::TrialState;
use crate::why::Past;

#[test]
fn trials_tell_what_they_gave() {
    let mut history = History::new();
    history.dataset(100);
    history.promote(1, "a", labels());
    let state = history.view.known(&history.loop_id).unwrap_or_else(|e| unreachable!("{e}"));
    let trials = state.turns.get(&turn(1)).map(|t| t.trials.clone()).unwrap_or_default();
    let of = |name: &str| trials.iter().find(|t| t.trial.as_str() == name);
    let refit = of("tides-1-refit-1").map(|t| (t.state, t.score, t.artefact.is_some(), t.rows, t.validated));
    assert_eq!(refit, Some((TrialState::Finished, None, true, 76, 0)));
    let failed = of("tides-1-003").map(|t| (t.state, t.reason.as_deref()));
    assert_eq!(failed, Some((TrialState::Failed, Some("no rows"))));
}

#[test]
fn lists_are_bounded_and_count_what_is_gone() {
    let mut history = History::new();
    (0..1_010).for_each(|n| drop(history.window(WindowKind::Labelled, None, n)));
    let state = history.view.known(&history.loop_id).unwrap_or_else(|e| unreachable!("{e}"));
    assert_eq!((state.windows.len(), state.windows.gone()), (1_000, 10));
}

#[test]
fn old_turns_go_but_not_that_of_the_champion() {
    let mut history = History::new();
    history.dataset(100);
    history.promote(1, "a", labels());
    for n in 2..=300 {
        history.accept(n, labels());
        (0..10).for_each(|i| history.plan(n, &format!("tides-{n}-{i}"), Algorithm::Linear, Purpose::Search));
        history.close(n, TurnOutcome::NoCandidate);
    }
    let state = history.view.known(&history.loop_id).unwrap_or_else(|e| unreachable!("{e}"));
    assert_eq!((state.turns.iter().count(), state.turns.gone), (200, 100));
    assert_eq!(state.turns.iter().next().map(|t| t.id.clone()), Some(turn(1)));
    let kept: usize = state.turns.iter().map(|t| t.trials.len()).sum();
    assert!(kept <= 2_000, "{kept}");
    assert_eq!(kept as u64 + state.turns.trials_gone, 299 * 10 + 4);
    let why = history.view.why(&history.loop_id, "live").unwrap_or_else(|e| unreachable!("{e}"));
    assert!(why.walk().all(|node| !node.missing));
}

#[test]
fn a_turn_that_is_kept_elsewhere_is_explained_alike() {
    let mut history = History::new();
    history.dataset(100);
    history.promote(1, "a", labels());
    let state = history.view.known(&history.loop_id).unwrap_or_else(|e| unreachable!("{e}"));
    let known = state.turns.get(&turn(1)).cloned().unwrap_or_else(|| unreachable!("it is there"));
    let held = known.dataset.unwrap_or_else(|| unreachable!("it is there"));
    let past = Past {
        version: super::history::version("a"),
        turn: turn(1),
        trigger: known.trigger,
        alert: known.alert,
        dataset: Some(held.version),
        segments: held.segments,
        spec: known.spec,
        trials: known.trials,
        more_trials: 0,
        candidate: known.candidate,
        verdict: known.verdict,
        steps: known.steps.iter().cloned().collect(),
    };
    let again = history.view.why_past(&history.loop_id, past);
    assert_eq!(again, history.view.why(&history.loop_id, "live"));
}

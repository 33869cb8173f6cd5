//! Lists: filters, orders and bounds.

use tidemill_domain::Algorithm;
use tidemill_events::monitor::WindowKind;
use tidemill_events::training::{Purpose, TurnOutcome};

use super::history::{History, labels, turn};
use crate::record::TrialState;
use crate::trials::{Sort, TrialFilter};

fn two_turns() -> History {
    let mut history = History::new();
    history.dataset(100);
    history.promote(1, "a", labels());
    history.promote(2, "b", labels());
    history
}

#[test]
fn trials_are_filtered_and_sorted() {
    let history = two_turns();
    let names = |filter: TrialFilter| -> Vec<String> {
        let page = history.view.trials(&history.loop_id, &filter).unwrap_or_else(|e| unreachable!("{e}"));
        page.items.into_iter().map(|t| t.trial.as_str().to_owned()).collect()
    };
    let of_turn = |turn: &str| TrialFilter { turn: Some(turn.into()), ..TrialFilter::default() };
    for (filter, expected) in [
        (TrialFilter { limit: 2, ..TrialFilter::default() }, vec!["tides-2-refit-1", "tides-2-003"]),
        (of_turn("1"), vec!["tides-1-refit-1", "tides-1-003", "tides-1-002", "tides-1-001"]),
        (TrialFilter { algorithm: Some(Algorithm::Mlp), ..of_turn("tides-1") }, vec!["tides-1-003"]),
        (TrialFilter { sort: Sort::Score, limit: 2, ..of_turn("1") }, vec!["tides-1-001", "tides-1-002"]),
        (TrialFilter { sort: Sort::Cost, limit: 2, ..of_turn("2") }, vec!["tides-2-002", "tides-2-refit-1"]),
    ] {
        assert_eq!(names(filter.clone()), expected, "{filter:?}");
    }
    let unknown = history.view.trials(&history.loop_id, &of_turn("9")).err().map(|e| e.remedy);
    assert_eq!(unknown, Some("there is tides-1 to tides-2".into()));
}

#[test]
fn trials_tell_what_they_gave() {
    let history = two_turns();
    let filter = TrialFilter { turn: Some("1".into()), ..TrialFilter::default() };
    let page = history.view.trials(&history.loop_id, &filter).unwrap_or_else(|e| unreachable!("{e}"));
    let of = |name: &str| page.items.iter().find(|t| t.trial.as_str() == name);
    let refit = of("tides-1-refit-1").map(|t| (t.state, t.score, t.artefact.is_some(), t.rows, t.validated));
    assert_eq!(refit, Some((TrialState::Finished, None, true, 76, 0)));
    let failed = of("tides-1-003").map(|t| (t.state, t.reason.as_deref()));
    assert_eq!(failed, Some((TrialState::Failed, Some("no rows"))));
}

#[test]
fn segments_are_those_of_the_newest_dataset() {
    let mut history = History::new();
    (0..5).for_each(|_| drop(history.dataset(10)));
    let page = history.view.segments(&history.loop_id, 2).unwrap_or_else(|e| unreachable!("{e}"));
    let rows: Vec<_> = page.items.iter().map(|s| (s.first_row, s.rows)).collect();
    assert_eq!((rows, page.total, page.gone), (vec![(40, 10), (30, 10)], 5, 0));
}

#[test]
fn lists_are_bounded_and_say_what_is_gone() {
    let mut history = History::new();
    (0..1_010).for_each(|n| drop(history.window(WindowKind::Labelled, None, n)));
    let page = history.view.windows(&history.loop_id, 1).unwrap_or_else(|e| unreachable!("{e}"));
    assert_eq!((page.total, page.gone, page.items[0].window.key.index), (1_000, 10, 1_009));
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
    let page = history.view.turns(&history.loop_id, 1_000).unwrap_or_else(|e| unreachable!("{e}"));
    assert_eq!((page.total, page.gone), (200, 100));
    assert_eq!(page.items.last().map(|t| t.turn.clone()), Some(turn(1)));
    let all = TrialFilter { limit: 5_000, ..TrialFilter::default() };
    let trials = history.view.trials(&history.loop_id, &all).unwrap_or_else(|e| unreachable!("{e}"));
    assert!(trials.items.len() <= 2_000, "{}", trials.items.len());
    assert_eq!(trials.total + trials.gone, 299 * 10 + 4);
    let why = history.view.why(&history.loop_id, "live").unwrap_or_else(|e| unreachable!("{e}"));
    assert!(why.walk().all(|node| !node.missing));
}

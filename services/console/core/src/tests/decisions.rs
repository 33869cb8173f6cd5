//! What is allowed when.

use tidemill_events::{CommandKind, Event};

use super::history::{History, labels, spec};
use crate::decide::{Ask, Asked};
use crate::refused::Why;

/// `done`, `already`, or why it is refused.
fn ask(history: &History, kind: CommandKind) -> &'static str {
    match history.view.command(&history.loop_id, kind, Ask { by: "ann", reason: "because" }) {
        Ok(Asked::Do(_)) => "done",
        Ok(Asked::AlreadySo(_)) => "already",
        Err(refused) => match refused.why {
            Why::Conflict => "conflict",
            Why::Invalid => "invalid",
            Why::NotFound => "not found",
        },
    }
}

#[test]
fn commands_are_checked_against_the_state() {
    use CommandKind::{Pause, Resume, Retrain, Rollback};
    let mut h = History::new();
    let expect = |h: &History, what: [(CommandKind, &str); 4]| {
        for (kind, expected) in what {
            assert_eq!(ask(h, kind.clone()), expected, "{kind:?}");
        }
    };
    expect(&h, [(Pause, "done"), (Resume, "already"), (Retrain, "conflict"), (Rollback, "conflict")]);
    h.dataset(100);
    h.command(Pause);
    expect(&h, [(Pause, "already"), (Resume, "done"), (Retrain, "conflict"), (Rollback, "conflict")]);
    h.command(Resume);
    h.promote(1, "a", labels());
    expect(&h, [(Pause, "done"), (Resume, "already"), (Retrain, "done"), (Rollback, "conflict")]);
    h.promote(2, "b", labels());
    h.accept(3, labels());
    expect(&h, [(Pause, "done"), (Resume, "already"), (Retrain, "conflict"), (Rollback, "done")]);
}

#[test]
fn who_asks_must_be_named() {
    let history = History::new();
    let refused = history.view.command(&history.loop_id, CommandKind::Pause, Ask { by: " ", reason: "" });
    assert_eq!(refused.err().map(|r| r.why), Some(Why::Invalid));
    assert_eq!(history.view.apply(&spec(""), "").err().map(|r| r.why), Some(Why::Invalid));
}

#[test]
fn a_spec_counts_up_and_an_equal_one_changes_nothing() {
    let mut history = History::without_spec();
    let plan =
        |h: &History, rest: &str| h.view.apply(&spec(rest), "ann").unwrap_or_else(|e| unreachable!("{e}"));
    let first = plan(&history, "");
    assert_eq!((first.version, first.is_new, first.draft.is_some()), (1, true, true));
    history.apply(spec(""));
    let same = plan(&history, "");
    assert_eq!((same.version, same.is_new, same.draft), (1, false, None));
    let changed = plan(&history, "  monitor: { window: 1h }\n  training: { metric: accuracy }\n");
    assert_eq!((changed.version, changed.differences.len(), changed.notes.len()), (2, 2, 1));
    let Some(Event::Spec(applied)) = changed.draft.map(|d| d.event) else { unreachable!("no spec") };
    assert_eq!((applied.version, applied.by.as_str()), (2, "ann"));
    assert_eq!(applied.hash, applied.spec.hash());
}

#[test]
fn a_change_of_columns_is_pointed_out() {
    let history = History::new();
    let mut other = spec("");
    other.schema.features[0].name = "sun".into();
    let plan = history.view.apply(&other, "ann").unwrap_or_else(|e| unreachable!("{e}"));
    assert!(plan.notes[0].contains("begins anew"), "{:?}", plan.notes);
}

//! A log in which everything happens that lists tell of: two turns, an alert, a rollback, refused rows.

use tidemill_domain::spec::AlertKind;
use tidemill_domain::{EventId, LoopId, PredictionId, Timestamp};
use tidemill_events::envelope::Meta;
use tidemill_events::monitor::{AlertState, WindowKind};
use tidemill_events::rollout::{Role, RolloutStep};
use tidemill_events::sample::Quarantined;
use tidemill_events::training::{TriggerCause, TurnOutcome};
use tidemill_events::verdict::GateOutcome;
use tidemill_events::{CommandKind, Event, Partition, Recorded, Subject, Topic};

use super::history::{History, labels, spec, version};

/// What happened to the loop `tides`.
pub(super) fn story() -> History {
    let mut history = History::new();
    history.dataset(100);
    history.promote(1, "a", labels());
    history.apply(spec("  monitor: { window: 1h }\n"));
    for index in 0..3 {
        history.window(WindowKind::Labelled, Some("a"), index);
    }
    let window = history.window(WindowKind::Observed, Some("a"), 0);
    history.alert(AlertKind::Drift, AlertState::Suspected, "a", &window);
    let alert = history.alert(AlertKind::Drift, AlertState::Detected, "a", &window);
    history.dataset(50);
    history.dataset(50);
    history.decline("the last turn ended a moment ago");
    history.accept(2, TriggerCause::Alert { alert: AlertKind::Drift, event: alert });
    history.search(2);
    history.candidate(2, "b", "tides-2-001");
    history.verdict(2, "b", Some("a"), GateOutcome::Passed);
    history.step(RolloutStep::Shadowed, 2, "b", Role::Shadow, 0);
    history.step(RolloutStep::StepStarted, 2, "b", Role::Challenger, 25);
    history.step(RolloutStep::Promoted, 2, "b", Role::Champion, 100);
    history.close(2, TurnOutcome::Promoted);
    history.alert(AlertKind::Drift, AlertState::Cleared, "a", &window);
    let rollback = history.command(CommandKind::Rollback);
    history.restore(RolloutStep::RolledBack, rollback);
    history.command(CommandKind::Pause);
    history.command(CommandKind::Resume);
    history.accept(3, TriggerCause::Manual { by: "bob".into(), reason: "a test".into() });
    history.search(3);
    assert_eq!(history.view.why(&history.loop_id, "live").map(|tree| tree.label.contains("m-a")), Ok(true));
    assert_ne!(version("a"), version("b"));
    history
}

/// Rows that the validator refused. One has a zero byte in its id, which Postgres takes in no text.
pub(super) fn refused() -> Vec<Recorded> {
    let loop_id = LoopId::new("tides").unwrap_or_else(|e| unreachable!("{e}"));
    let row = |sequence: u64| {
        let id = if sequence == 5 { "p\0five".to_owned() } else { format!("p/{sequence}") };
        let row = Quarantined {
            prediction_id: (sequence != 3).then(|| PredictionId::new(id)),
            payload: format!("{{\"moon\": {sequence}, \"text\": \"a\0b\"}}"),
            reasons: vec![format!("\"moon\" is {sequence}, less is expected"), "it is too late".into()],
            labelled: sequence % 2 == 0,
        };
        let meta = Meta {
            id: EventId::new(format!("q{sequence}")),
            source: "validator-0".into(),
            causation: None,
            correlation: None,
            upto: None,
        };
        let subject = Subject::new(loop_id.clone(), Topic::Quarantine(Partition(0)));
        Recorded { sequence, time: Timestamp(7_000_000), subject, meta, event: Event::Quarantined(row) }
    };
    // Other messages of the stream lie between them.
    [2, 3, 5, 8, 13].map(row).to_vec()
}

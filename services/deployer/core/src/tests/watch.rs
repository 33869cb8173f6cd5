//! Tables: what takes a new champion back, and when its watch ends.

use tidemill_domain::Span;
use tidemill_domain::spec::{AlertKind, Lane};
use tidemill_events::core::Core;
use tidemill_events::monitor::AlertState;

use crate::harness::*;

/// A loop whose champion `b` is on watch for an hour, with `a` beside it.
fn on_watch() -> World {
    let mut world = World::begun(Lane::Fast);
    assert_eq!(world.pass("b", Linear), steps([(Promoted, "b")]));
    assert_eq!(world.routes(), "b:100 a:0 (was a)");
    world
}

#[test]
fn a_first_model_is_not_watched_as_there_is_no_way_back() {
    let mut world = World::begun(Lane::Fast);
    assert_eq!(world.core.deadline(), None);
    assert_eq!(world.decay("a"), steps([]));
}

#[test]
fn the_watch_ends_by_a_tick_at_its_deadline() {
    let mut world = on_watch();
    assert_eq!(world.core.deadline(), Some(world.now + Span::hours(1)));
    assert_eq!(world.wait(Span::minutes(59)).tick(), steps([]));
    assert_eq!(world.wait(Span::minutes(1)).tick(), steps([(Watched, "b")]));
    assert_eq!(world.core.deadline(), None);
    assert_eq!(world.routes(), "b:100 (was a)");
    assert_eq!(world.decay("b"), steps([]), "a champion that stood its watch is not taken back");
}

#[test]
fn a_tick_counts_by_its_deadline_where_the_log_is_a_little_behind() {
    let mut world = on_watch();
    let due = world.core.deadline().unwrap();
    world.now = due - Span::millis(3);
    let tick = tidemill_events::Tick { role: "deployer".into(), due };
    assert_eq!(world.give(tidemill_events::Event::Tick(tick)), steps([(Watched, "b")]));
}

#[test]
fn a_decay_takes_a_champion_on_watch_back() {
    let mut world = on_watch();
    assert_eq!(world.decay("b"), steps([(Demoted, "b")]));
    assert_eq!(world.routes(), "a:100");
    assert_eq!(world.core.deadline(), None);
}

#[test]
fn only_a_detected_decay_of_the_champion_takes_it_back() {
    let mut world = on_watch();
    for event in [
        alert(AlertKind::Drift, AlertState::Detected, "b"),
        alert(AlertKind::Decay, AlertState::Suspected, "b"),
        alert(AlertKind::Decay, AlertState::Cleared, "b"),
        alert(AlertKind::Decay, AlertState::Detected, "a"),
    ] {
        assert_eq!(world.give(event), steps([]));
    }
}

#[test]
fn a_decay_does_not_take_back_what_is_better_than_before() {
    let mut world = on_watch();
    assert_eq!(world.pairs(200, -0.5), steps([]));
    assert_eq!(world.decay("b"), steps([]));
    assert_eq!(world.routes(), "b:100 a:0 (was a)");
}

#[test]
fn a_champion_worse_than_the_previous_one_is_taken_back() {
    let mut world = on_watch();
    assert_eq!(world.pairs(200, 0.5), steps([(Demoted, "b")]));
    assert_eq!(world.routes(), "a:100");
}

#[test]
fn a_champion_worse_within_the_margin_stays() {
    let mut world = on_watch();
    assert_eq!(world.pairs(900, 0.04), steps([]));
}

#[test]
fn the_previous_champion_leaves_the_shadow_after_its_rows_and_stays_ready() {
    let mut world = on_watch();
    assert_eq!(world.pairs(999, 0.0), steps([]));
    assert_eq!(world.pairs(1, 0.0), steps([(Kept, "a")]));
    assert_eq!(world.routes(), "b:100 (was a)");
    assert_eq!(world.decay("b"), steps([(Demoted, "b")]));
    assert_eq!(world.routes(), "a:100");
}

#[test]
fn a_contender_takes_the_place_of_the_previous_champion() {
    let mut world = World::begun(Lane::Auto);
    world.pass("b", Linear);
    assert_eq!(world.pass("c", Boosting), steps([(Shadowed, "c")]));
    assert_eq!(world.routes(), "b:100 c:0 (was a)");
    assert_eq!(world.decay("b"), steps([(Demoted, "b")]), "the watch goes on by alerts");
    assert_eq!(world.routes(), "a:100 c:0", "and the contender is compared with who returned");
}

#[test]
fn without_a_watch_nothing_runs_beside_a_new_champion() {
    let mut spec = spec();
    spec.rollout.watch = Span(0);
    let mut world = World::with(spec);
    world.pass("a", Linear);
    world.pass("b", Linear);
    assert_eq!(world.routes(), "b:100 (was a)");
    assert_eq!(world.core.deadline(), None);
}

#[test]
fn going_back_is_not_withheld_by_a_pause() {
    let mut world = on_watch();
    world.give(command(tidemill_events::CommandKind::Pause));
    assert_eq!(world.decay("b"), steps([(Demoted, "b")]));
}

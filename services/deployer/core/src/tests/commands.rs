//! Tables: what people ask for, and what follows.

use tidemill_domain::spec::Lane;
use tidemill_events::event::CommandKind::{Pause, Resume, Retrain, Rollback};

use crate::harness::*;

#[test]
fn a_rollback_restores_the_previous_champion_by_one_event() {
    let mut world = World::begun(Lane::Fast);
    world.pass("b", Linear);
    assert_eq!(world.give(command(Rollback)), steps([(RolledBack, "b")]));
    assert_eq!(world.routes(), "a:100");
}

#[test]
fn a_rollback_also_ends_a_rollout() {
    let mut world = World::begun(Lane::Auto);
    world.pass("b", Linear);
    world.pass("c", Boosting);
    assert_eq!(world.give(command(Rollback)), steps([(RolledBack, "b"), (Kept, "c")]));
    assert_eq!(world.routes(), "a:100");
}

#[test]
fn a_rollback_without_a_previous_champion_is_declined() {
    let mut world = World::begun(Lane::Fast);
    assert_eq!(world.give(command(Rollback)), steps([(Declined, "")]));
    world.pass("b", Linear);
    world.give(command(Rollback));
    assert_eq!(world.give(command(Rollback)), steps([(Declined, "")]));
    assert_eq!(world.routes(), "a:100");
}

#[test]
fn pause_and_resume_are_told_once() {
    let mut world = World::begun(Lane::Fast);
    let told: Vec<_> =
        [Pause, Pause, Retrain, Resume, Resume].map(|kind| world.give(command(kind)).len()).to_vec();
    assert_eq!(told, [1, 0, 0, 1, 0]);
    assert_eq!(world.give(command(Pause)), steps([(Paused, "")]));
    assert_eq!(world.give(command(Resume)), steps([(Resumed, "")]));
}

#[test]
fn a_rollback_works_while_paused() {
    let mut world = World::begun(Lane::Fast);
    world.pass("b", Linear);
    world.give(command(Pause));
    assert_eq!(world.give(command(Rollback)), steps([(RolledBack, "b")]));
}

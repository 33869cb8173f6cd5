//! Tables: what people ask for, and what follows.

use tidemill_domain::ModelVersion;
use tidemill_domain::spec::Approval;
use tidemill_domain::spec::Lane;
use tidemill_events::Event;
use tidemill_events::event::CommandKind::{self, Freeze, Pause, Resume, Retrain, Rollback, Unpin};
use tidemill_events::verdict::GateOutcome;

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

fn pin(name: &str) -> CommandKind {
    CommandKind::Pin { version: Some(ModelVersion::new(name)) }
}

fn approve(name: &str) -> CommandKind {
    CommandKind::Approve { version: ModelVersion::new(name) }
}

fn reject(name: &str) -> CommandKind {
    CommandKind::Reject { version: ModelVersion::new(name) }
}

/// A loop whose candidates wait for a person; the first one was approved.
fn manual() -> World {
    let mut spec = spec();
    (spec.training.approval, spec.rollout.lane) = (Approval::Manual, Lane::Auto);
    let mut world = World::with(spec);
    assert_eq!(world.pass("a", Linear), steps([(Awaiting, "a")]));
    assert_eq!(world.routes(), "", "nobody answers before a person said so");
    assert_eq!(world.give(command(approve("a"))), steps([(Promoted, "a")]));
    world
}

#[test]
fn with_manual_approval_a_candidate_waits() {
    let mut world = manual();
    assert_eq!(world.pass("b", Linear), steps([(Awaiting, "b")]));
    assert_eq!(world.pass("c", Boosting), steps([(Awaiting, "c")]));
    assert_eq!(world.give(command(reject("b"))), steps([(Declined, "b")]));
    assert_eq!(
        world.give(command(approve("b"))),
        steps([(Declined, "")]),
        "what was rejected does not come back"
    );
    assert_eq!(
        world.give(command(approve("c"))),
        steps([(Shadowed, "c")]),
        "approval does not spare the steps"
    );
    assert_eq!(world.give(command(reject("c"))), steps([(Kept, "c")]), "a person can end a rollout");
    assert_eq!(world.routes(), "a:100");
}

#[test]
fn an_approval_that_comes_too_late_says_why() {
    let mut world = manual();
    world.pass("b", Linear);
    world.pass("c", Linear);
    world.give(command(approve("b")));
    assert_eq!(world.routes(), "b:100 a:0 (was a)");
    // c was judged against a, which is not the champion any more
    assert_eq!(world.give(command(approve("c"))), steps([(Declined, "c")]));
}

#[test]
fn only_so_many_wait() {
    let mut world = manual();
    for n in 0..8 {
        world.pass(&format!("w{n}"), Linear);
    }
    assert_eq!(world.pass("x", Linear), steps([(Awaiting, "x"), (Declined, "w0")]));
}

#[test]
fn a_frozen_loop_moves_neither_forward_nor_back() {
    let mut world = World::begun(Lane::Fast);
    world.pass("b", Linear);
    assert_eq!(world.give(command(Freeze)), steps([(Frozen, "")]));
    assert_eq!(world.decay("b"), steps([]));
    assert_eq!(world.pairs(1_000, -0.5), steps([]));
    assert_eq!(world.pass("c", Linear), steps([(Declined, "c")]));
    assert_eq!(world.give(command(Resume)), steps([(Resumed, "")]));
    assert_eq!(world.decay("b"), steps([(Demoted, "b")]));
}

#[test]
fn a_pinned_model_keeps_all_traffic() {
    let mut world = World::begun(Lane::Auto);
    world.pass("b", Boosting);
    assert_eq!(world.routes(), "a:100 b:0");
    assert_eq!(world.give(command(CommandKind::Pin { version: None })), steps([(Pinned, "a"), (Kept, "b")]));
    assert_eq!(world.routes(), "a:100");
    assert_eq!(world.pass("c", Linear), steps([(Declined, "c")]));
    assert_eq!(world.decay("a"), steps([]));
    assert_eq!(world.give(command(Unpin)), steps([(Unpinned, "")]));
    assert_eq!(world.pass("d", Linear), steps([(Promoted, "d")]));
}

#[test]
fn a_person_may_pin_what_failed_but_not_what_was_never_judged() {
    let mut world = World::begun(Lane::Fast);
    let champion = world.table.champion().map(|c| c.model.version.clone());
    let failed = verdict(&deployed("f", Linear), champion, GateOutcome::Failed);
    world.give(Event::Verdict(Box::new(failed)));
    assert_eq!(world.give(command(pin("nobody"))), steps([(Declined, "")]));
    assert_eq!(world.give(command(pin("f"))), steps([(Pinned, "f")]));
    assert_eq!(world.routes(), "f:100 (was a)");
    assert_eq!(world.give(command(Rollback)), steps([(RolledBack, "f")]));
    assert_eq!(
        world.pass("c", Linear),
        steps([(Declined, "c")]),
        "the pin stays, with whoever a person wants"
    );
}

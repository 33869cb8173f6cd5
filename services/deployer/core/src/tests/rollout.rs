//! Tables: how a contender climbs, stays or falls by paired rows.

use tidemill_domain::spec::Lane;
use tidemill_events::event::CommandKind;
use tidemill_events::rollout::Role;

use crate::harness::*;

/// A loop whose champion `a` has the contender `b` in the shadow.
fn shadowed() -> World {
    let mut world = World::begun(Lane::Auto);
    assert_eq!(world.pass("b", Boosting), steps([(Shadowed, "b")]));
    world
}

#[test]
fn the_shadow_ends_after_enough_labelled_rows() {
    let mut world = shadowed();
    assert_eq!(world.table.contender().map(|c| c.role), Some(Role::Shadow));
    assert_eq!(world.pairs(499, 0.0), steps([]));
    assert_eq!(world.pairs(1, 0.0), steps([(StepStarted, "b")]));
    assert_eq!(world.routes(), "a:95 b:5");
    assert_eq!(world.table.contender().map(|c| c.role), Some(Role::Challenger));
}

#[test]
fn a_challenger_that_is_not_worse_climbs_step_by_step_and_becomes_champion() {
    let mut world = shadowed();
    let mut seen = vec![world.routes()];
    for _ in 0..4 {
        world.pairs(500, 0.0);
        seen.push(world.routes());
    }
    assert_eq!(seen, ["a:100 b:0", "a:95 b:5", "a:75 b:25", "a:50 b:50", "b:100 a:0 (was a)"]);
}

#[test]
fn a_better_challenger_is_promoted_early_but_not_out_of_the_shadow() {
    let mut world = shadowed();
    assert_eq!(world.pairs(600, 0.5), steps([(StepStarted, "b")]));
    assert_eq!(world.pairs(30, 0.5), steps([(Promoted, "b")]));
}

#[test]
fn a_worse_challenger_goes_at_once_wherever_it_is() {
    let mut world = shadowed();
    assert_eq!(world.pairs(100, -0.5), steps([(Kept, "b")]));
    assert_eq!(world.routes(), "a:100");
    let mut world = shadowed();
    world.pairs(500, 0.0);
    assert_eq!(world.pairs(500, -0.5), steps([(Kept, "b")]));
    assert_eq!(world.routes(), "a:100");
}

#[test]
fn at_the_row_limit_the_champion_stays() {
    let mut spec = spec();
    spec.rollout.max_rows = 2_000;
    let mut world = World::with(spec);
    world.pass("a", Linear);
    world.pass("b", Boosting);
    // Worse by exactly the margin: never shown to be either.
    assert_eq!(world.pairs(500, -0.05), steps([(StepStarted, "b")]));
    assert_eq!(world.pairs(1_999, -0.05), steps([]));
    assert_eq!(world.pairs(1, -0.05), steps([(Kept, "b")]));
    assert_eq!(world.routes(), "a:100");
}

#[test]
fn without_a_shadow_the_first_share_comes_at_once() {
    let mut spec = spec();
    spec.rollout.shadow = 0;
    let mut world = World::with(spec);
    world.pass("a", Linear);
    assert_eq!(world.pass("b", Boosting), steps([(StepStarted, "b")]));
    assert_eq!(world.routes(), "a:95 b:5");
}

#[test]
fn no_model_gets_everything_without_a_closed_test() {
    for shadow in [0, 500] {
        let mut spec = spec();
        (spec.rollout.shadow, spec.rollout.steps) = (shadow, vec![100]);
        let mut world = World::with(spec);
        world.pass("a", Linear);
        assert_eq!(world.pass("b", Boosting), steps([(Shadowed, "b")]));
        assert_eq!(world.pairs(600, -0.05), steps([]), "undecided");
        assert_eq!(world.pairs(6_000, 0.01), steps([(Promoted, "b")]));
    }
}

#[test]
fn windows_of_other_pairs_are_passed_over() {
    let mut world = shadowed();
    for (champion, challenger) in [("b", "a"), ("a", "c"), ("c", "b")] {
        assert_eq!(world.give(window(champion, challenger, 5_000, 0.5)), steps([]));
    }
    assert_eq!(world.routes(), "a:100 b:0");
}

#[test]
fn a_pause_holds_a_challenger_where_it_is_but_lets_it_fall() {
    let mut world = shadowed();
    world.give(command(CommandKind::Pause));
    assert_eq!(world.pairs(5_000, 0.5), steps([]));
    assert_eq!(world.routes(), "a:100 b:0");
    world.give(command(CommandKind::Resume));
    assert_eq!(world.pairs(1, 0.5), steps([(StepStarted, "b")]));
    world.give(command(CommandKind::Pause));
    assert_eq!(world.pairs(50_000, -0.9), steps([(Kept, "b")]));
}

#[test]
fn each_step_names_its_turn_and_its_evidence() {
    let mut world = shadowed();
    let drafts = world.give_drafts(window("a", "b", 500, 0.0));
    assert_eq!(drafts[0].turn, Some(deployed("b", Boosting).turn));
    let tidemill_events::Event::Rollout(told) = &drafts[0].event else { panic!() };
    assert_eq!(told.judgement.as_ref().map(|j| j.n), Some(500));
    assert_eq!(told.lane, Some(Lane::Steps));
}

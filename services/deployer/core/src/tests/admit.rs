//! Tables: which passed candidates are taken, on which lane, and why others are not.

use tidemill_domain::DatasetId;
use tidemill_domain::spec::Lane;
use tidemill_events::dataset::DatasetCreated;
use tidemill_events::event::{CommandKind, Event};
use tidemill_events::verdict::GateOutcome;

use crate::harness::*;

fn declined_because(world: &mut World, event: Event) -> String {
    let told = world.rollouts(event);
    assert_eq!(told.iter().map(|r| r.step).collect::<Vec<_>>(), [Declined]);
    told[0].reason.clone()
}

#[test]
fn the_first_model_answers_all_at_once() {
    for lane in [Lane::Auto, Lane::Fast, Lane::Steps] {
        let mut spec = spec();
        spec.rollout.lane = lane;
        let mut world = World::with(spec);
        assert_eq!(world.pass("a", Linear), steps([(Promoted, "a")]), "{lane}");
        assert_eq!(world.routes(), "a:100");
    }
}

#[test]
fn a_candidate_that_did_not_pass_moves_nothing() {
    for outcome in [GateOutcome::Failed, GateOutcome::Inconclusive, GateOutcome::Recorded] {
        let mut world = World::with(spec());
        let verdict = verdict(&deployed("a", Linear), None, outcome);
        assert_eq!(world.give(Event::Verdict(Box::new(verdict))), steps([]));
    }
}

#[test]
fn auto_takes_a_proven_kind_fast_and_a_new_kind_in_steps() {
    let mut world = World::begun(Lane::Auto);
    assert_eq!(world.pass("b", Linear), steps([(Promoted, "b")]));
    assert_eq!(world.pass("c", Boosting), steps([(Shadowed, "c")]));
    assert_eq!(world.routes(), "b:100 c:0 (was a)");
}

#[test]
fn a_set_lane_overrides_what_is_proven() {
    assert_eq!(World::begun(Lane::Fast).pass("b", Boosting), steps([(Promoted, "b")]));
    assert_eq!(World::begun(Lane::Steps).pass("b", Linear), steps([(Shadowed, "b")]));
}

#[test]
fn a_kind_that_was_taken_back_has_to_prove_itself_again() {
    let mut world = World::begun(Lane::Auto);
    world.pass("b", Boosting);
    for _ in 0..4 {
        world.pairs(1_000, 0.0);
    }
    assert_eq!(world.routes(), "b:100 a:0 (was a)");
    world.decay("b");
    assert_eq!(world.routes(), "a:100");
    assert_eq!(world.pass("c", Boosting), steps([(Shadowed, "c")]));
    assert_eq!(world.pass("d", Linear), steps([(Promoted, "d")]));
}

#[test]
fn a_fast_candidate_takes_over_during_a_rollout_and_the_challenger_is_compared_anew() {
    let mut world = World::begun(Lane::Auto);
    world.pass("b", Boosting);
    world.pairs(500, 0.0);
    assert_eq!(world.routes(), "a:95 b:5");
    assert_eq!(world.pass("c", Linear), steps([(Promoted, "c")]));
    assert_eq!(world.routes(), "c:95 b:5 (was a)");
    assert_eq!(
        world.give(window("a", "b", 1_000, 0.0)),
        steps([]),
        "rows against the old champion do not count"
    );
    assert_eq!(world.pairs(299, 0.0), steps([]), "and are forgotten");
    assert_eq!(world.pairs(1, 0.0), steps([(StepStarted, "b")]));
    assert_eq!(world.routes(), "c:75 b:25 (was a)");
}

#[test]
fn a_newer_candidate_of_the_same_kind_takes_the_challengers_place_and_its_evidence() {
    let mut world = World::begun(Lane::Auto);
    world.pass("b", Boosting);
    world.pairs(500, 0.0);
    world.pairs(200, 0.0);
    assert_eq!(world.pass("c", Boosting), steps([(Replaced, "b"), (StepStarted, "c")]));
    assert_eq!(world.routes(), "a:95 c:5");
    assert_eq!(world.give(window("a", "b", 1_000, 0.0)), steps([]), "late rows of the old one do not count");
    assert_eq!(world.pairs(100, 0.0), steps([(StepStarted, "c")]));
    assert_eq!(world.routes(), "a:75 c:25");
}

#[test]
fn a_candidate_of_another_kind_waits_for_the_end_of_a_rollout() {
    let mut world = World::begun(Lane::Auto);
    world.pass("b", Boosting);
    assert_eq!(world.pass("c", Mlp), steps([(Declined, "c")]));
    assert_eq!(world.routes(), "a:100 b:0");
}

#[test]
fn nothing_is_taken_while_the_loop_is_paused() {
    let mut world = World::with(spec());
    world.give(command(CommandKind::Pause));
    assert_eq!(world.pass("a", Linear), steps([(Declined, "a")]));
    assert_eq!(world.routes(), "");
}

#[test]
fn a_verdict_told_twice_counts_once() {
    let mut world = World::begun(Lane::Auto);
    assert_eq!(world.pass("b", Linear), steps([(Promoted, "b")]));
    assert_eq!(world.pass("b", Linear), steps([]));
}

#[test]
fn a_verdict_by_rules_that_changed_is_not_enough() {
    let mut world = World::begun(Lane::Auto);
    let mut stricter = spec();
    stricter.evaluation.max_regression = -0.1;
    world.give(applied(2, stricter.clone()));
    assert_eq!(world.pass("b", Linear), steps([(Declined, "b")]));
    // Rules that stayed the same since spec 2 make a verdict under spec 2 good under spec 3.
    stricter.rollout.min_rows = 10;
    world.give(applied(3, stricter));
    let mut later =
        verdict(&deployed("c", Linear), Some(deployed("a", Linear).model.version), GateOutcome::Passed);
    later.spec_version = 2;
    assert_eq!(world.give(Event::Verdict(Box::new(later))), steps([(Promoted, "c")]));
}

#[test]
fn a_verdict_against_another_champion_is_not_enough() {
    let mut world = World::begun(Lane::Auto);
    for champion in [None, Some(deployed("z", Linear).model.version)] {
        let name = format!("b{}", champion.is_some());
        let verdict = verdict(&deployed(&name, Linear), champion, GateOutcome::Passed);
        let reason = declined_because(&mut world, Event::Verdict(Box::new(verdict)));
        assert!(reason.contains("the champion is a"), "{reason}");
    }
}

#[test]
fn a_model_that_serves_already_is_not_taken_again() {
    let mut world = World::begun(Lane::Auto);
    world.pass("b", Boosting);
    for name in ["a", "b"] {
        let mut again = deployed(name, Linear);
        again.turn = tidemill_domain::TurnId::new(format!("another turn of {name}"));
        if name == "b" {
            again.model.algorithm = Boosting;
        }
        let verdict = verdict(&again, Some(deployed("a", Linear).model.version), GateOutcome::Passed);
        declined_because(&mut world, Event::Verdict(Box::new(verdict)));
    }
}

#[test]
fn after_a_change_of_rows_the_next_candidate_takes_over_at_once() {
    let mut world = World::begun(Lane::Steps);
    world.pass("b", Boosting);
    let mut reshaped = spec();
    reshaped.schema.features[0].name = "z".into();
    reshaped.rollout.lane = Lane::Steps;
    assert_eq!(world.give(applied(2, reshaped)), steps([(Kept, "b")]));
    let mut first = verdict(&deployed("c", Boosting), None, GateOutcome::Passed);
    first.spec_version = 2;
    assert_eq!(world.give(Event::Verdict(Box::new(first))), steps([(Promoted, "c")]));
    assert_eq!(world.routes(), "c:100", "the champion of the old rows is no way back");
}

#[test]
fn a_dataset_that_begins_anew_counts_as_a_change_of_rows() {
    let mut world = World::begun(Lane::Steps);
    let dataset = |id: &str, parent: Option<&str>| {
        Event::Dataset(DatasetCreated {
            dataset: DatasetId::new(id),
            parent: parent.map(DatasetId::new),
            added: Vec::new(),
            rows: 0,
            segments: 0,
            schema: spec().schema.hash(),
            from: Default::default(),
            to: Default::default(),
            sources: Default::default(),
            classes: Default::default(),
        })
    };
    world.give(dataset("d-1", None));
    world.give(dataset("d-2", Some("d-1")));
    assert_eq!(world.pass("b", Boosting), steps([(Shadowed, "b")]));
    assert_eq!(world.give(dataset("d-3", None)), steps([(Kept, "b")]));
    let anew = verdict(&deployed("c", Mlp), None, GateOutcome::Passed);
    assert_eq!(world.give(Event::Verdict(Box::new(anew))), steps([(Promoted, "c")]));
}

//! Random logs: INV-1, INV-2, INV-3 and INV-9 for the deployer. Legal tables and rising versions are asserted by the
//! harness, for every event that is ever told.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidemill_domain::spec::{AlertKind, Approval, Lane};
use tidemill_domain::{Algorithm, ModelVersion, Span};
use tidemill_events::core::Core;
use tidemill_events::event::{CommandKind, Event};
use tidemill_events::monitor::AlertState;
use tidemill_events::verdict::GateOutcome;

use crate::Deployer;
use crate::harness::*;

#[derive(Clone, Debug)]
enum Act {
    Alert { model: usize, detected: bool },
    Command(usize, usize),
    Pairs { rows: u64, mean: f64 },
    Spec { lane: usize, steps: Vec<u8>, shadow: u64, reshape: bool, strict: bool, manual: bool },
    StrayPairs { champion: usize, challenger: usize, mean: f64 },
    Verdict { model: usize, turn: u8, passed: bool, against: Option<usize>, spec_version: u64 },
    Wait { minutes: i64 },
}

const NAMES: [&str; 6] = ["m0", "m1", "m2", "m3", "m4", "m5"];

fn act() -> impl Strategy<Value = Act> {
    let model = 0..NAMES.len();
    prop_oneof![
        1 => (model.clone(), any::<bool>()).prop_map(|(model, detected)| Act::Alert { model, detected }),
        1 => (0..11_usize, model.clone()).prop_map(|(kind, model)| Act::Command(kind, model)),
        6 => (1..1_500_u64, -0.3..0.3_f64).prop_map(|(rows, mean)| Act::Pairs { rows, mean }),
        1 => (0..3_usize, prop::collection::vec(0..=255_u8, 0..4), 0..600_u64, prop::bool::weighted(0.2), any::<bool>(), any::<bool>())
            .prop_map(|(lane, steps, shadow, reshape, strict, manual)| Act::Spec { lane, steps, shadow, reshape, strict, manual }),
        1 => (model.clone(), model.clone(), -0.3..0.3_f64)
            .prop_map(|(champion, challenger, mean)| Act::StrayPairs { champion, challenger, mean }),
        6 => (model.clone(), any::<u8>(), prop::bool::weighted(0.8), prop::option::weighted(0.1, model), 1..5_u64)
            .prop_map(|(model, turn, passed, against, spec_version)| Act::Verdict { model, turn, passed, against, spec_version }),
        1 => (1..90_i64).prop_map(|minutes| Act::Wait { minutes }),
    ]
}

/// The event of an act, in the light of what the log says so far; acts that make no sense yet give none.
fn event_of(world: &World, act: &Act, specs: &mut u64) -> Option<Event> {
    let champion = world.table.champion().map(|c| c.model.version.clone());
    Some(match act {
        Act::Alert { model, detected } => {
            let state = if *detected { AlertState::Detected } else { AlertState::Suspected };
            alert(AlertKind::Decay, state, NAMES[*model])
        }
        Act::Command(kind, model) => {
            let version = ModelVersion::new(NAMES[*model]);
            let kinds = [
                CommandKind::Pause,
                CommandKind::Resume,
                CommandKind::Resume,
                CommandKind::Rollback,
                CommandKind::Retrain,
                CommandKind::Freeze,
                CommandKind::Pin { version: None },
                CommandKind::Pin { version: Some(version.clone()) },
                CommandKind::Unpin,
                CommandKind::Approve { version: version.clone() },
                CommandKind::Reject { version },
            ];
            command(kinds[*kind].clone())
        }
        Act::Pairs { rows, mean } => {
            let contender = world.table.contender()?.model.model.version.clone();
            window(champion?.as_str(), contender.as_str(), *rows, *mean)
        }
        Act::Spec { lane, steps, shadow, reshape, strict, manual } => {
            *specs += 1;
            let mut spec = spec();
            spec.rollout.lane = [Lane::Auto, Lane::Fast, Lane::Steps][*lane];
            (spec.rollout.steps, spec.rollout.shadow) = (steps.clone(), *shadow);
            spec.evaluation.max_regression = if *strict { -0.1 } else { 0.0 };
            spec.training.approval = if *manual { Approval::Manual } else { Approval::Automatic };
            if *reshape {
                spec.schema.features[0].name = format!("x{specs}");
            }
            applied(*specs, spec)
        }
        Act::StrayPairs { champion, challenger, mean } => {
            window(NAMES[*champion], NAMES[*challenger], 700, *mean)
        }
        Act::Verdict { model, turn, passed, against, spec_version } => {
            let mut candidate = deployed(NAMES[*model], Algorithm::ALL[*model % 3]);
            candidate.turn = tidemill_domain::TurnId::new(format!("t{turn}"));
            let against = against.map(|i| ModelVersion::new(NAMES[i])).or(champion);
            let outcome = if *passed { GateOutcome::Passed } else { GateOutcome::Failed };
            let mut verdict = verdict(&candidate, against, outcome);
            verdict.spec_version = (*spec_version).max(specs.saturating_sub(1));
            Event::Verdict(Box::new(verdict))
        }
        Act::Wait { .. } => Event::Tick(tidemill_events::Tick { role: "deployer".into(), due: world.now }),
    })
}

/// Plays the acts; returns the world, and what was told by each input.
fn play(acts: &[Act]) -> (World, Vec<Vec<tidemill_events::Draft>>) {
    let (mut world, mut specs, mut told) = (World::with(spec()), 1, vec![Vec::new()]);
    for act in acts {
        if let Act::Wait { minutes } = act {
            world.wait(Span::minutes(*minutes));
        }
        if let Some(event) = event_of(&world, act, &mut specs) {
            told.push(world.give_drafts(event));
        }
    }
    (world, told)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// INV-2: a model version gets traffic only if an evaluation passed it.
    #[test]
    fn only_models_that_passed_are_ever_routed(acts in prop::collection::vec(act(), 0..60)) {
        let (world, told) = play(&acts);
        let mut passed = BTreeSet::new();
        for (input, drafts) in world.log.iter().zip(told) {
            if let Event::Verdict(verdict) = &input.event && verdict.outcome == GateOutcome::Passed {
                passed.insert(verdict.candidate.model.version.clone());
            }
            // A person's word is the other way to traffic.
            if let Event::Command(asked) = &input.event && let CommandKind::Pin { version: Some(version) } = &asked.kind {
                passed.insert(version.clone());
            }
            for draft in drafts {
                let Event::Rollout(rollout) = draft.event else { unreachable!() };
                for route in &rollout.table.routes {
                    prop_assert!(passed.contains(&route.model.model.version), "{rollout:?}");
                }
            }
        }
    }

    /// INV-3: at most one champion, always one once there was one, and the previous one returns by one event.
    #[test]
    fn a_rollback_restores_the_previous_champion_from_any_state(acts in prop::collection::vec(act(), 0..60)) {
        let (mut world, _) = play(&acts);
        let previous = world.table.previous.clone();
        let told = world.rollouts(command(CommandKind::Rollback));
        match previous {
            Some(previous) => {
                prop_assert_eq!(told[0].step, RolledBack);
                prop_assert_eq!(told[0].table.champion(), Some(&previous));
                prop_assert_eq!(told[0].table.routes.len(), 1);
            }
            None => prop_assert_eq!(told[0].step, Declined),
        }
    }

    /// INV-9: a core that is saved at any place and loaded into a new one goes on as if it had folded everything.
    #[test]
    fn a_snapshot_goes_on_as_the_core_would(
        acts in prop::collection::vec(act(), 0..40),
        at in any::<prop::sample::Index>(),
    ) {
        let (world, told) = play(&acts);
        let at = at.index(world.log.len());
        let (mut core, mut whole) = (Deployer::new(), Deployer::new());
        for (i, input) in world.log.iter().enumerate() {
            if i == at {
                let saved = core.save().unwrap();
                core = Deployer::new();
                core.load(&saved).unwrap();
                prop_assert_eq!(&core, &whole);
            }
            whole.fold(input);
            prop_assert_eq!(&core.fold(input), &told[i]);
            prop_assert_eq!(core.deadline(), whole.deadline());
        }
    }

    /// INV-1: inputs delivered again, one by one or from any point on, change nothing.
    #[test]
    fn inputs_delivered_again_change_nothing(
        acts in prop::collection::vec(act(), 0..40),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let (world, told) = play(&acts);
        let mut core = Deployer::new();
        let mut points: Vec<usize> = again.iter().map(|i| i.index(world.log.len())).collect();
        points.sort_unstable();
        for (i, input) in world.log.iter().enumerate() {
            let drafts = core.fold(input);
            prop_assert_eq!(&drafts, &told[i], "the same log gives the same decisions (INV-9)");
            for point in points.iter().filter(|p| **p <= i) {
                for earlier in &world.log[*point..=i] {
                    prop_assert!(core.fold(earlier).is_empty());
                }
            }
        }
        prop_assert_eq!(core, world.core);
    }

    /// Its own events come back on the log; they and everything unknown change nothing but the place.
    #[test]
    fn a_deployer_does_not_listen_to_itself(acts in prop::collection::vec(act(), 0..40)) {
        let (mut world, told) = play(&acts);
        for (place, draft) in (0_u64..).zip(told.into_iter().flatten()) {
            let mut back = world.record(draft.event);
            back.sequence += 1_000_000 + place;
            prop_assert_eq!(world.core.fold(&back), Vec::new());
        }
    }
}

//! Snapshots: a core that is saved and loaded at any place goes on exactly as one that folded everything (INV-9).
//!
//! Whole loops are played under random schedules; every core but ingest, which keeps its own, is put aside and taken up
//! again after inputs drawn by lot. What lies on the log must be the same as without.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use tidemill_automl_trainer_core::Trainer;
use tidemill_deployer_core::Deployer;
use tidemill_domain::Timestamp;
use tidemill_domain::hash::seed_of;
use tidemill_evaluator_core::Evaluator;
use tidemill_events::core::{Core, Draft};
use tidemill_events::{Partition, Recorded};
use tidemill_monitor_core::{Measure, Merge};
use tidemill_sim::fault::Faults;
use tidemill_sim::schedule::{START, Schedule};
use tidemill_sim::{Cast, Options, Player, World, check};
use tidemill_validator_core::{Datasets, Validate};

const SCHEDULES: u64 = 150;
const ROWS: usize = 240;

/// A core that is saved and loaded into a new one after some of its inputs.
struct Kept<C> {
    core: C,
    make: fn() -> C,
    seed: u64,
    /// Whether what was saved is taken up again, or forgotten as by a broken core.
    forgets: bool,
}

impl<C: Core> Core for Kept<C> {
    type Job = C::Job;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        let drafts = self.core.fold(input);
        if seed_of(&format!("{}/{}", self.seed, input.sequence)).is_multiple_of(5) {
            let saved = self.core.save().unwrap();
            let mut next = (self.make)();
            if !self.forgets {
                next.load(&saved).unwrap();
                assert_eq!(next.save().unwrap(), saved, "what was loaded is saved as it was");
                let names = |core: &C| core.jobs().into_iter().map(|job| job.0).collect::<Vec<_>>();
                assert_eq!(names(&next), names(&self.core));
                assert_eq!(next.deadline(), self.core.deadline());
            }
            self.core = next;
        }
        drafts
    }

    fn jobs(&self) -> Vec<(String, C::Job)> {
        self.core.jobs()
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.core.deadline()
    }
}

fn kept<C: Core + 'static>(cast: Cast, name: &str, seed: u64, forgets: bool, make: fn() -> C) -> Cast
where
    Kept<C>: Player,
{
    cast.with(name, move || Box::new(Kept { core: make(), make, seed, forgets }))
}

fn play(cast: Cast, seed: u64) -> World {
    let schedule = Schedule::seeded(seed, ROWS).unwrap();
    let mut world = World::new(cast, Options { start: START, forget: false, faults: Faults::default() });
    schedule.play(&mut world);
    world
}

#[test]
fn a_core_that_is_put_aside_goes_on_as_if_nothing_had_been() {
    for seed in 0..SCHEDULES {
        let mut cast = Cast::production(1);
        cast = kept(cast, "validator-0", seed, false, || Validate::new(Partition(0)));
        cast = kept(cast, "validator-dataset", seed, false, Datasets::new);
        cast = kept(cast, "monitor-0", seed, false, || Measure::new(Partition(0)));
        cast = kept(cast, "monitor-merge", seed, false, || Merge::new(1));
        cast = kept(cast, "automl-trainer", seed, false, Trainer::new);
        cast = kept(cast, "evaluator", seed, false, Evaluator::new);
        cast = kept(cast, "deployer", seed, false, Deployer::new);
        let found = check::differences(&play(Cast::production(1), seed), &play(cast, seed));
        assert!(found.is_empty(), "schedule {seed}:\n{}", found.join("\n"));
    }
}

/// The first schedules under which a core that forgets is found out.
fn caught(forgetful: impl Fn(Cast, u64) -> Cast) -> bool {
    (0..20).any(|seed| {
        let cast = forgetful(Cast::production(1), seed);
        !check::differences(&play(Cast::production(1), seed), &play(cast, seed)).is_empty()
    })
}

#[test]
fn a_core_that_forgets_is_found_out() {
    assert!(caught(|cast, seed| kept(cast, "validator-0", seed, true, || Validate::new(Partition(0)))));
    assert!(caught(|cast, seed| kept(cast, "validator-dataset", seed, true, Datasets::new)));
    assert!(caught(|cast, seed| kept(cast, "monitor-0", seed, true, || Measure::new(Partition(0)))));
    assert!(caught(|cast, seed| kept(cast, "automl-trainer", seed, true, Trainer::new)));
    assert!(caught(|cast, seed| kept(cast, "evaluator", seed, true, Evaluator::new)));
    assert!(caught(|cast, seed| kept(cast, "deployer", seed, true, Deployer::new)));
}

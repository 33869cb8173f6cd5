//! The invariants under random schedules and faults; and for each a broken core that its check catches.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use tidemill_deployer_core::Deployer;
use tidemill_domain::Timestamp;
use tidemill_evaluator_core::Evaluator;
use tidemill_events::core::{Core, Draft};
use tidemill_events::sample::{CleanItem, SampleItem};
use tidemill_events::verdict::EvaluationJob;
use tidemill_events::{Event, Partition, Recorded};
use tidemill_ingest_core::Ingest;
use tidemill_sim::fault::Faults;
use tidemill_sim::schedule::{START, Schedule};
use tidemill_sim::{Cast, Options, World, check};
use tidemill_validator_core::Validate;

/// Random schedules a property.
const SCHEDULES: u64 = 1_000;
/// Rows of a schedule; each is a prediction, mostly a label, and the passing of time.
const ROWS: usize = 240;

fn play(cast: Cast, seed: u64, faults: Faults) -> World {
    let schedule = Schedule::seeded(seed, ROWS).unwrap();
    let mut world = World::new(cast, Options { start: START, forget: false, faults });
    schedule.play(&mut world);
    world
}

fn production() -> Cast {
    Cast::production(1)
}

fn always(what: &str, wrong: impl Fn(u64) -> Vec<String>) {
    for seed in 0..SCHEDULES {
        let found = wrong(seed);
        assert!(found.is_empty(), "{what} is broken under schedule {seed}:\n{}", found.join("\n"));
    }
}

/// The first seed under which a check catches something.
fn caught(wrong: impl Fn(u64) -> Vec<String>) -> bool {
    (0..50).any(|seed| !wrong(seed).is_empty())
}

#[test]
fn inv_1_delivering_again_and_restarting_change_nothing() {
    always("INV-1", |seed| {
        let calm = play(production(), seed, Faults::default());
        let stormy = play(production(), seed, Faults::seeded(seed));
        check::differences(&calm, &stormy)
    });
}

#[test]
fn inv_2_and_3_routes_are_legal_and_judged() {
    always("INV-2 or INV-3", |seed| {
        let world = play(production(), seed, Faults::seeded(seed));
        [check::routes(&world), check::passed(&world)].concat()
    });
}

#[test]
fn inv_5_judges_are_honest() {
    always("INV-5", |seed| check::judges(&play(production(), seed, Faults::seeded(seed))));
}

#[test]
fn inv_6_everything_is_accounted_for() {
    always("INV-6", |seed| check::accounts(&play(production(), seed, Faults::seeded(seed))));
}

#[test]
fn inv_9_the_same_log_gives_the_same_decisions() {
    always("INV-9", |seed| {
        let play = || play(production(), seed, Faults::default());
        check::differences(&play(), &play())
    });
}

#[test]
fn schedules_reach_what_they_are_to_test() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut count = |what: String| *seen.entry(what).or_default() += 1;
    for seed in 0..40 {
        let world = play(production(), seed, Faults::default());
        for recorded in world.log().iter().chain(world.samples().iter()) {
            match &recorded.event {
                Event::Alert(alert) => count(format!("alert {:?}", alert.state)),
                Event::Quarantined(_) => count("quarantined".to_owned()),
                Event::Rollout(rollout) => count(format!("rollout {:?}", rollout.step)),
                Event::Clean(items) => {
                    let expired = items.iter().filter(|i| matches!(i, CleanItem::Expired { .. }));
                    expired.for_each(|_| count("expired".to_owned()));
                }
                _ => {}
            }
        }
    }
    let wanted = ["expired", "quarantined", "rollout Promoted", "rollout Shadowed", "rollout StepStarted"];
    for what in wanted {
        assert!(seen.get(what).is_some_and(|n| *n >= 5), "too few of \"{what}\": {seen:#?}");
    }
}

/// A core with something changed in what it sees or says.
struct Bent<C, F> {
    core: C,
    bend: F,
}

impl<C: Core, F: FnMut(&mut C, &Recorded) -> Vec<Draft> + Send> Core for Bent<C, F> {
    type Job = C::Job;
    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        (self.bend)(&mut self.core, input)
    }
    fn jobs(&self) -> Vec<(String, C::Job)> {
        self.core.jobs()
    }
    fn deadline(&self) -> Option<Timestamp> {
        self.core.deadline()
    }
}

#[test]
fn an_ingest_that_takes_duplicates_is_caught() {
    // It answers a repeated prediction once more, as a join without memory would.
    let bent = || {
        Box::new(Bent {
            core: Ingest::new(Partition(0), 1),
            bend: |core: &mut Ingest, input: &Recorded| {
                let mut drafts = core.fold(input);
                if let (Event::Intake(batch), true) = (&input.event, drafts.is_empty()) {
                    for item in &batch.items {
                        if let tidemill_events::intake::IntakeItem::Prediction(record) = item {
                            let to = tidemill_events::Subject::new(
                                input.subject.loop_id.clone(),
                                tidemill_events::Topic::Sample(Partition(0)),
                            );
                            drafts.push(Draft::new(
                                to,
                                Event::Sample(vec![SampleItem::Observed(record.clone())]),
                            ));
                        }
                    }
                }
                drafts
            },
        }) as Box<dyn tidemill_sim::Player>
    };
    assert!(caught(|seed| {
        let calm = play(production().with("ingest-0", bent), seed, Faults::default());
        let stormy = play(production().with("ingest-0", bent), seed, Faults::seeded(seed));
        check::differences(&calm, &stormy)
    }));
}

#[test]
fn a_deployer_that_gives_too_much_traffic_is_caught() {
    let bent = || {
        Box::new(Bent {
            core: Deployer::new(),
            bend: |core: &mut Deployer, input: &Recorded| {
                let mut drafts = core.fold(input);
                for draft in &mut drafts {
                    if let Event::Rollout(rollout) = &mut draft.event {
                        for route in &mut rollout.table.routes {
                            route.weight = 100;
                        }
                    }
                }
                drafts
            },
        }) as Box<dyn tidemill_sim::Player>
    };
    assert!(caught(|seed| check::routes(&play(
        production().with("deployer", bent),
        seed,
        Faults::default()
    ))));
}

/// An evaluator that judges candidates on rows that taught them.
struct Lenient(Evaluator);

impl Core for Lenient {
    type Job = EvaluationJob;
    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        self.0.fold(input)
    }
    fn jobs(&self) -> Vec<(String, EvaluationJob)> {
        let back = |(name, mut job): (String, EvaluationJob)| {
            job.recent.from = job.recent.from.saturating_sub(20);
            (name, job)
        };
        self.0.jobs().into_iter().map(back).collect()
    }
}

#[test]
fn an_evaluator_that_judges_on_training_rows_is_caught() {
    let bent = || Box::new(Lenient(Evaluator::new())) as Box<dyn tidemill_sim::Player>;
    assert!(caught(|seed| check::judges(&play(
        production().with("evaluator", bent),
        seed,
        Faults::default()
    ))));
}

#[test]
fn a_validator_that_drops_in_silence_is_caught() {
    let bent = || {
        Box::new(Bent {
            core: Validate::new(Partition(0)),
            bend: |core: &mut Validate, input: &Recorded| {
                let mut drafts = core.fold(input);
                drafts.retain(|d| !matches!(d.event, Event::Quarantined(_)));
                drafts
            },
        }) as Box<dyn tidemill_sim::Player>
    };
    assert!(caught(|seed| check::accounts(&play(
        production().with("validator-0", bent),
        seed,
        Faults::default()
    ))));
}

#[test]
fn a_core_that_draws_lots_is_caught() {
    use std::sync::atomic::{AtomicU64, Ordering};
    // It remembers something from one life to the next, as a core that asks a clock or the system for randomness does.
    static LIVES: AtomicU64 = AtomicU64::new(0);
    let bent = || {
        let life = LIVES.fetch_add(1, Ordering::Relaxed);
        Box::new(Bent {
            core: Deployer::new(),
            bend: move |core: &mut Deployer, input: &Recorded| {
                let mut drafts = core.fold(input);
                for draft in &mut drafts {
                    if let Event::Rollout(rollout) = &mut draft.event {
                        rollout.reason.push_str(&format!(" in life {life}"));
                    }
                }
                drafts
            },
        }) as Box<dyn tidemill_sim::Player>
    };
    assert!(caught(|seed| {
        let play = || play(production().with("deployer", bent), seed, Faults::default());
        check::differences(&play(), &play())
    }));
}

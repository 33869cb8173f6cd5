//! Tables: given these events, when this one, then those verdicts and jobs; and the same for random logs.

use proptest::prelude::*;
use tidemill_domain::{
    Algorithm, ContentHash, EventId, LoopSpec, ModelRef, Schema, Strategy as Adaptation, Target, TargetKind,
    Timestamp, TrialId,
};
use tidemill_events::dataset::SegmentRef;
use tidemill_events::envelope::Meta;
use tidemill_events::model::Profile;
use tidemill_events::rollout::{Role, Rollout, RolloutStep, Route};
use tidemill_events::subject::{LOGS, Topic};
use tidemill_events::training::Choice;
use tidemill_events::verdict::{Comparison, GateOutcome};

use super::*;

fn loop_id() -> LoopId {
    LoopId::new("demo").unwrap()
}

fn spec() -> LoopSpec {
    let target = Target { name: "y".into(), kind: TargetKind::Categorical { classes: None } };
    LoopSpec::with_defaults(
        loop_id(),
        Schema { features: Vec::new(), target, entity: None, slices: Vec::new() },
    )
}

fn deployed(name: &str, trained_to: u64) -> Deployed {
    let artefact = ContentHash::of(name.as_bytes());
    let model = ModelRef { version: ModelVersion::new(name), artefact, algorithm: Algorithm::Linear };
    Deployed { model, turn: TurnId::new(format!("t-{name}")), trained_to }
}

fn candidate(name: &str, trained_to: u64) -> Event {
    let choice =
        Choice { algorithm: Algorithm::Linear, parameters: BTreeMap::new(), strategy: Adaptation::All };
    Event::Candidate(Box::new(Candidate {
        model: deployed(name, trained_to),
        dataset: DatasetId::new("d-learned"),
        trial: TrialId::new("trial"),
        choice,
        members: Vec::new(),
        profile: Profile::new(&spec().schema, 32),
        leaderboard: Vec::new(),
    }))
}

fn routes(version: u64, champion: &Deployed) -> Event {
    let routes = vec![Route { model: champion.clone(), role: Role::Champion, weight: 100 }];
    let table = RouteTable { version, routes, previous: None };
    let (step, reason) = (RolloutStep::Promoted, String::new());
    Event::Rollout(Box::new(Rollout { step, version: None, lane: None, table, judgement: None, reason }))
}

fn dataset(id: &str, parent: Option<&str>, rows: u64) -> Event {
    let added = vec![SegmentRef { hash: ContentHash::of(id.as_bytes()), rows }];
    Event::Dataset(DatasetCreated {
        dataset: DatasetId::new(id),
        parent: parent.map(DatasetId::new),
        added,
        rows,
        segments: 1,
        schema: spec().schema.hash(),
        from: Timestamp(0),
        to: Timestamp(0),
        sources: BTreeMap::new(),
        classes: Default::default(),
    })
}

fn good(rows: u64) -> Measurement {
    let mut recent = Comparison { rows, ..Comparison::default() };
    for _ in 0..rows {
        recent.difference.insert(0.1);
        recent.champion_loss.insert(0.5);
    }
    Measurement { recent, old: Comparison::default() }
}

fn evaluated(job: &EvaluationJob) -> Event {
    Event::Report(Box::new(Report::Evaluated { job: job.clone(), measurement: good(job.recent.rows()) }))
}

fn failed(job: &EvaluationJob) -> Event {
    Event::Report(Box::new(Report::EvaluationFailed { job: job.clone(), reason: "disk".into() }))
}

#[derive(Default)]
struct World {
    core: Evaluator,
    log: Vec<Recorded>,
}

impl World {
    /// A loop with defaults, a dataset of so many rows and, maybe, a champion.
    fn with(rows: u64, champion: Option<&Deployed>) -> Self {
        let mut world = Self::default();
        let spec = spec();
        world.give(Event::Spec(Box::new(SpecApplied {
            version: 1,
            hash: spec.hash(),
            spec,
            by: "ann".into(),
        })));
        world.give(dataset("d-1", None, rows));
        if let Some(champion) = champion {
            world.give(routes(1, champion));
        }
        world
    }

    fn give(&mut self, event: Event) -> Vec<Verdict> {
        let sequence = self.log.len() as u64 + 1;
        let log = LOGS.iter().map(|l| l.0).find(|l| event.belongs_on(Topic::Log(*l))).unwrap();
        let id = EventId::new(format!("e-{sequence}"));
        let meta = Meta { id, source: "test".into(), causation: None, correlation: None, upto: None };
        let subject = Subject::log(loop_id(), log);
        let recorded = Recorded { sequence, time: Timestamp(0), subject, meta, event };
        let drafts = self.core.fold(&recorded);
        self.log.push(recorded);
        let verdicts = drafts.into_iter().map(|d| match d.event {
            Event::Verdict(v) => {
                assert_eq!((d.turn.as_ref(), d.to.topic), (Some(&v.turn), Topic::Log(Log::Verdict)));
                *v
            }
            other => panic!("{other:?}"),
        });
        verdicts.collect()
    }

    fn job(&self) -> EvaluationJob {
        let jobs = self.core.jobs();
        assert_eq!(jobs.len(), 1, "one job is wanted: {jobs:?}");
        jobs[0].1.clone()
    }
}

#[test]
fn a_candidate_is_measured_on_rows_that_neither_model_learned_from() {
    for (candidate_to, champion_to, from) in [(800, 600, 800), (600, 800, 800)] {
        let mut world = World::with(1_000, Some(&deployed("a", champion_to)));
        assert_eq!(world.give(candidate("b", candidate_to)), []);
        let job = world.job();
        assert_eq!((job.recent.from, job.recent.to), (from, 1_000));
        assert_eq!((job.old.from, job.old.to), (0, from));
        assert_eq!(job.champion, Some(deployed("a", champion_to)));
        assert_eq!(job.located.segments.len(), 1);
    }
}

#[test]
fn the_first_report_gives_the_verdict_and_ends_the_job() {
    let mut world = World::with(1_000, None);
    world.give(candidate("b", 800));
    let job = world.job();
    assert_eq!(world.core.jobs()[0].0, "evaluate/demo/t-b");
    let verdicts = world.give(evaluated(&job));
    assert_eq!(verdicts.iter().map(|v| v.outcome).collect::<Vec<_>>(), [GateOutcome::Passed]);
    assert_eq!((&verdicts[0].dataset, verdicts[0].spec_version), (&DatasetId::new("d-1"), 1));
    assert!(world.core.jobs().is_empty());
    assert_eq!(world.give(failed(&job)), []);
    assert_eq!(world.give(candidate("b", 800)), [], "a turn is judged once");
    assert!(world.core.jobs().is_empty());
}

#[test]
fn a_job_does_not_change_when_newer_rows_come() {
    let mut world = World::with(1_000, None);
    world.give(candidate("b", 800));
    let before = world.core.jobs();
    world.give(dataset("d-2", Some("d-1"), 500));
    assert_eq!(world.core.jobs(), before);
}

#[test]
fn too_few_rows_are_waited_for() {
    let mut world = World::with(1_000, None);
    world.give(candidate("b", 980));
    assert!(world.core.jobs().is_empty());
    world.give(dataset("d-2", Some("d-1"), 29));
    assert!(world.core.jobs().is_empty());
    world.give(dataset("d-3", Some("d-2"), 1));
    let job = world.job();
    assert_eq!((job.recent.rows(), job.dataset), (50, DatasetId::new("d-3")));
}

#[test]
fn a_failed_evaluation_gives_a_verdict_without_evidence() {
    let mut world = World::with(1_000, Some(&deployed("a", 0)));
    world.give(candidate("b", 800));
    let job = world.job();
    let verdicts = world.give(failed(&job));
    assert_eq!(verdicts[0].outcome, GateOutcome::Inconclusive);
    assert_eq!(verdicts[0].gates[0].summary, "the evaluation failed: disk");
    assert!(world.core.jobs().is_empty());
}

#[test]
fn a_report_of_another_job_is_passed_over() {
    let mut world = World::with(1_000, None);
    world.give(candidate("b", 800));
    let mut job = world.job();
    job.recent.from += 1;
    assert_eq!(world.give(evaluated(&job)), []);
    assert_eq!(world.core.jobs().len(), 1);
}

#[test]
fn a_candidate_is_measured_again_when_the_champion_changed_meanwhile() {
    let mut world = World::with(1_000, None);
    world.give(candidate("b", 800));
    let first = world.job();
    world.give(routes(1, &deployed("a", 900)));
    assert_eq!(world.give(evaluated(&first)), []);
    assert_eq!(world.core.jobs()[0].0, "evaluate/demo/t-b/1");
    let second = world.job();
    assert_eq!((second.recent.from, second.champion.as_ref()), (900, Some(&deployed("a", 900))));
    assert_eq!(world.give(evaluated(&second)).len(), 1);
}

#[test]
fn a_champion_that_keeps_changing_does_not_hold_the_verdict_for_ever() {
    let mut world = World::with(1_000, None);
    world.give(candidate("b", 800));
    let mut told = Vec::new();
    for i in 1..=3 {
        let job = world.job();
        world.give(routes(i, &deployed(&format!("a{i}"), 0)));
        told.push(world.give(evaluated(&job)).len());
    }
    assert_eq!(told, [0, 0, 1]);
}

#[test]
fn a_dataset_that_begins_anew_ends_what_was_open_and_leaves_the_prior_to_beat() {
    let mut world = World::with(1_000, Some(&deployed("a", 900)));
    world.give(candidate("b", 800));
    let verdicts = world.give(dataset("e-1", None, 500));
    assert_eq!(verdicts.iter().map(|v| v.outcome).collect::<Vec<_>>(), [GateOutcome::Inconclusive]);
    world.give(candidate("c", 300));
    let job = world.job();
    assert_eq!((job.champion.as_ref(), job.recent.from, job.recent.to), (None, 300, 500));
    world.give(evaluated(&job));
    world.give(routes(2, &deployed("c", 300)));
    world.give(candidate("d", 400));
    assert_eq!(world.job().champion, Some(deployed("c", 300)), "a champion of the new rows is compared with");
}

#[test]
fn a_candidate_of_rows_that_are_gone_gets_its_verdict_at_once() {
    let mut world = World::with(1_000, None);
    let verdicts = world.give(candidate("b", 1_001));
    assert_eq!(verdicts[0].outcome, GateOutcome::Inconclusive);
}

#[test]
fn candidates_that_wait_are_bounded() {
    let mut world = World::with(1_000, None);
    let told: Vec<usize> = (0..10).map(|i| world.give(candidate(&format!("b{i}"), 990)).len()).collect();
    assert_eq!(told, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
}

#[derive(Clone, Debug)]
enum Act {
    Candidate(u8),
    Champion(u8),
    Grow(u64),
    Report { good: bool },
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => any::<u8>().prop_map(Act::Candidate),
        2 => any::<u8>().prop_map(Act::Champion),
        4 => (1..400_u64).prop_map(Act::Grow),
        4 => prop::bool::weighted(0.8).prop_map(|good| Act::Report { good }),
        1 => Just(Act::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// INV-1, INV-5, INV-9: one verdict a turn, no judge that a model learned from, and the same again when told again.
    #[test]
    fn each_turn_gets_one_verdict_and_inputs_told_again_change_nothing(acts in prop::collection::vec(act(), 0..50)) {
        let mut world = World::with(200, None);
        let (mut rows, mut newest, mut verdicts) = (200, "d-1".to_owned(), Vec::new());
        for (i, act) in acts.iter().enumerate() {
            let event = match act {
                Act::Candidate(n) => candidate(&format!("m{n}"), rows * u64::from(*n) / 255),
                Act::Champion(n) => routes(i as u64, &deployed(&format!("m{n}"), rows * u64::from(*n) / 255)),
                Act::Grow(more) => {
                    rows += more;
                    let parent = std::mem::replace(&mut newest, format!("d-{i}+"));
                    dataset(&newest, Some(&parent), *more)
                }
                Act::Report { good } => match world.core.jobs().first() {
                    Some((_, job)) if *good => evaluated(job),
                    Some((_, job)) => failed(job),
                    None => continue,
                },
                Act::Restart => {
                    (rows, newest) = (100, format!("d-{i}+"));
                    dataset(&newest, None, rows)
                }
            };
            verdicts.extend(world.give(event));
            for (_, job) in world.core.jobs() {
                prop_assert!(job.recent.from >= job.candidate.trained_to);
                prop_assert!(job.champion.as_ref().is_none_or(|c| job.recent.from >= c.trained_to));
                prop_assert!(job.recent.rows() >= 50 && job.old.to == job.recent.from);
            }
        }
        let mut turns: Vec<_> = verdicts.iter().map(|v| v.turn.clone()).collect();
        turns.sort();
        prop_assert!(turns.windows(2).all(|w| w[0] != w[1]));

        // INV-9: a core that is saved at any place and loaded into a new one goes on as if it had folded everything.
        let (mut kept, mut whole) = (Evaluator::new(), Evaluator::new());
        for input in &world.log {
            prop_assert_eq!(kept.fold(input), whole.fold(input));
            prop_assert_eq!(kept.jobs(), whole.jobs());
            let saved = kept.save().unwrap();
            kept = Evaluator::new();
            kept.load(&saved).unwrap();
            prop_assert_eq!(&kept, &whole);
        }

        let mut core = Evaluator::new();
        let mut again = Vec::new();
        for (i, input) in world.log.iter().enumerate() {
            again.extend(core.fold(input));
            for earlier in &world.log[..=i] {
                prop_assert!(core.fold(earlier).is_empty());
            }
        }
        prop_assert_eq!(&core, &world.core);
        let again: Vec<_> = again.into_iter().map(|d| if let Event::Verdict(v) = d.event { *v } else { unreachable!() }).collect();
        prop_assert_eq!(again, verdicts);
    }
}

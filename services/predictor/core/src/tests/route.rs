//! Who answers, who scores beside, and that entities stick.

use proptest::prelude::*;
use tidemill_domain::{
    Algorithm, EventId, LoopSpec, ModelRef, Schema, Target, TargetKind, Timestamp, TurnId,
};
use tidemill_events::envelope::Meta;
use tidemill_events::rollout::{Rollout, RolloutStep, Route};
use tidemill_events::subject::{Log, Subject};

use super::*;

fn loop_id() -> LoopId {
    LoopId::new("demo").unwrap()
}

fn deployed(name: &str) -> Deployed {
    let artefact = ContentHash::of(name.as_bytes());
    let model = ModelRef { version: ModelVersion::new(name), artefact, algorithm: Algorithm::Linear };
    Deployed { model, turn: TurnId::new("t"), trained_to: 0 }
}

fn table(version: u64, routes: &[(&str, Role, u8)], previous: Option<&str>) -> RouteTable {
    let routes = routes.iter().map(|(name, role, weight)| Route {
        model: deployed(name),
        role: *role,
        weight: *weight,
    });
    RouteTable { version, routes: routes.collect(), previous: previous.map(deployed) }
}

fn recorded(sequence: u64, log: Log, event: Event) -> Recorded {
    let meta =
        Meta { id: EventId::new("e"), source: "test".into(), causation: None, correlation: None, upto: None };
    Recorded { sequence, time: Timestamp(0), subject: Subject::log(loop_id(), log), meta, event }
}

fn moved(sequence: u64, table: RouteTable) -> Recorded {
    let (step, reason) = (RolloutStep::StepStarted, String::new());
    let rollout = Rollout { step, version: None, lane: None, table, judgement: None, reason };
    recorded(sequence, Log::Rollout, Event::Rollout(Box::new(rollout)))
}

fn applied(sequence: u64) -> Recorded {
    let target = Target { name: "y".into(), kind: TargetKind::Numeric };
    let schema = Schema { features: Vec::new(), target, entity: None, slices: Vec::new() };
    let spec = LoopSpec::with_defaults(loop_id(), schema);
    let applied = SpecApplied { version: 1, hash: spec.hash(), spec, by: "ann".into() };
    recorded(sequence, Log::Spec, Event::Spec(Box::new(applied)))
}

fn rolling_out(share: u8) -> Router {
    let role = if share == 0 { Role::Shadow } else { Role::Challenger };
    let mut router = Router::new();
    router.fold(&moved(1, table(1, &[("a", Role::Champion, 100 - share), ("b", role, share)], Some("z"))));
    router
}

fn names(routing: &Routing<'_>) -> (String, Vec<String>) {
    let name = |d: &Deployed| d.model.version.to_string();
    (name(routing.answer), routing.also.iter().map(|d| name(d)).collect())
}

#[test]
fn nobody_answers_before_there_is_a_champion() {
    let mut router = Router::new();
    assert_eq!(router.route(&loop_id(), "k"), None);
    assert!(router.fold(&applied(1)));
    assert_eq!(router.route(&loop_id(), "k"), None);
    assert!(router.schema(&loop_id()).is_some());
}

#[test]
fn a_shadow_scores_every_row_and_answers_none() {
    let router = rolling_out(0);
    for i in 0..1_000 {
        let routing = router.route(&loop_id(), &i.to_string()).unwrap();
        assert_eq!(names(&routing), ("a".to_owned(), vec!["b".to_owned()]));
    }
}

#[test]
fn a_challenger_answers_its_share_and_both_score_every_row() {
    let router = rolling_out(25);
    let mut heard = 0;
    for i in 0..10_000 {
        let (answer, also) = names(&router.route(&loop_id(), &i.to_string()).unwrap());
        assert_eq!(also.len(), 1);
        assert_ne!(answer, also[0]);
        heard += u32::from(answer == "b");
    }
    assert!((2_300..2_700).contains(&heard), "{heard}");
}

#[test]
fn an_older_table_does_not_come_back() {
    let mut router = rolling_out(25);
    assert!(!router.fold(&moved(2, table(1, &[("z", Role::Champion, 100)], None))));
    assert!(
        !router.fold(&moved(1, table(9, &[("z", Role::Champion, 100)], None))),
        "a place that was folded already"
    );
    assert_eq!(router.table(&loop_id()).and_then(|t| t.champion()), Some(&deployed("a")));
    assert_eq!(router.position(), Some(2));
}

#[test]
fn the_previous_champion_is_kept_loaded() {
    let router = rolling_out(5);
    let wanted: Vec<_> = router.wanted().into_iter().map(|(version, _)| version.to_string()).collect();
    assert_eq!(wanted, ["a", "b", "z"]);
}

#[test]
fn a_router_read_from_disk_routes_the_same() {
    let mut router = rolling_out(25);
    router.fold(&applied(7));
    let copy: Router = serde_json::from_str(&serde_json::to_string(&router).unwrap()).unwrap();
    assert_eq!(copy, router);
}

proptest! {
    /// Who saw the challenger at a share still does at a greater one; and the same key always gets the same answer.
    #[test]
    fn entities_stick_while_shares_grow(key in ".{0,20}", small in 1..99_u8, more in 0..99_u8) {
        let large = small.saturating_add(more).min(99);
        let (before, after) = (rolling_out(small), rolling_out(large));
        let answer = |router: &Router| names(&router.route(&loop_id(), &key).unwrap()).0;
        prop_assert!(answer(&before) == "a" || answer(&after) == "b");
        prop_assert_eq!(answer(&before), answer(&before));
    }
}

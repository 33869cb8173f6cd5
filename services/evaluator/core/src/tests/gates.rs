//! Tables: given these figures under this spec, that verdict.

use tidemill_domain::{
    Algorithm, ContentHash, LoopId, LoopSpec, Metric, ModelRef, ModelVersion, Schema, Target, TargetKind,
    TurnId,
};
use tidemill_events::dataset::Located;

use super::*;

fn applied() -> SpecApplied {
    let target = Target { name: "y".into(), kind: TargetKind::Categorical { classes: None } };
    let schema = Schema { features: Vec::new(), target, entity: None, slices: Vec::new() };
    let spec = LoopSpec::with_defaults(LoopId::new("demo").unwrap(), schema);
    SpecApplied { version: 3, hash: spec.hash(), spec, by: "ann".into() }
}

fn deployed(name: &str) -> Deployed {
    let artefact = ContentHash::of(name.as_bytes());
    let model = ModelRef { version: ModelVersion::new(name), artefact, algorithm: Algorithm::Linear };
    Deployed { model, turn: TurnId::new("t"), trained_to: 0 }
}

fn job(champion: Option<&str>) -> EvaluationJob {
    EvaluationJob {
        loop_id: LoopId::new("demo").unwrap(),
        turn: TurnId::new("t"),
        candidate: deployed("m-new"),
        champion: champion.map(deployed),
        schema: applied().spec.schema,
        metric: Metric::LogLoss,
        dataset: DatasetId::new("d-1"),
        located: Located::default(),
        recent: Default::default(),
        old: Default::default(),
    }
}

/// A comparison on `rows` rows with these mean losses.
fn seen(rows: u64, candidate: f64, champion: f64, negative_flips: u64) -> Comparison {
    let mut seen = Comparison { rows, negative_flips, ..Comparison::default() };
    for _ in 0..rows {
        seen.difference.insert(champion - candidate);
        seen.champion_loss.insert(champion);
    }
    seen
}

fn outcomes(verdict: &Verdict) -> Vec<(&str, GateOutcome)> {
    verdict.gates.iter().map(|g| (g.name.as_str(), g.outcome)).collect()
}

use GateOutcome::{Failed, Inconclusive, Passed, Recorded};

#[test]
fn a_candidate_at_least_as_good_as_the_champion_passes() {
    for candidate in [0.4, 0.5] {
        let measured = Measurement { recent: seen(50, candidate, 0.5, 3), old: seen(100, 0.9, 0.5, 0) };
        let verdict = judge(&applied(), &job(Some("m-old")), &measured);
        assert_eq!(verdict.outcome, Passed, "{candidate}");
        let expected =
            [("enough_rows", Passed), ("recent", Passed), ("old", Recorded), ("negative_flips", Recorded)];
        assert_eq!(outcomes(&verdict), expected);
        assert_eq!((verdict.spec_version, verdict.champion), (3, Some(ModelVersion::new("m-old"))));
    }
}

#[test]
fn a_candidate_worse_than_is_allowed_fails() {
    for (max_regression, candidate, expected) in [
        (0.0, 0.51, Failed),
        (0.1, 0.54, Passed),
        (0.1, 0.56, Failed),
        (-0.1, 0.46, Failed),
        (-0.1, 0.44, Passed),
    ] {
        let mut applied = applied();
        applied.spec.evaluation.max_regression = max_regression;
        let measured = Measurement { recent: seen(50, candidate, 0.5, 0), old: Comparison::default() };
        assert_eq!(
            judge(&applied, &job(Some("m-old")), &measured).outcome,
            expected,
            "{max_regression} {candidate}"
        );
    }
}

#[test]
fn a_first_model_must_beat_the_prior() {
    for (candidate, expected) in [(0.49, Passed), (0.5, Failed), (0.51, Failed)] {
        let mut applied = applied();
        applied.spec.evaluation.max_regression = 0.5;
        let measured = Measurement { recent: seen(50, candidate, 0.5, 0), old: Comparison::default() };
        assert_eq!(judge(&applied, &job(None), &measured).outcome, expected, "{candidate}");
    }
}

#[test]
fn too_few_rows_decide_nothing() {
    for (candidate, rows) in [(0.1, 49), (0.9, 49), (0.1, 0)] {
        let measured = Measurement { recent: seen(rows, candidate, 0.5, 0), old: Comparison::default() };
        let verdict = judge(&applied(), &job(Some("m-old")), &measured);
        assert_eq!(verdict.outcome, Inconclusive);
        assert_eq!(outcomes(&verdict)[..2], [("enough_rows", Inconclusive), ("recent", Inconclusive)]);
    }
}

#[test]
fn old_rows_and_negative_flips_decide_only_where_the_spec_says_so() {
    let measured = Measurement { recent: seen(100, 0.4, 0.5, 5), old: seen(60, 0.6, 0.5, 0) };
    let verdict = |old: Option<f64>, flips: Option<f64>| {
        let mut applied = applied();
        (applied.spec.evaluation.old_max_regression, applied.spec.evaluation.max_negative_flips) =
            (old, flips);
        judge(&applied, &job(Some("m-old")), &measured).outcome
    };
    assert_eq!(verdict(None, None), Passed);
    assert_eq!(verdict(Some(0.1), None), Failed);
    assert_eq!(verdict(Some(0.3), None), Passed);
    assert_eq!(verdict(None, Some(0.04)), Failed);
    assert_eq!(verdict(None, Some(0.05)), Passed);
}

#[test]
fn a_gate_on_old_rows_that_has_too_few_of_them_does_not_pass() {
    for rows in [0, 49] {
        let mut applied = applied();
        applied.spec.evaluation.old_max_regression = Some(0.1);
        let measured = Measurement { recent: seen(100, 0.4, 0.5, 0), old: seen(rows, 0.1, 0.5, 0) };
        assert_eq!(judge(&applied, &job(Some("m-old")), &measured).outcome, Inconclusive);
    }
}

#[test]
fn the_summary_says_what_was_measured_and_asked() {
    let measured = Measurement { recent: seen(50, 0.4, 0.5, 0), old: Comparison::default() };
    let verdict = judge(&applied(), &job(Some("m-old")), &measured);
    let expected =
        "mean loss (log_loss) 0.40000 against 0.50000 of m-old on 50 recent rows; at most 0.50000 is allowed";
    assert_eq!(verdict.gates[1].summary, expected);
}

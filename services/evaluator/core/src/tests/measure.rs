//! Which rows are scored, and what two models' answers on them add up to.

use proptest::prelude::*;
use tidemill_domain::sample::CleanLabel;
use tidemill_domain::{
    Algorithm, ContentHash, DatasetId, LabelSource, LoopId, Metric, ModelRef, ModelVersion, PredictionId,
    Schema, Target, TargetKind, Timestamp, TurnId,
};
use tidemill_events::dataset::{Located, RowRange};
use tidemill_events::model::Deployed;

use super::*;

fn job(recent: (u64, u64), old: (u64, u64), start: u64, metric: Metric) -> EvaluationJob {
    let version = ModelVersion::new("m-1");
    let model = ModelRef { version, artefact: ContentHash::of(b"1"), algorithm: Algorithm::Linear };
    let kind = TargetKind::Categorical { classes: None };
    EvaluationJob {
        loop_id: LoopId::new("demo").unwrap(),
        turn: TurnId::new("t"),
        candidate: Deployed { model, turn: TurnId::new("t"), trained_to: recent.0 },
        champion: None,
        schema: Schema {
            features: Vec::new(),
            target: Target { name: "y".into(), kind },
            entity: None,
            slices: Vec::new(),
        },
        metric,
        dataset: DatasetId::new("d-1"),
        located: Located { start, segments: Vec::new() },
        recent: RowRange { from: recent.0, to: recent.1 },
        old: RowRange { from: old.0, to: old.1 },
    }
}

/// Row number `i`, whose id holds the number.
fn row(i: u64, label: Option<Value>) -> CleanRow {
    let label = label.map(|value| CleanLabel { value, source: LabelSource::Application, time: Timestamp(0) });
    let prediction_id = PredictionId::new(i.to_string());
    CleanRow {
        prediction_id,
        entity: None,
        time: Timestamp(0),
        features: Vec::new(),
        scored: Vec::new(),
        label,
    }
}

fn text(class: &str) -> Option<Value> {
    Some(Value::Text(class.to_owned()))
}

fn says(class: &str, p: f64) -> Output {
    Output::Classes(vec![(class.to_owned(), p), ("other".to_owned(), 1.0 - p)])
}

#[test]
fn recent_rows_count_all_and_old_ones_only_where_they_are_reserved() {
    let job = job((600, 700), (100, 600), 50, Metric::LogLoss);
    let rows: Vec<_> = (50..800).map(|i| row(i, text("up"))).collect();
    let measured = measure(&job, numbered(&job, &rows), |_| says("up", 0.9), |_| says("up", 0.8));
    let reserved = (100..600_u64).filter(|i| is_reserved(&PredictionId::new(i.to_string()))).count() as u64;
    assert!(reserved > 0);
    assert_eq!((measured.recent.rows, measured.old.rows), (100, reserved));
    let difference = measured.recent.difference.mean().unwrap();
    assert!((difference - (0.9_f64 / 0.8).ln()).abs() < 1e-9, "{difference}");
}

#[test]
fn rows_without_a_label_are_passed_over() {
    let job = job((0, 4), (0, 0), 0, Metric::LogLoss);
    let rows = [row(0, text("up")), row(1, None), row(2, text("up")), row(3, None)];
    assert_eq!(measure(&job, numbered(&job, &rows), |_| says("up", 0.9), |_| says("up", 0.8)).recent.rows, 2);
}

#[test]
fn a_negative_flip_is_a_row_that_turned_from_right_to_wrong() {
    let job = job((0, 4), (0, 0), 0, Metric::Accuracy);
    let rows: Vec<_> = (0..4).map(|i| row(i, text(if i < 3 { "up" } else { "other" }))).collect();
    // Right to wrong on three rows, wrong to right on the last.
    let measured = measure(&job, numbered(&job, &rows), |_| says("up", 0.1), |_| says("up", 0.9)).recent;
    assert_eq!(measured.negative_flips, 3);
    assert_eq!(measured.difference.mean(), Some(-0.5));
    assert_eq!((measured.candidate.correct, measured.champion.correct), (1, 3));
}

#[test]
fn an_answer_that_is_no_number_counts_as_the_worst_one() {
    let job = job((0, 3), (0, 0), 0, Metric::Mae);
    let rows: Vec<_> = (0..3).map(|i| row(i, Some(Value::Number(1.0)))).collect();
    let broken = |r: &CleanRow| match r.prediction_id.as_str() {
        "0" => Output::Number(f64::NAN),
        "1" => says("up", 1.0),
        _ => Output::Number(1.0),
    };
    let measured = measure(&job, numbered(&job, &rows), broken, |_| Output::Number(3.0)).recent;
    assert_eq!((measured.rows, measured.difference.count(), measured.candidate.rows), (3, 3, 1));
    assert!(measured.difference.mean().unwrap() < -1e99);
    let text = serde_json::to_string(&measured).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), measured);
}

#[test]
fn no_flips_are_counted_where_the_target_is_a_number() {
    let job = job((0, 3), (0, 0), 0, Metric::Mae);
    let rows: Vec<_> = (0..3).map(|i| row(i, Some(Value::Number(1.0)))).collect();
    assert_eq!(
        measure(&job, numbered(&job, &rows), |_| Output::Number(9.0), |_| Output::Number(1.0))
            .recent
            .negative_flips,
        0
    );
}

proptest! {
    /// INV-5: no row outside of what the job names is ever asked about, and no old one that may have taught.
    #[test]
    fn only_rows_that_may_judge_are_scored(
        start in 0..300_u64, from in 0..400_u64, recent in 0..200_u64, old in 0..300_u64, rows in 0..600_u64,
    ) {
        let job = job((from, from + recent), (from.saturating_sub(old), from), start, Metric::LogLoss);
        let located: Vec<_> = (start..start + rows).map(|i| row(i, text("up"))).collect();
        let asked = std::cell::RefCell::new(Vec::new());
        let measured = measure(&job, numbered(&job, &located), |r| { asked.borrow_mut().push(r.clone()); says("up", 0.5) }, |_| says("up", 0.5));
        let asked = asked.into_inner();
        prop_assert_eq!(asked.len() as u64, measured.recent.rows + measured.old.rows);
        for row in asked {
            let number: u64 = row.prediction_id.as_str().parse().unwrap();
            let may = (job.recent.from..job.recent.to).contains(&number)
                || ((job.old.from..job.old.to).contains(&number) && is_reserved(&row.prediction_id));
            prop_assert!(may, "row {}", number);
        }
    }
}

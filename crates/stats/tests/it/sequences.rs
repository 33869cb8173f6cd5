//! Always-valid judgements: how often they err when asked after every row, and how soon they see what is there.

use tidemill_stats::sequential::{MIN_PAIRS, Sides, Verdict, judge, radius, rho};
use tidemill_stats::sketch::Moments;

use crate::noise::Noise;

const ALPHA: f64 = 0.05;
const RUNS: u64 = 1_000;
const ROWS: u64 = 2_000;

/// The share of runs in which `verdict` (or a stronger one) is ever given, and the mean rows it took.
fn ever(verdict: Verdict, margin: f64, draw: impl Fn(&mut Noise) -> f64) -> (f64, f64) {
    let (mut hits, mut rows) = (0_u64, 0);
    for run in 0..RUNS {
        let mut noise = Noise(run);
        let mut differences = Moments::new();
        for row in 1..=ROWS {
            differences.insert(draw(&mut noise));
            let found = judge(&differences, margin, ALPHA, 500).verdict;
            if found == verdict || (found == Verdict::Superior && verdict == Verdict::NonInferior) {
                hits += 1;
                rows += row;
                break;
            }
        }
    }
    (hits as f64 / RUNS as f64, rows as f64 / hits.max(1) as f64)
}

/// Losses that are 0 or 1: the models disagree on a share of rows, and the challenger loses most of those.
fn zero_one(noise: &mut Noise, worse: f64, better: f64) -> f64 {
    let u = noise.uniform();
    if u < worse {
        -1.0
    } else if u < worse + better {
        1.0
    } else {
        0.0
    }
}

#[test]
fn false_verdicts_stay_below_alpha_under_continuous_monitoring() {
    // Three standard errors of a share of 0.05 in this many runs.
    let allowed = ALPHA + 3.0 * (ALPHA * (1.0 - ALPHA) / RUNS as f64).sqrt();
    let exponential = |noise: &mut Noise| -noise.uniform().ln() - 1.0;
    let rates = [
        ("normal, worse by the margin", ever(Verdict::NonInferior, 0.1, |noise| noise.normal() - 0.1)),
        ("normal, no better", ever(Verdict::Superior, 0.1, |noise| noise.normal())),
        (
            "normal, worse by the margin, called inferior",
            ever(Verdict::Inferior, 0.1, |noise| noise.normal() - 0.1),
        ),
        ("skewed to gains", ever(Verdict::Superior, 0.0, exponential)),
        ("skewed to losses", ever(Verdict::Superior, 0.0, |noise| -exponential(noise))),
        ("0/1, disagreeing on 20 %", ever(Verdict::NonInferior, 0.02, |noise| zero_one(noise, 0.11, 0.09))),
        ("0/1, disagreeing on 4 %", ever(Verdict::NonInferior, 0.02, |noise| zero_one(noise, 0.03, 0.01))),
    ];
    for (name, (rate, _)) in rates {
        assert!(rate <= allowed, "{name}: {rate}");
    }
}

#[test]
fn what_is_there_is_found_within_the_planned_rows() {
    let cases = [
        (Verdict::Superior, 0.3, 500.0),
        (Verdict::NonInferior, 0.1, 500.0),
        (Verdict::Inferior, -0.5, 500.0),
    ];
    for (verdict, mean, planned) in cases {
        let (rate, rows) = ever(verdict, 0.1, |noise| noise.normal() + mean);
        assert!(rate > 0.95 && rows < planned, "{verdict:?}: {rate} after {rows}");
    }
}

#[test]
fn radius_is_the_papers_formula_and_rho_makes_it_least() {
    // √(2 · (n ρ² + 1) / (n² ρ²) · ln(√(n ρ² + 1) / α)) for n = 100, ρ = 0.5, α = 0.05, σ = 2.
    let two: f64 = 2.0 * (2.0 * 26.0 / (100.0 * 25.0) * (26.0_f64.sqrt() / 0.05).ln()).sqrt();
    assert!((radius(100, 2.0, 0.05, 0.5, Sides::Two).unwrap() - two).abs() < 1e-14);
    let one: f64 = 2.0 * (2.0 * 26.0 / (100.0 * 25.0) * (1.0 + 26.0_f64.sqrt() / 0.1).ln()).sqrt();
    assert!((radius(100, 2.0, 0.05, 0.5, Sides::One).unwrap() - one).abs() < 1e-14);

    for sides in [Sides::One, Sides::Two] {
        let tuned = rho(500, ALPHA, sides).unwrap();
        let width = |rho: f64| radius(500, 1.0, ALPHA, rho, sides).unwrap();
        let best = (1..2_000).map(|i| width(f64::from(i) * 1e-3)).fold(f64::INFINITY, f64::min);
        assert!(width(tuned) <= best * 1.005, "{sides:?}: {} against {best}", width(tuned));
    }
}

#[test]
fn without_ground_there_is_no_verdict() {
    let repeat = |value: f64, n: u64| (0..n).map(|_| value).collect::<Moments>();
    let few: Moments = (0..MIN_PAIRS - 1).map(|i| 10.0 + (i % 2) as f64).collect();
    for judgement in [
        judge(&Moments::new(), 0.1, ALPHA, 500),
        judge(&few, 0.1, ALPHA, 500),
        judge(&repeat(0.0, 10_000), 0.1, ALPHA, 500),
    ] {
        assert_eq!((judgement.verdict, judgement.lower, judgement.upper), (Verdict::Undecided, None, None));
    }
    let varied: Moments = (0..1_000).map(|i| 10.0 + (i % 2) as f64).collect();
    assert_eq!(judge(&varied, 0.1, ALPHA, 500).verdict, Verdict::Superior);
    for (margin, alpha, planned) in
        [(-0.1, ALPHA, 500), (f64::NAN, ALPHA, 500), (0.1, 0.5, 500), (0.1, ALPHA, 0)]
    {
        assert_eq!(judge(&varied, margin, alpha, planned).verdict, Verdict::Undecided);
    }
}

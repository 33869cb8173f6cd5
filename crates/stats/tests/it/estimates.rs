//! Stability index and calibration error on samples small enough to check by hand.

use tidemill_stats::estimate::Calibration;
use tidemill_stats::psi::{SHARE_FLOOR, psi_categorical, psi_numeric};
use tidemill_stats::sketch::{Counts, Quantiles};

fn sketch(values: impl IntoIterator<Item = f64>) -> Quantiles {
    let mut sketch = Quantiles::default();
    sketch.extend(values);
    sketch
}

fn counts(rows: &[(&str, u64)]) -> Counts {
    let mut counts = Counts::default();
    for (category, n) in rows {
        (0..*n).for_each(|_| counts.insert(Some(category)));
    }
    counts
}

#[test]
fn psi_is_zero_for_equal_samples_and_counts_every_bin() {
    let reference = sketch((1..=100).map(f64::from));
    let psi = psi_numeric(&reference, &reference).unwrap();
    assert_eq!(psi.value, 0.0);
    assert_eq!(psi.bins.len(), 11);
    assert!(psi.bins[..10].iter().all(|bin| (bin.reference - 0.1).abs() < 1e-12));

    // All of the current sample lies in the last decile: nine bins fall to the floor, one rises to 1.
    let moved = psi_numeric(&reference, &sketch([1_000.0, 2_000.0])).unwrap();
    let expected = 9.0 * (SHARE_FLOOR - 0.1) * (SHARE_FLOOR / 0.1).ln() + 0.9 * 10.0_f64.ln();
    assert!((moved.value - expected).abs() < 1e-12, "{} {expected}", moved.value);
}

#[test]
fn psi_sees_values_that_went_missing_and_survives_ties() {
    let reference = sketch((0..100).map(|i| f64::from(i % 2)));
    assert_eq!(psi_numeric(&reference, &reference).unwrap().value, 0.0);
    let half_missing = sketch((0..100).map(|i| if i < 50 { f64::NAN } else { f64::from(i % 2) }));
    let psi = psi_numeric(&reference, &half_missing).unwrap();
    let missing = psi.bins.last().unwrap();
    assert_eq!((missing.reference, missing.current), (0.0, 0.5));
    assert!(psi.value > 0.25);
    assert_eq!(psi_numeric(&sketch([]), &reference), None);
    assert_eq!(psi_numeric(&reference, &sketch([])), None);
}

#[test]
fn psi_of_categories_is_the_sum_over_their_union() {
    let psi = psi_categorical(&counts(&[("a", 3), ("b", 1)]), &counts(&[("a", 1), ("c", 1)])).unwrap();
    let expected = (0.5 - 0.75) * (0.5_f64 / 0.75).ln()
        + (SHARE_FLOOR - 0.25) * (SHARE_FLOOR / 0.25).ln()
        + (0.5 - SHARE_FLOOR) * (0.5 / SHARE_FLOOR).ln();
    assert!((psi.value - expected).abs() < 1e-12);
    assert_eq!(psi_categorical(&Counts::default(), &counts(&[("a", 1)])), None);
    assert_eq!(psi_categorical(&counts(&[("a", 1)]), &Counts::default()), None);
}

#[test]
fn calibration_error_is_the_weighted_gap_and_merges() {
    let mut all = Calibration::default();
    let (mut left, mut right) = (Calibration::default(), Calibration::default());
    // Bin 9: confidence 0.95, three of four right. Bin 1: confidence 0.125, none of four.
    for (confidence, hit) in [(0.95, true), (0.95, true), (0.95, true), (0.95, false)] {
        all.insert(confidence, hit);
        left.insert(confidence, hit);
    }
    for _ in 0..4 {
        all.insert(0.125, false);
        right.insert(0.125, false);
    }
    left.merge(&right);
    assert_eq!(left, all);
    assert!((all.expected_error().unwrap() - (0.2 + 0.125) / 2.0).abs() < 1e-12);
    all.insert(f64::NAN, true);
    all.insert(1.5, true);
    all.insert(1.0, true);
    assert_eq!(all.count(), 9);
    assert_eq!(Calibration::default().expected_error(), None);
}

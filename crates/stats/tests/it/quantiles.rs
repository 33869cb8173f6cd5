//! The quantile sketch: error, merging, determinism.

use proptest::prelude::*;
use tidemill_stats::sketch::Quantiles;
use tidemill_stats::two_sample::{ks_test, ks_test_sketches};

use crate::noise::Noise;

fn sketch(k: u16, values: &[f64]) -> Quantiles {
    let mut sketch = Quantiles::new(k);
    sketch.extend(values.iter().copied());
    sketch
}

/// The greatest distance between the sketch's distribution function and the true one.
fn worst_error(sketch: &Quantiles, values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let pairs: Vec<(f64, u64)> = sorted.iter().map(|x| (*x, 1)).collect();
    let exact = |x: f64| sorted.partition_point(|y| *y <= x) as f64 / n;
    let step = (pairs.len() / 500).max(1);
    pairs.iter().step_by(step).map(|(x, _)| (sketch.cdf(*x).unwrap() - exact(*x)).abs()).fold(0.0, f64::max)
}

fn total(sketch: &Quantiles) -> u64 {
    sketch.weighted().iter().map(|(_, weight)| weight).sum()
}

#[test]
fn rank_error_is_bounded_on_streams_of_every_shape() {
    let n = 100_000;
    let mut noise = Noise(1);
    let streams: [(&str, Vec<f64>); 6] = [
        ("random", (0..n).map(|_| noise.normal()).collect()),
        ("ascending", (0..n).map(f64::from).collect()),
        ("descending", (0..n).rev().map(f64::from).collect()),
        ("sawtooth", (0..n).map(|i| f64::from(i % 64)).collect()),
        ("two levels in turn", (0..n).map(|i| f64::from(i % 2)).collect()),
        ("daily wave", (0..n).map(|i| (f64::from(i) * std::f64::consts::TAU / 1440.0).sin()).collect()),
    ];
    for k in [50, 200, 400] {
        for (name, values) in &streams {
            let sketch = sketch(k, values);
            let error = worst_error(&sketch, values);
            assert!(error <= sketch.rank_error(), "{name}, k = {k}: {error}");
            assert!(
                sketch.weighted().len() < 4 * usize::from(k),
                "{name}: retains {}",
                sketch.weighted().len()
            );
        }
    }
}

#[test]
fn exact_up_to_k_values() {
    let mut noise = Noise(2);
    let values: Vec<f64> = (0..200).map(|_| noise.uniform()).collect();
    let sketch = sketch(200, &values);
    assert_eq!(sketch.rank_error(), 0.0);
    assert_eq!(worst_error(&sketch, &values), 0.0);
    assert_eq!(sketch.weighted().len(), 200);
}

#[test]
fn quantiles_are_numpys_inverted_cdf() {
    // np.quantile([3, 1, 2, 2, 9], q, method="inverted_cdf")
    let sketch = sketch(100, &[3.0, 1.0, 2.0, 2.0, 9.0]);
    let found: Vec<f64> =
        [0.0, 0.2, 0.21, 0.5, 0.6, 0.61, 0.8, 0.9, 1.0].map(|q| sketch.quantile(q).unwrap()).to_vec();
    assert_eq!(found, [1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 9.0, 9.0]);
    assert_eq!((sketch.cdf(0.9), sketch.cdf(2.0), sketch.cdf(9.0)), (Some(0.0), Some(0.6), Some(1.0)));
}

#[test]
fn what_is_not_finite_is_only_counted() {
    let sketch = sketch(100, &[f64::NAN, 1.0, f64::INFINITY, -0.0]);
    assert_eq!((sketch.count(), sketch.missing()), (2, 2));
    assert!(sketch.min().unwrap().is_sign_positive());
    assert_eq!(Quantiles::default().quantile(0.5), None);
    assert_eq!(Quantiles::default().cdf(0.5), None);
}

#[test]
fn long_windows_do_not_make_the_sketch_look_like_drift() {
    let mut noise = Noise(3);
    let draw =
        |noise: &mut Noise, shift: f64| (0..50_000).map(|_| noise.normal() + shift).collect::<Vec<f64>>();
    let (a, b, c) = (draw(&mut noise, 0.0), draw(&mut noise, 0.0), draw(&mut noise, 0.2));
    let (same, moved) = (
        ks_test_sketches(&sketch(200, &a), &sketch(200, &b)).unwrap(),
        ks_test_sketches(&sketch(200, &a), &sketch(200, &c)).unwrap(),
    );
    assert!(same.p_value > 0.5, "{same:?}");
    assert!(moved.p_value < 1e-6, "{moved:?}");
    assert!((moved.statistic - ks_test(&a, &c).unwrap().statistic).abs() < 0.03);
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![-1e3..1e3, (0..20_i32).prop_map(f64::from)], 1..3000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rank_error_is_bounded(values in values()) {
        let sketch = sketch(50, &values);
        prop_assert!(worst_error(&sketch, &values) <= sketch.rank_error());
    }

    #[test]
    fn a_merge_stands_for_both_streams(a in values(), b in values(), c in values()) {
        let mut merged = sketch(50, &a);
        merged.merge(&sketch(50, &b));
        merged.merge(&sketch(50, &c));
        let all = [a, b, c].concat();
        let at_once = sketch(50, &all);
        prop_assert_eq!(merged.count(), all.len() as u64);
        prop_assert_eq!(total(&merged), all.len() as u64);
        prop_assert_eq!((merged.min(), merged.max()), (at_once.min(), at_once.max()));
        prop_assert!(worst_error(&merged, &all) <= 3.0 / 50.0);
    }

    #[test]
    fn equal_streams_give_equal_bytes_and_come_back_from_json(values in values()) {
        let text = serde_json::to_string(&sketch(50, &values)).unwrap();
        prop_assert_eq!(&text, &serde_json::to_string(&sketch(50, &values)).unwrap());
        prop_assert_eq!(serde_json::from_str::<Quantiles>(&text).unwrap(), sketch(50, &values));
    }

    #[test]
    fn quantile_and_cdf_are_inverse(values in values(), q in 0.0..1.0) {
        let sketch = sketch(50, &values);
        prop_assert!(sketch.cdf(sketch.quantile(q).unwrap()).unwrap() >= q - 1e-12);
    }
}

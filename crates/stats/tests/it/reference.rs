//! Agreement with SciPy and statsmodels, on numbers made by `fixtures/make.py`.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tidemill_stats::estimate::wilson;
use tidemill_stats::multiple::{benjamini_hochberg, holm};
use tidemill_stats::sketch::{Counts, Moments, Quantiles};
use tidemill_stats::two_sample::{
    chi2_test, chi2_test_counts, kolmogorov_sf, ks_test, ks_test_sketches, mean_difference,
};

fn load<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

/// Equal up to a relative error; the floor is for values that cancellation leaves near 0.
fn assert_close(ours: f64, theirs: f64, relative: f64, what: &str) {
    let allowed = relative * theirs.abs().max(1e-300);
    assert!((ours - theirs).abs() <= allowed, "{what}: {ours} is not {theirs} (± {allowed:e})");
}

#[derive(Deserialize)]
struct Ks {
    samples: Vec<KsSample>,
    sf: Vec<(u64, f64, f64)>,
}

#[derive(Deserialize)]
struct KsSample {
    name: String,
    a: Vec<f64>,
    b: Vec<f64>,
    statistic: f64,
    p_value: f64,
}

#[test]
fn kolmogorov_distribution_is_scipys() {
    for (n, d, theirs) in load::<Ks>(include_str!("../../fixtures/ks.json")).sf {
        // The same methods, so rounding only; up to a million terms are summed.
        assert_close(kolmogorov_sf(n, d), theirs, 1e-9, &format!("sf({n}, {d})"));
    }
}

#[test]
fn ks_test_is_scipys_on_rows_and_on_exact_sketches() {
    for case in load::<Ks>(include_str!("../../fixtures/ks.json")).samples {
        let ours = ks_test(&case.a, &case.b).unwrap();
        // A difference of two quotients: a few units in the last place of 1.
        assert!((ours.statistic - case.statistic).abs() < 1e-15, "{}", case.name);
        assert_close(ours.p_value, case.p_value, 1e-9, &case.name);

        let (mut a, mut b) = (Quantiles::new(1000), Quantiles::new(1000));
        a.extend(case.a);
        b.extend(case.b);
        assert_eq!(ks_test_sketches(&a, &b).unwrap(), ours, "{}", case.name);
    }
}

#[test]
fn ks_test_needs_rows_on_both_sides() {
    assert_eq!(ks_test(&[], &[1.0]), None);
    assert_eq!(ks_test(&[f64::NAN], &[1.0]), None);
    assert_eq!(ks_test(&[0.0], &[1.0]).unwrap().p_value, 1.0);
}

#[derive(Deserialize)]
struct Chi2 {
    a: Vec<u64>,
    b: Vec<u64>,
    statistic: f64,
    dof: u64,
    p_value: f64,
}

#[test]
fn chi2_test_is_scipys_on_rows_and_on_counts() {
    for case in load::<Vec<Chi2>>(include_str!("../../fixtures/chi2.json")) {
        let ours = chi2_test(&case.a, &case.b).unwrap();
        assert_eq!(ours.dof, case.dof);
        // Sums of a few dozen terms, then an incomplete gamma function good to about 1e-13.
        assert_close(ours.statistic, case.statistic, 1e-12, "statistic");
        assert_close(ours.p_value, case.p_value, 1e-10, "p-value");

        let counts = |row: &[u64]| {
            let mut counts = Counts::default();
            for (category, n) in row.iter().enumerate() {
                (0..*n).for_each(|_| counts.insert(Some(&format!("c{category:02}"))));
            }
            counts
        };
        assert_eq!(chi2_test_counts(&counts(&case.a), &counts(&case.b)).unwrap(), ours);
    }
}

#[test]
fn chi2_test_drops_empty_categories() {
    assert_eq!(chi2_test(&[3, 0, 9], &[5, 0, 2]), chi2_test(&[3, 9], &[5, 2]));
    assert_eq!(chi2_test(&[3, 9], &[5, 2, 0]), chi2_test(&[3, 9], &[5, 2]));
    assert_eq!(chi2_test(&[3, 9], &[0, 0]), None);
}

#[derive(Deserialize)]
struct Family {
    p: Vec<f64>,
    bh: Vec<f64>,
    holm: Vec<f64>,
}

#[test]
fn adjusted_p_values_are_scipys_and_statsmodels() {
    for family in load::<Vec<Family>>(include_str!("../../fixtures/multiple.json")) {
        for (ours, theirs) in [(benjamini_hochberg(&family.p), family.bh), (holm(&family.p), family.holm)] {
            assert_eq!(ours.len(), theirs.len());
            // One product each: rounding only.
            ours.iter().zip(theirs).for_each(|(ours, theirs)| assert_close(*ours, theirs, 1e-14, "adjusted"));
        }
    }
    assert_eq!(benjamini_hochberg(&[]), Vec::<f64>::new());
    assert_eq!(holm(&[f64::NAN, 0.01]), [1.0, 0.02]);
}

#[derive(Deserialize)]
struct Welch {
    a: Vec<f64>,
    b: Vec<f64>,
    statistic: f64,
    dof: f64,
    p_value: f64,
}

#[test]
fn mean_difference_is_scipys() {
    for case in load::<Vec<Welch>>(include_str!("../../fixtures/welch.json")) {
        let moments = |sample: &[f64]| sample.iter().copied().collect::<Moments>();
        let ours = mean_difference(&moments(&case.a), &moments(&case.b)).unwrap();
        // Means near 1e6 leave ten digits of a difference near 1; the tail multiplies the error by about its logarithm.
        assert_close(ours.statistic, case.statistic, 1e-9, "statistic");
        assert_close(ours.dof, case.dof, 1e-9, "dof");
        assert_close(ours.p_value, case.p_value, 1e-7, "p-value");
    }
    let constant: Moments = [1.0, 1.0].into_iter().collect();
    assert_eq!(mean_difference(&constant, &constant), None);
}

#[derive(Deserialize)]
struct Wilson {
    k: u64,
    n: u64,
    confidence: f64,
    lower: f64,
    upper: f64,
}

#[test]
fn wilson_interval_is_scipys() {
    for case in load::<Vec<Wilson>>(include_str!("../../fixtures/wilson.json")) {
        let ours = wilson(case.k, case.n, case.confidence).unwrap();
        // The normal quantile is good to about 1e-14; centre less radius cancels a digit or two.
        assert_close(ours.lower, case.lower, 1e-11, "lower");
        assert_close(ours.upper, case.upper, 1e-11, "upper");
    }
    assert_eq!(wilson(0, 0, 0.95), None);
    assert_eq!(wilson(2, 1, 0.95), None);
    assert_eq!(wilson(1, 2, 1.0), None);
}

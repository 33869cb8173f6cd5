//! Moments and category counts: merging stands for inserting, and nothing is lost.

use proptest::prelude::*;
use tidemill_stats::sketch::{Counts, Moments};

fn counts(bound: usize, rows: &[Option<u8>]) -> Counts {
    let mut counts = Counts::new(bound);
    rows.iter().for_each(|row| counts.insert(row.map(|c| c.to_string()).as_deref()));
    counts
}

#[test]
fn moments_of_a_known_sample() {
    let moments: Moments = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0, f64::NAN].into_iter().collect();
    assert_eq!((moments.count(), moments.missing()), (8, 1));
    assert_eq!((moments.mean(), moments.variance()), (Some(5.0), Some(32.0 / 7.0)));
    assert_eq!((moments.min(), moments.max()), (Some(2.0), Some(9.0)));
    assert_eq!((Moments::new().mean(), [1.0].into_iter().collect::<Moments>().std()), (None, None));
}

#[test]
fn categories_beyond_the_bound_are_counted_together() {
    let mut first = counts(2, &[Some(1), Some(2), Some(3), Some(2), None]);
    assert_eq!((first.get("2"), first.other(), first.missing(), first.total()), (2, 1, 1, 5));
    first.merge(&counts(2, &[Some(7), Some(7), Some(7)]));
    assert_eq!(first.named().keys().collect::<Vec<_>>(), ["2", "7"]);
    assert_eq!((first.other(), first.total()), (2, 8));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merged_moments_are_those_of_both_streams(
        a in prop::collection::vec(-1e3..1e3, 0..200),
        b in prop::collection::vec(-1e3..1e3, 0..200),
    ) {
        let mut merged: Moments = a.iter().copied().collect();
        merged.merge(&b.iter().copied().collect());
        let at_once: Moments = a.into_iter().chain(b).collect();
        prop_assert_eq!(merged.count(), at_once.count());
        prop_assert_eq!((merged.min(), merged.max()), (at_once.min(), at_once.max()));
        let close = |x: Option<f64>, y: Option<f64>| match (x, y) {
            (Some(x), Some(y)) => (x - y).abs() <= 1e-10 * (1.0 + y.abs()),
            (x, y) => x == y,
        };
        prop_assert!(close(merged.mean(), at_once.mean()) && close(merged.variance(), at_once.variance()));
    }

    #[test]
    fn merging_counts_loses_no_row_and_does_not_depend_on_the_side(
        a in prop::collection::vec(prop::option::of(0_u8..12), 0..100),
        b in prop::collection::vec(prop::option::of(0_u8..12), 0..100),
        bound in 1_usize..10,
    ) {
        let (mut ab, mut ba) = (counts(bound, &a), counts(bound, &b));
        ab.merge(&counts(bound, &b));
        ba.merge(&counts(bound, &a));
        prop_assert_eq!(&ab, &ba);
        prop_assert_eq!(ab.total(), (a.len() + b.len()) as u64);
        prop_assert!(ab.named().len() <= bound);
    }
}

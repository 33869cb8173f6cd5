//! Where a column's numbers lie and how far they spread, whatever a few absurd values do.

/// Center, spread and median of a numeric column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) center: f64,
    pub(super) median: f64,
    pub(super) scale: f64,
}

/// Mean and standard deviation after the outer hundredths are pulled in; `None` for an empty or constant column.
pub(super) fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_unstable_by(f64::total_cmp);
    let (first, last) = (*values.first()?, *values.last()?);
    let outer = values.len() / 100;
    let (low, high) = (values[outer], values[values.len() - 1 - outer]);
    // A column that is constant but for its outer hundredths is measured as it is.
    let (low, high) = if low < high { (low, high) } else { (first, last) };
    let greatest = low.abs().max(high.abs());
    if greatest == 0.0 {
        return None;
    }
    // In shares of the greatest value nothing overflows.
    let n = values.len() as f64;
    let share = |x: &f64| x.clamp(low, high) / greatest;
    let mean = values.iter().map(share).sum::<f64>() / n;
    let variance = values.iter().map(|x| (share(x) - mean).powi(2)).sum::<f64>() / n;
    let scale = variance.sqrt() * greatest;
    let constant = variance.sqrt() <= 1e-12 || !scale.is_normal();
    (!constant).then(|| Spread { center: mean * greatest, median: values[values.len() / 2], scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_set_the_scale() {
        let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
        values[5] = 1e300;
        let s = spread(values).unwrap();
        assert!((s.scale - 288.0).abs() < 10.0, "{s:?}");
    }

    #[test]
    fn odd_columns() {
        assert_eq!(spread(vec![]), None);
        assert_eq!(spread(vec![3.0; 9]), None);
        assert_eq!(spread(vec![0.0, 0.0]), None);
        assert!(spread(vec![1.7e308, -1.7e308]).unwrap().scale.is_finite());
        let mut rare = vec![0.0; 999];
        rare.push(1.0);
        assert!(spread(rare).unwrap().scale > 0.0);
    }
}

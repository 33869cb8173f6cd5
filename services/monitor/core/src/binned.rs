//! How two tallies of categories are laid side by side, so that a chi-square test and a stability index can be trusted on
//! them. It must not know what the categories are.
//!
//! Tallies name a bounded number of categories each. Where one overflowed, a category that only one of them names may be
//! hidden among the others' rest; comparing it would find drift in any column of ids. And categories too rare to be
//! expected five times make chi-square reject by chance. All these go to one bin, `rest`, with what was not named.

use tidemill_stats::psi::SHARE_FLOOR;
use tidemill_stats::sketch::Counts;

/// The rule of thumb (Cochran, 1954) for the approximation of chi-square.
const EXPECTED: f64 = 5.0;

/// Rows of reference and window, bin by bin; the rest comes last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Binned {
    pub(crate) reference: Vec<u64>,
    pub(crate) window: Vec<u64>,
}

impl Binned {
    pub(crate) fn new(reference: &Counts, window: &Counts) -> Self {
        let (rows_before, rows_now) = (reference.total() as f64, window.total() as f64);
        let least = rows_before.min(rows_now) / (rows_before + rows_now).max(1.0);
        let frequent = |a: u64, b: u64| (a + b) as f64 * least >= EXPECTED;
        let hidden = reference.other() > 0 || window.other() > 0;
        let only_new = window.named().iter().filter(|(name, _)| !reference.named().contains_key(*name));
        let named = reference
            .named()
            .iter()
            .map(|(name, a)| (*a, window.get(name)))
            .chain(only_new.map(|(_, b)| (0, *b)))
            .map(|(a, b)| (a, b, frequent(a, b) && (!hidden || (a > 0 && b > 0))));
        let missing = (reference.missing(), window.missing());
        let mut binned = Self::default();
        let mut rest = (reference.other(), window.other());
        for (a, b, own) in named.chain([(missing.0, missing.1, frequent(missing.0, missing.1))]) {
            if own {
                binned.push((a, b));
            } else {
                rest = (rest.0 + a, rest.1 + b);
            }
        }
        binned.push(rest);
        binned
    }

    fn push(&mut self, rows: (u64, u64)) {
        self.reference.push(rows.0);
        self.window.push(rows.1);
    }

    /// The population stability index over the bins; 0 where a side has no rows.
    pub(crate) fn psi(&self) -> f64 {
        let total = |rows: &[u64]| rows.iter().sum::<u64>() as f64;
        let (before, now) = (total(&self.reference), total(&self.window));
        if before == 0.0 || now == 0.0 {
            return 0.0;
        }
        let share = |rows: u64, all: f64| (rows as f64 / all).max(SHARE_FLOOR);
        let bins = self.reference.iter().zip(&self.window);
        bins.map(|(a, b)| (share(*a, before), share(*b, now))).map(|(r, c)| (c - r) * (c / r).ln()).sum()
    }
}

#[cfg(test)]
mod tests {
    use tidemill_stats::psi::psi_categorical;

    use super::*;

    fn counts(rows: &[(&str, u64)], most: usize) -> Counts {
        let mut counts = Counts::new(most);
        for (name, times) in rows {
            (0..*times).for_each(|_| counts.insert(Some(*name)));
        }
        counts
    }

    #[test]
    fn frequent_categories_stay_as_they_are() {
        let (before, now) = (counts(&[("car", 60), ("van", 40)], 9), counts(&[("car", 30), ("van", 70)], 9));
        let binned = Binned::new(&before, &now);
        assert_eq!(
            (binned.reference.as_slice(), binned.window.as_slice()),
            ([60, 40, 0].as_slice(), [30, 70, 0].as_slice())
        );
        let usual = psi_categorical(&before, &now).map_or(f64::NAN, |psi| psi.value);
        assert!((binned.psi() - usual).abs() < 1e-12);
    }

    #[test]
    fn rare_categories_share_a_bin() {
        let before = counts(&[("car", 95), ("tram", 2), ("van", 3)], 9);
        let binned = Binned::new(&before, &counts(&[("bike", 3), ("car", 97)], 9));
        assert_eq!((binned.reference, binned.window), (vec![95, 5], vec![97, 3]));
    }

    #[test]
    fn a_column_of_ids_has_nothing_to_compare() {
        let ids = |from: u64| (from..from + 300).map(|i| format!("parcel-{i}")).collect::<Vec<_>>();
        let tally = |names: &[String]| {
            let mut counts = Counts::new(16);
            names.iter().for_each(|name| counts.insert(Some(name)));
            counts
        };
        let binned = Binned::new(&tally(&ids(0)), &tally(&ids(300)));
        assert_eq!((binned.reference, binned.window), (vec![300], vec![300]));
    }
}

//! Which rows judge a candidate: the newest ones that neither model learned from, and the reserved ones before them.
//!
//! It must not know of models; it counts rows in dataset order. INV-5 rests on it: `recent` begins where both models
//! stopped learning, and of `old` only the reserved rows are used, from which nobody learns.

use tidemill_events::dataset::RowRange;

/// The most recent rows that are compared; more would hardly narrow the comparison and would cost two models' answers each.
pub const MAX_RECENT_ROWS: u64 = 5_000;

/// The most rows before them that are looked through for reserved ones, which are one in twenty.
pub const MAX_OLD_ROWS: u64 = 100_000;

/// The recent and the old rows among the first `rows` of a dataset, where neither model learned from row `learned_to` on.
pub(crate) fn to_judge(rows: u64, learned_to: u64) -> (RowRange, RowRange) {
    let from = learned_to.max(rows.saturating_sub(MAX_RECENT_ROWS)).min(rows);
    let recent = RowRange { from, to: rows };
    let old = RowRange { from: from.saturating_sub(MAX_OLD_ROWS), to: from };
    (recent, old)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: u64, to: u64) -> RowRange {
        RowRange { from, to }
    }

    #[test]
    fn recent_rows_begin_where_both_models_stopped_learning() {
        assert_eq!(to_judge(1_000, 800), (range(800, 1_000), range(0, 800)));
        assert_eq!(to_judge(1_000, 0), (range(0, 1_000), range(0, 0)));
    }

    #[test]
    fn both_ranges_are_bounded_and_the_newest_are_taken() {
        assert_eq!(to_judge(200_000, 10), (range(195_000, 200_000), range(95_000, 195_000)));
    }

    #[test]
    fn there_are_no_recent_rows_where_a_model_has_seen_them_all() {
        assert_eq!(to_judge(500, 500).0.rows(), 0);
        assert_eq!(to_judge(500, 900), (range(500, 500), range(0, 500)));
    }
}

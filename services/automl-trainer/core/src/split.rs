//! Which rows a turn learns from, which choose among its trials, and which are left for the evaluator.
//!
//! In dataset order, oldest first: learn | gap | validate | held out. Later rows judge what earlier ones taught, as in
//! production; a random split would overstate the future, and so would one without a gap: labels come late, so that a model
//! never serves the rows right behind those that taught it. The held-out rows teach nothing until the verdict is given
//! (INV-5).

use serde::{Deserialize, Serialize};
use tidemill_domain::{LoopSpec, Strategy};
use tidemill_events::dataset::{Catalogue, RowRange};

/// The lengths of window that are tried beside all rows.
const WINDOWS: [u64; 4] = [1_000, 2_500, 5_000, 10_000];
/// What "all rows" means at most: older ones cost more than they teach.
const MAX_ROWS: u64 = 20_000;

/// How the rows of a dataset are used by a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Split {
    rows: u64,
    held_out: u64,
    validate: u64,
    gap: u64,
}

impl Split {
    /// The split of the rows that there are; `None` when they are too few to learn, choose and judge.
    pub(crate) fn of(catalogue: &Catalogue, spec: &LoopSpec) -> Option<Self> {
        let rows = catalogue.rows;
        let usual = spec.triggers.new_labels.unwrap_or(1_000);
        let held_out = (usual / 5).clamp(spec.evaluation.min_rows, 2_000);
        let left = rows.checked_sub(held_out)?;
        let validate = usual.clamp(50, 5_000).min(left / 3);
        let gap = catalogue.label_lag.min((left - validate) / 3);
        (validate >= 25).then_some(Self { rows, held_out, validate, gap })
    }

    /// The rows that a trial learns from before it is scored.
    pub(crate) fn train(self, strategy: Strategy) -> RowRange {
        before(self.rows - self.held_out - self.validate - self.gap, strategy)
    }

    /// The rows that score a trial.
    pub(crate) fn validate(self) -> RowRange {
        let to = self.rows - self.held_out;
        RowRange { from: to - self.validate, to }
    }

    /// The rows that the candidate learns from: the newest ones up to the held-out.
    pub(crate) fn refit(self, strategy: Strategy) -> RowRange {
        before(self.rows - self.held_out, strategy)
    }

    /// The strategies that differ on so many rows.
    pub(crate) fn strategies(self) -> Vec<Strategy> {
        let available = self.rows - self.held_out - self.validate - self.gap;
        let windows = WINDOWS.iter().filter(|w| **w < available).map(|w| Strategy::Window { rows: *w });
        windows.chain([Strategy::All]).collect()
    }
}

fn before(to: u64, strategy: Strategy) -> RowRange {
    RowRange { from: to - strategy.rows_of(to).min(MAX_ROWS), to }
}

#[cfg(test)]
mod tests {
    use tidemill_domain::{LoopId, Schema, Target, TargetKind};

    use super::*;

    fn spec() -> LoopSpec {
        let target = Target { name: "y".into(), kind: TargetKind::Numeric };
        let schema = Schema { features: vec![], target, entity: None, slices: vec![] };
        LoopSpec::with_defaults(LoopId::new("a").unwrap_or_else(|e| unreachable!("{e}")), schema)
    }

    fn catalogue(rows: u64, label_lag: u64) -> Catalogue {
        Catalogue { rows, label_lag, ..Catalogue::default() }
    }

    #[test]
    fn rows_are_used_once_and_in_order() {
        let spec = spec();
        for (rows, lag) in [(300, 0), (700, 10), (1_000, 1_000), (5_000, 100), (45_000, 1_000)] {
            let split = Split::of(&catalogue(rows, lag), &spec).unwrap_or_else(|| unreachable!("{rows}"));
            for strategy in split.strategies() {
                let (train, validate, refit) =
                    (split.train(strategy), split.validate(), split.refit(strategy));
                assert!(train.rows() > 0 && train.to + split.gap == validate.from && validate.to == refit.to);
                assert!(split.gap <= lag);
                assert_eq!(refit.to, rows - split.held_out);
                assert!(refit.rows() <= MAX_ROWS);
            }
        }
    }

    #[test]
    fn few_rows_are_too_few() {
        for rows in 0..270 {
            assert_eq!(Split::of(&catalogue(rows, 0), &spec()).is_some(), rows >= 275, "{rows}");
        }
    }
}

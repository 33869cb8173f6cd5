//! What paired rows show of two models: sums over the windows of one pair, and the judgement that they allow.
//!
//! It must not know what follows from a judgement. The judgement is always valid: it may be asked after every window.

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::Rollout;
use tidemill_events::monitor::Paired;
use tidemill_stats::sequential::{Judgement, judge};
use tidemill_stats::sketch::Moments;

/// The probability that a judgement is ever wrong, over a whole rollout.
pub const ALPHA: f64 = 0.05;

/// The paired rows of a contender against the champion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    /// Champion's loss minus contender's: positive is good for the contender.
    difference: Moments,
    champion_loss: Moments,
    /// The rows at which the judgement shall be sharpest; fixed when the comparison begins, as its validity asks.
    planned: u64,
}

impl Evidence {
    pub(crate) fn planned_for(rows: u64) -> Self {
        Self { difference: Moments::new(), champion_loss: Moments::new(), planned: rows.max(1) }
    }

    /// Forgets what was seen: the other side of the comparison is another model now.
    pub(crate) fn restart(&mut self) {
        *self = Self::planned_for(self.planned);
    }

    pub(crate) fn add(&mut self, paired: &Paired) {
        self.difference.merge(&paired.difference);
        self.champion_loss.merge(&paired.champion_loss);
    }

    pub(crate) fn rows(&self) -> u64 {
        self.difference.count()
    }

    /// The judgement on the contender, with a margin relative to the champion's mean loss.
    pub(crate) fn of_contender(&self, policy: &Rollout) -> Judgement {
        let margin = policy.margin * self.champion_loss.mean().unwrap_or(0.0);
        judge(&self.difference, margin, ALPHA, self.planned)
    }

    /// The loss, relative to the contender's, by which the champion may be worse before it is inferior to the contender.
    pub(crate) fn margin_of_champion(&self, policy: &Rollout) -> f64 {
        let contender_loss = self.champion_loss.mean().unwrap_or(0.0) - self.difference.mean().unwrap_or(0.0);
        policy.margin * contender_loss
    }
}

//! The watch over a new champion: what takes it back, and when it has stood.
//!
//! While the watch lasts, the previous champion is ready to return. It also scores rows in the shadow, at most
//! [`COMPARED_ROWS`] labelled ones and only while nothing else needs the place, so that there is paired evidence. The new
//! champion goes back when that evidence shows it worse by more than the margin, or when a decay of it is detected, unless
//! the evidence has shown it better than the previous one: then the world got harder and going back would not help.
//!
//! Going back is not withheld while the loop is paused, only while people froze or pinned it. This module must not know how a model came to the top.

use tidemill_domain::Timestamp;
use tidemill_domain::spec::AlertKind;
use tidemill_events::core::Draft;
use tidemill_events::monitor::{Alert, AlertState};
use tidemill_events::rollout::RolloutStep;
use tidemill_stats::sequential::Judgement;

use crate::state::{LoopState, Part};

/// Labelled rows that the previous champion scores beside the new one at most.
pub const COMPARED_ROWS: u64 = 1_000;

impl LoopState {
    /// Ends the watch if its time is over at `now`.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Option<Draft> {
        self.watch.take_if(|w| w.until <= now)?;
        self.contender.take_if(|c| matches!(c.part, Part::Compared));
        let champion = self.champion.clone();
        let reason = "no reason was found to go back to the previous champion";
        Some(self.tell(RolloutStep::Watched, champion.as_ref(), None, None, reason))
    }

    /// Takes an alert: a detected decay of a champion on watch takes it back.
    pub(crate) fn heed(&mut self, alert: &Alert) -> Vec<Draft> {
        let on_watch = !self.holds.is_still() && self.watch.as_ref().is_some_and(|w| !w.better);
        let champion = self.champion.as_ref().map(|c| &c.model.version);
        let concerned = alert.alert == AlertKind::Decay
            && alert.state == AlertState::Detected
            && alert.version.is_some()
            && alert.version.as_ref() == champion;
        if !(on_watch && concerned) {
            return Vec::new();
        }
        self.restore(RolloutStep::Demoted, None, format!("its performance decays: {}", alert.summary))
    }

    /// Takes what paired rows show of the previous champion (as the contender) against the new one.
    pub(crate) fn compare(&mut self, judgement: Judgement) -> Vec<Draft> {
        let policy = &self.policy.applied.spec.rollout;
        let Some(contender) = &self.contender else { return Vec::new() };
        let (rows, margin) = (contender.evidence.rows(), contender.evidence.margin_of_champion(policy));
        if let Some(watch) = &mut self.watch {
            watch.better = watch.better || judgement.upper.is_some_and(|upper| upper < 0.0);
        }
        if judgement.lower.is_some_and(|lower| lower > margin) {
            let reason = format!("the previous champion is better on {rows} paired rows");
            return self.restore(RolloutStep::Demoted, Some(judgement), reason);
        }
        if rows < COMPARED_ROWS {
            return Vec::new();
        }
        let Some(contender) = self.contender.take() else { return Vec::new() };
        let reason = format!("the previous champion was not shown to be better on {rows} paired rows");
        vec![self.tell(RolloutStep::Kept, Some(&contender.model), None, Some(judgement), reason)]
    }
}

#[cfg(test)]
#[path = "tests/watch.rs"]
mod tests;

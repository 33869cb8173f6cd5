//! Who is champion: one model takes over, or the previous one returns; each is a single event with a legal table (INV-3).
//!
//! A contender on its way is not lost when the champion changes: it keeps its share and is compared anew. This module must
//! not know why the champion changes.

use tidemill_domain::Timestamp;
use tidemill_domain::spec::Lane;
use tidemill_events::core::Draft;
use tidemill_events::model::Deployed;
use tidemill_events::rollout::RolloutStep;
use tidemill_stats::sequential::{Judgement, Verdict};

use crate::evidence::Evidence;
use crate::state::{Contender, LoopState, Part, Watch};
use crate::watch::COMPARED_ROWS;

impl LoopState {
    /// Makes `model` the champion and puts it on watch.
    pub(crate) fn promote(
        &mut self,
        model: Deployed,
        lane: Lane,
        judgement: Option<Judgement>,
        reason: String,
        now: Timestamp,
    ) -> Vec<Draft> {
        self.proven.insert(model.model.algorithm);
        let old = self.champion.replace(model.clone());
        // A champion for rows of another shape is of no use to go back to.
        self.previous = old.filter(|_| !self.stranded);
        self.stranded = false;
        let mut overtaken = None;
        match &mut self.contender {
            Some(c) if matches!(c.part, Part::Compared) => self.contender = None,
            Some(c) if c.model.model.version == model.model.version => overtaken = self.contender.take(),
            Some(c) => {
                c.restart();
            }
            None => {}
        }
        let policy = &self.policy.applied.spec.rollout;
        self.watch = None;
        if let Some(previous) = self.previous.as_ref().filter(|_| policy.watch.0 > 0) {
            let better = judgement.as_ref().is_some_and(|j| j.verdict == Verdict::Superior);
            self.watch = Some(Watch { until: now + policy.watch, better });
            self.contender.get_or_insert_with(|| Contender {
                model: previous.clone(),
                part: Part::Compared,
                evidence: Evidence::planned_for(COMPARED_ROWS),
            });
        }
        let mut drafts = vec![self.tell(RolloutStep::Promoted, Some(&model), Some(lane), judgement, reason)];
        if let Some(gone) = overtaken {
            let reason = "the same model passed again and is the champion now";
            drafts.push(self.tell(RolloutStep::Replaced, Some(&gone.model), Some(Lane::Steps), None, reason));
        }
        drafts
    }

    /// Gives the previous champion all that the champion has; nothing without a previous one.
    pub(crate) fn restore(
        &mut self,
        step: RolloutStep,
        judgement: Option<Judgement>,
        reason: String,
    ) -> Vec<Draft> {
        let Some(previous) = self.previous.take() else { return Vec::new() };
        let Some(gone) = self.champion.replace(previous.clone()) else { return Vec::new() };
        self.watch = None;
        // A lineage that was taken back has to prove itself again, unless it is the one that returns.
        self.proven.remove(&gone.model.algorithm);
        self.proven.insert(previous.model.algorithm);
        let mut leaving = None;
        match &mut self.contender {
            Some(c) if matches!(c.part, Part::Compared) => self.contender = None,
            Some(c) if step == RolloutStep::RolledBack || c.model.model.version == previous.model.version => {
                leaving = self.contender.take();
            }
            Some(c) => c.restart(),
            None => {}
        }
        let mut drafts = vec![self.tell(step, Some(&gone), None, judgement, reason)];
        if let Some(contender) = leaving {
            let reason = format!("{} is champion again", previous.model.version);
            drafts.push(self.tell(
                RolloutStep::Kept,
                Some(&contender.model),
                Some(Lane::Steps),
                None,
                reason,
            ));
        }
        drafts
    }
}

impl Contender {
    /// Begins the comparison anew against another champion, at the share that was reached.
    fn restart(&mut self) {
        self.evidence.restart();
        if let Part::Climbing { begun_at, .. } = &mut self.part {
            *begun_at = 0;
        }
    }
}

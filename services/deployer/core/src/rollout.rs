//! The way of a contender to the top: shadow, shares, champion; closed step by step by paired rows.
//!
//! Evidence belongs to the lineage: when a newer candidate of the same algorithm takes the contender's place, it keeps the
//! share and the evidence, because each of them has passed its own evaluation against the same champion and what a rollout
//! proves is the kind, not the day's copy. A new champion is another opponent: then the evidence begins anew, the share
//! stays. No share of 100 percent is given without a judgement that allows it, whatever the steps are.
//!
//! While the loop is paused, contenders only move back; while it is frozen or pinned, nothing moves. This module must not know where paired rows come from.

use tidemill_domain::Timestamp;
use tidemill_domain::spec::Lane;
use tidemill_events::core::Draft;
use tidemill_events::model::Deployed;
use tidemill_events::monitor::Paired;
use tidemill_events::rollout::RolloutStep;
use tidemill_stats::sequential::{Judgement, Verdict};

use crate::evidence::Evidence;
use crate::state::{Contender, LoopState, Part};

/// The share that stands for being the champion.
const ALL: u8 = 100;

impl LoopState {
    /// Takes a window of paired rows; those of other pairs are passed over.
    pub(crate) fn weigh(&mut self, paired: &Paired, now: Timestamp) -> Vec<Draft> {
        let policy = &self.policy.applied.spec.rollout;
        let (Some(champion), Some(contender)) = (&self.champion, &mut self.contender) else {
            return Vec::new();
        };
        if paired.champion != champion.model.version || &paired.challenger != contender.version() {
            return Vec::new();
        }
        contender.evidence.add(paired);
        if self.holds.is_still() {
            return Vec::new();
        }
        let judgement = contender.evidence.of_contender(policy);
        match contender.part {
            Part::Climbing { share, begun_at } => self.climb(share, begun_at, judgement, now),
            Part::Compared => self.compare(judgement),
        }
    }

    /// Starts a rollout in steps.
    pub(crate) fn begin_climb(&mut self, candidate: Deployed) -> Vec<Draft> {
        let policy = &self.policy.applied.spec.rollout;
        let first = next_share(&policy.steps, 0);
        let share = if policy.shadow == 0 && first < ALL { first } else { 0 };
        let evidence = Evidence::planned_for(policy.shadow.saturating_add(policy.min_rows));
        let shadow = policy.shadow;
        let part = Part::Climbing { share, begun_at: 0 };
        self.contender = Some(Contender { model: candidate.clone(), part, evidence });
        let (step, reason) = match share {
            0 => (
                RolloutStep::Shadowed,
                format!("a new kind of model scores {shadow} labelled rows in the shadow"),
            ),
            _ => (RolloutStep::StepStarted, format!("a new kind of model begins at {share} %")),
        };
        vec![self.tell(step, Some(&candidate), Some(Lane::Steps), None, reason)]
    }

    /// Puts a newer candidate of the same lineage in the place of the contender: one event about each of the two.
    pub(crate) fn replace_climber(&mut self, candidate: Deployed) -> Vec<Draft> {
        let Some(contender) = &mut self.contender else { return Vec::new() };
        let share = match contender.part {
            Part::Climbing { share, .. } => share,
            Part::Compared => 0,
        };
        let old = std::mem::replace(&mut contender.model, candidate.clone());
        let (algorithm, rows) = (candidate.model.algorithm, contender.evidence.rows());
        let (gone, came) = (old.model.version.clone(), candidate.model.version.clone());
        let step = if share == 0 { RolloutStep::Shadowed } else { RolloutStep::StepStarted };
        let reason = format!("{came}, also {algorithm}, takes its place at {share} %");
        let first = self.tell(RolloutStep::Replaced, Some(&old), Some(Lane::Steps), None, reason);
        let reason =
            format!("takes the place of {gone} at {share} %, with the {rows} paired rows of its lineage");
        vec![first, self.tell(step, Some(&candidate), Some(Lane::Steps), None, reason)]
    }

    fn climb(&mut self, share: u8, begun_at: u64, judgement: Judgement, now: Timestamp) -> Vec<Draft> {
        let policy = &self.policy.applied.spec.rollout;
        let next = next_share(&policy.steps, share);
        let in_shadow = share == 0;
        let seen = judgement.n.saturating_sub(begun_at);
        let good = matches!(judgement.verdict, Verdict::NonInferior | Verdict::Superior);
        let (least, most) = if in_shadow {
            (policy.shadow, policy.shadow.saturating_add(policy.max_rows))
        } else {
            (policy.min_rows, policy.max_rows)
        };
        if judgement.verdict == Verdict::Inferior {
            return self.keep(judgement, "paired rows show that it is worse than the champion".to_owned());
        }
        if self.holds.paused {
            return Vec::new();
        }
        if !in_shadow && judgement.verdict == Verdict::Superior {
            let reason = format!("better than the champion on {} paired rows", judgement.n);
            return self.crown(judgement, reason, now);
        }
        let shadow_done = in_shadow && next < ALL;
        if seen >= least && (good || shadow_done) {
            if next >= ALL {
                let reason = format!(
                    "not worse than the champion on {} paired rows, the last step is done",
                    judgement.n
                );
                return self.crown(judgement, reason, now);
            }
            return self.step_to(next, judgement);
        }
        if seen >= most {
            let reason = format!("{seen} paired rows at {share} % and still undecided");
            return self.keep(judgement, reason);
        }
        Vec::new()
    }

    fn step_to(&mut self, next: u8, judgement: Judgement) -> Vec<Draft> {
        let Some(contender) = &mut self.contender else { return Vec::new() };
        contender.part = Part::Climbing { share: next, begun_at: judgement.n };
        let model = contender.model.clone();
        let reason = format!("{} paired rows allow {next} %", judgement.n);
        vec![self.tell(RolloutStep::StepStarted, Some(&model), Some(Lane::Steps), Some(judgement), reason)]
    }

    fn crown(&mut self, judgement: Judgement, reason: String, now: Timestamp) -> Vec<Draft> {
        let Some(contender) = self.contender.take() else { return Vec::new() };
        self.promote(contender.model, Lane::Steps, Some(judgement), reason, now)
    }

    fn keep(&mut self, judgement: Judgement, reason: String) -> Vec<Draft> {
        let Some(contender) = self.contender.take() else { return Vec::new() };
        vec![self.tell(RolloutStep::Kept, Some(&contender.model), Some(Lane::Steps), Some(judgement), reason)]
    }
}

/// The first step above `share`; 100 when there is none.
fn next_share(steps: &[u8], share: u8) -> u8 {
    steps.iter().copied().find(|s| *s > share).unwrap_or(ALL)
}

#[cfg(test)]
#[path = "tests/rollout.rs"]
mod tests;

//! Whether a candidate that passed is taken, and on which lane.
//!
//! Only what a `Passed` verdict names gets in here (INV-2), and only if it was judged by the rules now in force and against
//! the present champion. This module must not know how a rollout goes on.

use tidemill_domain::spec::{Approval, Lane};
use tidemill_domain::{ModelVersion, Timestamp};
use tidemill_events::core::Draft;
use tidemill_events::dataset::DatasetCreated;
use tidemill_events::event::SpecApplied;
use tidemill_events::model::Deployed;
use tidemill_events::rollout::RolloutStep;
use tidemill_events::verdict::{GateOutcome, Verdict};
use tidemill_stats::sequential::{Verdict as Superiority, judge};

use crate::evidence::ALPHA;
use crate::state::{LoopState, Part};

impl LoopState {
    /// Takes a version of the spec; one that changes the rows leaves nothing to compare with the champion.
    pub(crate) fn apply(&mut self, applied: &SpecApplied) -> Vec<Draft> {
        let (old, new) = (&self.policy.applied.spec, &applied.spec);
        let reshaped = old.schema.hash() != new.schema.hash();
        if reshaped || old.evaluation != new.evaluation || old.training.metric != new.training.metric {
            self.policy.judged_since = applied.version;
        }
        self.policy.applied = applied.clone();
        if reshaped { self.strand("the shape of the rows changed") } else { Vec::new() }
    }

    /// Takes a dataset version; one that does not extend the newest counts its rows anew.
    pub(crate) fn extend(&mut self, created: &DatasetCreated) -> Vec<Draft> {
        let newest = self.dataset.replace(created.dataset.clone());
        if newest.is_some() && created.parent != newest {
            self.strand("the dataset began anew")
        } else {
            Vec::new()
        }
    }

    /// Nothing can be compared with the champion any more: the next candidate takes over from it at once.
    fn strand(&mut self, reason: &str) -> Vec<Draft> {
        self.stranded = self.champion.is_some();
        self.watch = None;
        self.drop_contender(reason)
    }

    /// Takes a verdict; one that did not pass moves nothing.
    pub(crate) fn admit(&mut self, verdict: &Verdict, now: Timestamp) -> Vec<Draft> {
        self.holds.remember(&verdict.deployed());
        if verdict.outcome != GateOutcome::Passed || !self.decide_once(&verdict.turn) {
            return Vec::new();
        }
        match self.policy.applied.spec.training.approval {
            Approval::Manual if self.objection(verdict).is_none() => self.await_approval(verdict),
            Approval::Automatic | Approval::Manual => self.take(verdict, now),
        }
    }

    /// Takes a candidate that passed and that nobody has to approve any more.
    pub(crate) fn take(&mut self, verdict: &Verdict, now: Timestamp) -> Vec<Draft> {
        let candidate = verdict.deployed();
        let lane = self.lane_of(&candidate, verdict);
        if let Some(reason) = self.objection(verdict) {
            return vec![self.tell(RolloutStep::Declined, Some(&candidate), Some(lane), None, reason)];
        }
        let algorithm = candidate.model.algorithm;
        let spec_lane = self.policy.applied.spec.rollout.lane;
        let climber = self.climber().map(|c| (c.model.model.algorithm, c.version().clone()));
        match (lane, climber) {
            (Lane::Fast | Lane::Auto, _) => {
                let reason = if self.champion.is_none() {
                    "the first model of the loop passed its evaluation".to_owned()
                } else if self.stranded {
                    "the champion was made for other rows".to_owned()
                } else if self.proven.contains(&algorithm) || spec_lane == Lane::Fast {
                    format!("{algorithm} is proven in this loop or the lane is set: all traffic, under watch")
                } else {
                    "its evaluation leaves no doubt that it is better: all traffic, under watch".to_owned()
                };
                self.promote(candidate, lane, None, reason, now)
            }
            (Lane::Steps, None) => self.begin_climb(candidate),
            (Lane::Steps, Some((same, _))) if same == algorithm => self.replace_climber(candidate),
            (Lane::Steps, Some((other, version))) => {
                let reason =
                    format!("{version} ({other}) is on its way, {algorithm} has to wait for its end");
                vec![self.tell(RolloutStep::Declined, Some(&candidate), Some(lane), None, reason)]
            }
        }
    }

    /// The lane of a candidate: `Fast` or `Steps`.
    ///
    /// Without a champion to compare with there are no steps. `Auto` takes a lineage as proven once one of its models has
    /// become champion, until one is taken back. A new kind also goes fast where its evaluation leaves no doubt that it is
    /// better than the champion: labels that come late make steps costly, and most of all while the champion fails.
    fn lane_of(&self, candidate: &Deployed, verdict: &Verdict) -> Lane {
        if self.champion.is_none() || self.stranded {
            return Lane::Fast;
        }
        match self.policy.applied.spec.rollout.lane {
            Lane::Auto if self.proven.contains(&candidate.model.algorithm) => Lane::Fast,
            Lane::Auto if leaves_no_doubt(verdict) => Lane::Fast,
            Lane::Auto | Lane::Steps => Lane::Steps,
            Lane::Fast => Lane::Fast,
        }
    }

    /// Why a candidate is not taken although it passed.
    fn objection(&self, verdict: &Verdict) -> Option<String> {
        let version = &verdict.candidate.model.version;
        let champion = self.champion.as_ref().map(|c| &c.model.version);
        let since = self.policy.judged_since;
        if let Some(held) = self.holds.objection() {
            return Some(held);
        }
        if verdict.spec_version < since {
            return Some(format!(
                "judged under spec {}, its rules changed with spec {since}",
                verdict.spec_version
            ));
        }
        if champion == Some(version) {
            return Some("it is the champion".to_owned());
        }
        if self.climber().is_some_and(|c| c.version() == version) {
            return Some("it is on its way already".to_owned());
        }
        if !self.stranded && verdict.champion.as_ref() != champion {
            let name =
                |v: Option<&ModelVersion>| v.map_or_else(|| "the prior".to_owned(), ToString::to_string);
            let (judged, present) = (name(verdict.champion.as_ref()), name(champion));
            return Some(format!("judged against {judged}, the champion is {present} by now"));
        }
        None
    }

    fn drop_contender(&mut self, reason: &str) -> Vec<Draft> {
        let Some(gone) = self.contender.take() else { return Vec::new() };
        let lane = matches!(gone.part, Part::Climbing { .. }).then_some(Lane::Steps);
        vec![self.tell(RolloutStep::Kept, Some(&gone.model), lane, None, reason)]
    }
}

#[cfg(test)]
#[path = "tests/admit.rs"]
mod tests;

/// Whether the candidate was better than the champion on the rows that judged it, beyond chance.
fn leaves_no_doubt(verdict: &Verdict) -> bool {
    let recent = &verdict.measurement.recent;
    judge(&recent.difference, 0.0, ALPHA, recent.rows.max(1)).verdict == Superiority::Superior
}

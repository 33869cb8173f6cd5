//! What people hold: a loop paused, frozen or pinned, and candidates that wait for their approval.
//!
//! A pause stops every automatic move but those back. A freeze stops those too, and leaves everything where it is. A pin
//! gives one model all traffic and keeps it there. It must not know of evidence: what a person asks is done if it can be.

use std::collections::VecDeque;

use tidemill_domain::{ModelVersion, Timestamp};
use tidemill_events::core::Draft;
use tidemill_events::event::Command;
use tidemill_events::model::Deployed;
use tidemill_events::rollout::RolloutStep;
use tidemill_events::verdict::Verdict;

use crate::state::LoopState;

/// Judged models that can still be pinned or approved; the oldest is forgotten.
const MAX_KNOWN: usize = 64;
/// Candidates that may wait for approval at the same time; the oldest is declined beyond it.
const MAX_WAITING: usize = 8;

/// What people hold in a loop.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Holds {
    pub(crate) paused: bool,
    pub(crate) frozen: bool,
    /// The model that has all traffic until it is unpinned.
    pub(crate) pinned: Option<ModelVersion>,
    waiting: VecDeque<Verdict>,
    judged: VecDeque<Deployed>,
}

impl Holds {
    /// Why no automatic move forward is made; `None` if one may.
    pub(crate) fn objection(&self) -> Option<String> {
        match (&self.pinned, self.frozen, self.paused) {
            (Some(version), _, _) => Some(format!("the loop is pinned to {version}")),
            (None, true, _) => Some("the loop is frozen".to_owned()),
            (None, false, true) => Some("the loop is paused".to_owned()),
            (None, false, false) => None,
        }
    }

    /// Whether nothing may move by itself, not even back.
    pub(crate) fn is_still(&self) -> bool {
        self.frozen || self.pinned.is_some()
    }

    /// Remembers a judged model, whatever the verdict: a person may still want it.
    pub(crate) fn remember(&mut self, model: &Deployed) {
        self.judged.retain(|m| m.model.version != model.model.version);
        self.judged.push_back(model.clone());
        if self.judged.len() > MAX_KNOWN {
            self.judged.pop_front();
        }
    }
}

impl LoopState {
    /// Lets a candidate that passed wait for a person.
    pub(crate) fn await_approval(&mut self, verdict: &Verdict) -> Vec<Draft> {
        let candidate = verdict.deployed();
        let version = candidate.model.version.clone();
        self.holds.waiting.push_back(verdict.clone());
        let name = &self.loop_id;
        let reason =
            format!("it passed; training.approval is manual: `tidemill approve {name} {version}`, or reject");
        let mut drafts = vec![self.tell(RolloutStep::Awaiting, Some(&candidate), None, None, reason)];
        if self.holds.waiting.len() > MAX_WAITING
            && let Some(oldest) = self.holds.waiting.pop_front()
        {
            let reason = format!("{MAX_WAITING} newer candidates wait for approval");
            drafts.push(self.tell(RolloutStep::Declined, Some(&oldest.deployed()), None, None, reason));
        }
        drafts
    }

    /// Takes a candidate that waits, if it could still be taken without a person.
    pub(crate) fn approve(&mut self, version: &ModelVersion, by: &Command, now: Timestamp) -> Vec<Draft> {
        match self.take_waiting(version) {
            Some(verdict) => self.take(&verdict, now),
            None => vec![self.not_found(version, by, "approved", "does not wait for approval")],
        }
    }

    /// Declines a candidate that waits, or ends its rollout.
    pub(crate) fn reject(&mut self, version: &ModelVersion, by: &Command) -> Vec<Draft> {
        let reason = said(by, "rejected it");
        if let Some(verdict) = self.take_waiting(version) {
            return vec![self.tell(RolloutStep::Declined, Some(&verdict.deployed()), None, None, reason)];
        }
        match self.contender.take_if(|c| c.version() == version) {
            Some(gone) => vec![self.tell(RolloutStep::Kept, Some(&gone.model), None, None, reason)],
            None => vec![self.not_found(version, by, "rejected", "neither waits nor is on its way")],
        }
    }

    /// Gives a model all traffic and keeps it there: a person's override, whatever its verdict was.
    pub(crate) fn pin(&mut self, version: Option<&ModelVersion>, by: &Command) -> Vec<Draft> {
        let champion = self.champion.as_ref().map(|c| c.model.version.clone());
        let Some(version) = version.cloned().or_else(|| champion.clone()) else {
            let reason = said(by, "asked for a pin, but the loop has no champion yet");
            return vec![self.tell(RolloutStep::Declined, None, None, None, reason)];
        };
        let held = self.champion.iter().chain(&self.previous).chain(&self.holds.judged);
        let held = held.chain(self.contender.iter().map(|c| &c.model));
        let Some(model) = held.cloned().find(|m| m.model.version == version) else {
            return vec![self.not_found(&version, by, "pinned", "was not judged in this loop of late")];
        };
        self.holds.pinned = Some(version.clone());
        self.watch = None;
        let gone = self.contender.take().filter(|c| c.version() != &version);
        if champion.as_ref() != Some(&version) {
            self.previous = self.champion.replace(model.clone());
            self.stranded = false;
        }
        let mut drafts =
            vec![self.tell(RolloutStep::Pinned, Some(&model), None, None, said(by, "pinned it"))];
        if let Some(gone) = gone {
            let reason = format!("{version} is pinned");
            drafts.push(self.tell(RolloutStep::Kept, Some(&gone.model), None, None, reason));
        }
        drafts
    }

    fn take_waiting(&mut self, version: &ModelVersion) -> Option<Verdict> {
        let at = self.holds.waiting.iter().position(|v| &v.candidate.model.version == version)?;
        self.holds.waiting.remove(at)
    }

    fn not_found(&mut self, version: &ModelVersion, by: &Command, what: &str, why: &str) -> Draft {
        let reason = said(by, &format!("wanted {version} {what}, but it {why}"));
        self.tell(RolloutStep::Declined, None, None, None, reason)
    }
}

/// Who did what, and why.
pub(crate) fn said(command: &Command, what: &str) -> String {
    let why = if command.reason.is_empty() { String::new() } else { format!(": {}", command.reason) };
    format!("{} {what}{why}", command.by)
}

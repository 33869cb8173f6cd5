//! What people ask of a loop's traffic, and what follows; asking twice changes nothing.
//!
//! It must not know of evidence: what a person asks is done if it can be.

use tidemill_domain::Timestamp;
use tidemill_events::core::Draft;
use tidemill_events::event::{Command, CommandKind};
use tidemill_events::rollout::RolloutStep;

use crate::hold::said;
use crate::state::LoopState;

impl LoopState {
    /// Does what was asked.
    pub(crate) fn obey(&mut self, command: &Command, now: Timestamp) -> Vec<Draft> {
        match &command.kind {
            CommandKind::Approve { version } => self.approve(version, command, now),
            CommandKind::Freeze if !self.holds.frozen => {
                self.holds.frozen = true;
                vec![self.tell(RolloutStep::Frozen, None, None, None, said(command, "froze the loop"))]
            }
            CommandKind::Pause if !self.holds.paused => {
                self.holds.paused = true;
                vec![self.tell(RolloutStep::Paused, None, None, None, said(command, "paused the loop"))]
            }
            CommandKind::Pin { version } => self.pin(version.as_ref(), command),
            CommandKind::Reject { version } => self.reject(version, command),
            CommandKind::Resume if self.holds.paused || self.holds.frozen => {
                (self.holds.paused, self.holds.frozen) = (false, false);
                vec![self.tell(RolloutStep::Resumed, None, None, None, said(command, "resumed the loop"))]
            }
            CommandKind::Rollback => self.roll_back(command),
            CommandKind::Unpin if self.holds.pinned.is_some() => {
                self.holds.pinned = None;
                vec![self.tell(RolloutStep::Unpinned, None, None, None, said(command, "unpinned the loop"))]
            }
            CommandKind::Freeze
            | CommandKind::Pause
            | CommandKind::Resume
            | CommandKind::Retrain
            | CommandKind::Unpin => Vec::new(),
        }
    }

    fn roll_back(&mut self, command: &Command) -> Vec<Draft> {
        if self.previous.is_none() || self.champion.is_none() {
            let reason = said(command, "asked for a rollback, but there is no previous champion");
            return vec![self.tell(RolloutStep::Declined, None, None, None, reason)];
        }
        let drafts = self.restore(RolloutStep::RolledBack, None, said(command, "rolled back"));
        // A pin holds whoever a person wants; the newest word counts.
        if self.holds.pinned.is_some() {
            self.holds.pinned = self.champion.as_ref().map(|c| c.model.version.clone());
        }
        drafts
    }
}

#[cfg(test)]
#[path = "tests/commands.rs"]
mod tests;

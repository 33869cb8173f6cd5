//! What people ask of a loop's traffic: pause, resume, rollback.
//!
//! A pause stops every move but those back. It must not know of evidence: what a person asks is done if it can be.

use tidemill_events::core::Draft;
use tidemill_events::event::{Command, CommandKind};
use tidemill_events::rollout::RolloutStep;

use crate::state::LoopState;

impl LoopState {
    /// Does what was asked; asking twice changes nothing.
    pub(crate) fn obey(&mut self, command: &Command) -> Vec<Draft> {
        let by = &command.by;
        let why = if command.reason.is_empty() { String::new() } else { format!(": {}", command.reason) };
        match command.kind {
            CommandKind::Pause if !self.paused => {
                self.paused = true;
                vec![self.tell(RolloutStep::Paused, None, None, None, format!("{by} paused the loop{why}"))]
            }
            CommandKind::Resume if self.paused => {
                self.paused = false;
                vec![self.tell(RolloutStep::Resumed, None, None, None, format!("{by} resumed the loop{why}"))]
            }
            CommandKind::Rollback => {
                if self.previous.is_none() || self.champion.is_none() {
                    let reason = format!("{by} asked for a rollback, but there is no previous champion");
                    return vec![self.tell(RolloutStep::Declined, None, None, None, reason)];
                }
                self.restore(RolloutStep::RolledBack, None, format!("{by} rolled back{why}"))
            }
            CommandKind::Pause | CommandKind::Resume | CommandKind::Retrain => Vec::new(),
        }
    }
}

#[cfg(test)]
#[path = "tests/commands.rs"]
mod tests;

//! Whether what a person asks for makes sense now, and the event that puts it on the log.
//!
//! It must not carry anything out: the services do that when they read the event.

use tidemill_domain::spec::{Difference, differences};
use tidemill_domain::{EventId, LoopId, LoopSpec};
use tidemill_events::event::SpecApplied;
use tidemill_events::{Command, CommandKind, Draft, Event, Log, Subject};

use crate::loops::LoopState;
use crate::refused::Refused;
use crate::turns::Stage;
use crate::view::View;

/// Characters of a name or reason, at most.
const MAX_TEXT: usize = 1_000;

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// There is nothing to do, because.
    AlreadySo(String),
    /// This event does it.
    Do(Box<Draft>),
}

/// What a person asks for, and who and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Who asks.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// What would follow from putting a spec in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The version that would be in force: the next one, or the present one if nothing changes.
    pub version: u64,
    /// Whether the loop is new.
    pub is_new: bool,
    /// What changes; nothing for a new loop.
    pub differences: Vec<Difference>,
    /// What a person should know before.
    pub notes: Vec<String>,
    /// The event that does it; none if nothing changes.
    pub draft: Option<Draft>,
}

impl View {
    /// What follows from putting `spec` in force.
    ///
    /// # Errors
    /// When it is not said who asks.
    pub fn apply(&self, spec: &LoopSpec, by: &str) -> Result<Plan, Refused> {
        let by = named(by)?;
        let current = self.spec(&spec.name);
        let hash = spec.hash();
        if let Some(current) = current.as_ref().filter(|c| c.hash == hash) {
            let (version, is_new) = (current.version, false);
            return Ok(Plan { version, is_new, differences: Vec::new(), notes: Vec::new(), draft: None });
        }
        let version = current.as_ref().map_or(0, |c| c.version) + 1;
        let applied = SpecApplied { version, hash, spec: spec.clone(), by: by.to_owned() };
        let to = Subject::log(spec.name.clone(), Log::Spec);
        Ok(Plan {
            version,
            is_new: current.is_none(),
            differences: current.as_ref().map_or_else(Vec::new, |c| differences(&c.spec, spec)),
            notes: current.map_or_else(Vec::new, |c| notes(&c.spec, spec)),
            draft: Some(Draft::new(to, Event::Spec(Box::new(applied)))),
        })
    }

    /// What follows from a command.
    ///
    /// # Errors
    /// When there is no such loop, when it is not said who asks, or when the command makes no sense now.
    pub fn command(&self, loop_id: &LoopId, kind: CommandKind, ask: Ask<'_>) -> Result<Asked, Refused> {
        let state = self.known(loop_id)?;
        let by = named(ask.by)?;
        if ask.reason.chars().count() > MAX_TEXT {
            return Err(Refused::invalid(
                "the reason is too long",
                format!("use at most {MAX_TEXT} characters"),
            ));
        }
        let idle = match kind {
            CommandKind::Pause => {
                state.paused.as_ref().map(|p| format!("{loop_id} was paused by {} already", p.by))
            }
            CommandKind::Resume if state.paused.is_none() => Some(format!("{loop_id} is not paused")),
            CommandKind::Resume => None,
            CommandKind::Retrain => retrain(loop_id, state).map(|()| None)?,
            CommandKind::Rollback => rollback(loop_id, state).map(|()| None)?,
        };
        if let Some(why) = idle {
            return Ok(Asked::AlreadySo(why));
        }
        let command = Command { kind, by: by.to_owned(), reason: ask.reason.trim().to_owned() };
        Ok(Asked::Do(Box::new(Draft::new(
            Subject::log(loop_id.clone(), Log::Command),
            Event::Command(command),
        ))))
    }

    /// Whether a command with this id is on the log.
    #[must_use]
    pub fn has_command(&self, loop_id: &LoopId, id: &EventId) -> bool {
        self.known(loop_id).is_ok_and(|state| state.commands.iter().any(|c| &c.at.event == id))
    }
}

fn named(by: &str) -> Result<&str, Refused> {
    let by = by.trim();
    match by.chars().count() {
        0 => Err(Refused::invalid("it is not said who asks", "name a person or a job in \"by\"")),
        n if n > MAX_TEXT => Err(Refused::invalid(
            "the name of who asks is too long",
            format!("use at most {MAX_TEXT} characters"),
        )),
        _ => Ok(by),
    }
}

fn retrain(loop_id: &LoopId, state: &LoopState) -> Result<(), Refused> {
    if state.paused.is_some() {
        let remedy = format!("let it go on first: `tidemill resume {loop_id}`");
        return Err(Refused::conflict(format!("{loop_id} is paused, so no turn begins"), remedy));
    }
    let busy = state.turns.iter().rev().find(|t| matches!(t.stage(), Stage::Searching | Stage::Judged));
    if let Some(turn) = busy {
        let remedy = format!("wait for its verdict: `tidemill status {loop_id}`");
        return Err(Refused::conflict(format!("turn {} is under way", turn.id), remedy));
    }
    if state.datasets.last().is_none_or(|d| d.rows == 0) {
        let remedy = "send predictions with their labels, or start from history: `tidemill import FILE`";
        return Err(Refused::conflict(format!("{loop_id} has no labelled rows to learn from"), remedy));
    }
    Ok(())
}

fn rollback(loop_id: &LoopId, state: &LoopState) -> Result<(), Refused> {
    if state.table.previous.is_some() {
        return Ok(());
    }
    let what = match state.table.champion() {
        Some(champion) => {
            format!("{} is champion of {loop_id}, and none before it is kept", champion.model.version)
        }
        None => format!("{loop_id} has no champion yet"),
    };
    let remedy = format!(
        "to stop what moves by itself use `tidemill pause {loop_id}`; for another model use `tidemill trigger {loop_id}`"
    );
    Err(Refused::conflict(what, remedy))
}

fn notes(old: &LoopSpec, new: &LoopSpec) -> Vec<String> {
    let mut notes = Vec::new();
    if old.schema.hash() != new.schema.hash() {
        notes.push(
            "names, types or order of the columns change: the dataset begins anew, and models in service learned from \
             rows of the old shape"
                .to_owned(),
        );
    }
    if old.training.metric != new.training.metric {
        notes.push(
            "training.metric changes: scores of earlier turns do not compare with those to come, and alerts of decay \
             start from new baselines"
                .to_owned(),
        );
    }
    notes
}

//! Whether what a person asks for makes sense now, and the event that puts it on the log.
//!
//! It must not carry anything out: the services do that when they read the event.

use tidemill_domain::spec::{Difference, differences};
use tidemill_domain::{EventId, LoopId, LoopSpec, ModelVersion};
use tidemill_events::event::SpecApplied;
use tidemill_events::{Command, CommandKind, Draft, Event, Log, Subject};

use crate::loops::LoopState;
use crate::record::CommandRecord;
use crate::refused::Refused;
use crate::summary::Stage;
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
            CommandKind::Approve { ref version } | CommandKind::Reject { ref version } => {
                awaited(loop_id, state, version, &kind).map(|()| None)?
            }
            CommandKind::Freeze => {
                let frozen = state.paused.as_ref().filter(|p| p.kind == CommandKind::Freeze);
                frozen.map(|p| format!("{loop_id} was frozen by {} already", p.by))
            }
            CommandKind::Pause => {
                let how = |p: &CommandRecord| if p.kind == CommandKind::Freeze { "frozen" } else { "paused" };
                state.paused.as_ref().map(|p| format!("{loop_id} was {} by {} already", how(p), p.by))
            }
            CommandKind::Pin { ref version } => pin(loop_id, state, version.as_ref())?,
            CommandKind::Unpin if state.pinned.is_none() => Some(format!("{loop_id} is not pinned")),
            CommandKind::Unpin => None,
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

fn awaited(
    loop_id: &LoopId,
    state: &LoopState,
    version: &ModelVersion,
    kind: &CommandKind,
) -> Result<(), Refused> {
    let on_its_way = state.table.contender().is_some_and(|c| &c.model.model.version == version);
    let rejects = matches!(kind, CommandKind::Reject { .. });
    if state.waiting.contains(version) || (rejects && on_its_way) {
        return Ok(());
    }
    let remedy = match state.waiting.as_slice() {
        [] => "no candidate does: see `tidemill turns`".to_owned(),
        waiting => {
            let names: Vec<&str> = waiting.iter().map(ModelVersion::as_str).collect();
            format!("these do: {}", names.join(", "))
        }
    };
    Err(Refused::conflict(format!("{version} does not wait for approval in {loop_id}"), remedy))
}

/// What a pin would leave as it is; an error where there is no such model.
fn pin(
    loop_id: &LoopId,
    state: &LoopState,
    version: Option<&ModelVersion>,
) -> Result<Option<String>, Refused> {
    let champion = state.table.champion().map(|c| &c.model.version);
    let Some(wanted) = version.or(champion) else {
        let remedy = format!("to stop what moves by itself use `tidemill freeze {loop_id}`");
        return Err(Refused::conflict(format!("{loop_id} has no champion to pin yet"), remedy));
    };
    let routed = state.table.routes.iter().map(|r| &r.model).chain(&state.table.previous);
    let known =
        routed.map(|m| &m.model.version).any(|v| v == wanted) || state.turns.of_version(wanted).is_some();
    if !known {
        let remedy = "name a model that was judged in this loop: see `tidemill turns`";
        return Err(Refused::conflict(format!("{loop_id} knows no model {wanted}"), remedy));
    }
    let same =
        champion == Some(wanted) && state.pinned.as_ref().is_some_and(|p| p.version.as_ref() == champion);
    Ok(same.then(|| format!("{loop_id} is pinned to {wanted} already")))
}

fn retrain(loop_id: &LoopId, state: &LoopState) -> Result<(), Refused> {
    if let Some(paused) = &state.paused {
        let remedy = format!("let it go on first: `tidemill resume {loop_id}`");
        let how = if paused.kind == CommandKind::Freeze { "frozen" } else { "paused" };
        return Err(Refused::conflict(format!("{loop_id} is {how}, so no turn begins"), remedy));
    }
    if state.pinned.is_some() {
        let remedy = format!("let it go first: `tidemill unpin {loop_id}`");
        return Err(Refused::conflict(format!("{loop_id} is pinned, so no turn begins"), remedy));
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

//! What travels between the console and those who ask, beside the answers of the core: bodies of requests and of refusals.

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::{Difference, Problem};
use tidemill_domain::{EventId, LoopId};
use tidemill_events::CommandKind;

/// The largest body that is taken, in bytes.
pub const MAX_BODY: usize = 1 << 20;

/// The header by which a client names its command, so that sending it again does nothing.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What became of a loop file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The loop.
    #[serde(rename = "loop")]
    pub name: LoopId,
    /// The version in force; for a dry run the one that would be.
    pub version: u64,
    /// Whether the loop is new.
    pub is_new: bool,
    /// Whether anything changed, or would.
    pub changed: bool,
    /// Whether this only says what would happen.
    pub dry_run: bool,
    /// What changes, key by key; nothing for a new loop.
    pub differences: Vec<Difference>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// The event on the log.
    pub event: Option<EventId>,
}

/// A command as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandBody {
    /// What for.
    #[serde(flatten)]
    pub kind: CommandKind,
    /// Who asks.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commanded {
    /// The loop.
    #[serde(rename = "loop")]
    pub name: LoopId,
    /// The command.
    #[serde(flatten)]
    pub kind: CommandKind,
    /// Whether it went to the log; otherwise there was nothing to do.
    pub done: bool,
    /// In a sentence.
    pub what: String,
    /// The event on the log.
    pub event: Option<EventId>,
}

/// The kind of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// It makes no sense in the state that the loop is in.
    Conflict,
    /// The console failed.
    Internal,
    /// It is malformed.
    Invalid,
    /// What it is about does not exist.
    NotFound,
    /// The body is too large.
    TooLarge,
    /// Not now; asking again may help.
    Unavailable,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its kind.
    pub error: ErrorKind,
    /// The code of an error that operators meet; docs/errors explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
    /// Mistakes in a loop file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

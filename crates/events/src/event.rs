//! Every event, and the name and version under which it travels.

use serde::{Deserialize, Serialize};
use tidemill_domain::{ContentHash, LoopSpec, ModelVersion, Timestamp};

use crate::dataset::{DatasetCreated, SegmentSealed};
use crate::intake::IntakeBatch;
use crate::monitor::{Alert, LoopWindow, PartWindow};
use crate::rollout::Rollout;
use crate::sample::{CleanItem, Quarantined, SampleItem};
use crate::subject::Topic;
use crate::training::{Candidate, Report, Trial, TrialJob, Trigger};
use crate::verdict::Verdict;

/// Anything that can be on the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// An alert was raised, confirmed or cleared.
    Alert(Alert),
    /// A candidate was chosen.
    Candidate(Box<Candidate>),
    /// A new owner of a subject began to write.
    Claimed(Claimed),
    /// Rows were accepted.
    Clean(Vec<CleanItem>),
    /// A person asked for something.
    Command(Command),
    /// A dataset version was made.
    Dataset(DatasetCreated),
    /// A message was no event and was passed over.
    Dead(DeadLetter),
    /// Producers sent something.
    Intake(IntakeBatch),
    /// A window of one partition closed.
    PartWindow(Box<PartWindow>),
    /// A row was refused.
    Quarantined(Quarantined),
    /// A job reports.
    Report(Box<Report>),
    /// Traffic moved, or stayed on purpose.
    Rollout(Box<Rollout>),
    /// Rows and marks, in the order in which everybody sees them.
    Sample(Vec<SampleItem>),
    /// A segment was sealed.
    Segment(SegmentSealed),
    /// A version of the loop spec is in force.
    Spec(Box<SpecApplied>),
    /// Time passed.
    Tick(Tick),
    /// A trial was planned or ended.
    Trial(Box<Trial>),
    /// It was decided whether to retrain.
    Trigger(Trigger),
    /// A candidate was judged.
    Verdict(Box<Verdict>),
    /// A window of the loop closed.
    Window(Box<LoopWindow>),
    /// A trial is to be run.
    Work(Box<TrialJob>),
    /// Something of a type that this version does not know; it is passed over, and counted.
    Unknown {
        /// Its type.
        type_name: String,
    },
}

impl Event {
    /// The CloudEvents type: `dev.tidemill.<aggregate>.<event>.v1`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::Alert(_) => "dev.tidemill.alert.changed.v1",
            Self::Candidate(_) => "dev.tidemill.candidate.chosen.v1",
            Self::Claimed(_) => "dev.tidemill.owner.claimed.v1",
            Self::Clean(_) => "dev.tidemill.rows.accepted.v1",
            Self::Command(_) => "dev.tidemill.command.given.v1",
            Self::Dataset(_) => "dev.tidemill.dataset.created.v1",
            Self::Dead(_) => "dev.tidemill.message.refused.v1",
            Self::Intake(_) => "dev.tidemill.intake.received.v1",
            Self::PartWindow(_) => "dev.tidemill.window.measured.v1",
            Self::Quarantined(_) => "dev.tidemill.row.quarantined.v1",
            Self::Report(_) => "dev.tidemill.job.reported.v1",
            Self::Rollout(_) => "dev.tidemill.rollout.moved.v1",
            Self::Sample(_) => "dev.tidemill.rows.joined.v1",
            Self::Segment(_) => "dev.tidemill.segment.sealed.v1",
            Self::Spec(_) => "dev.tidemill.spec.applied.v1",
            Self::Tick(_) => "dev.tidemill.time.passed.v1",
            Self::Trial(_) => "dev.tidemill.trial.changed.v1",
            Self::Trigger(_) => "dev.tidemill.trigger.decided.v1",
            Self::Unknown { type_name } => type_name,
            Self::Verdict(_) => "dev.tidemill.verdict.given.v1",
            Self::Window(_) => "dev.tidemill.window.closed.v1",
            Self::Work(_) => "dev.tidemill.trial.requested.v1",
        }
    }

    /// Whether events of this kind belong on subjects of `topic`; claims belong on every subject that is owned.
    #[must_use]
    pub fn belongs_on(&self, topic: Topic) -> bool {
        use crate::subject::Log;
        match self {
            Self::Alert(_) => topic == Topic::Log(Log::Alert),
            Self::Candidate(_) => topic == Topic::Log(Log::Candidate),
            Self::Claimed(_) | Self::Unknown { .. } => !matches!(topic, Topic::Intake(_)),
            Self::Clean(_) => matches!(topic, Topic::Clean(_)),
            Self::Command(_) => topic == Topic::Log(Log::Command),
            Self::Dataset(_) => topic == Topic::Log(Log::Dataset),
            Self::Dead(_) => matches!(topic, Topic::Dead(..)),
            Self::Intake(_) => matches!(topic, Topic::Intake(_)),
            Self::PartWindow(_) => matches!(topic, Topic::Window(_)),
            Self::Quarantined(_) => matches!(topic, Topic::Quarantine(_)),
            Self::Report(_) => topic == Topic::Log(Log::Report),
            Self::Rollout(_) => topic == Topic::Log(Log::Rollout),
            Self::Sample(_) => matches!(topic, Topic::Sample(_)),
            Self::Segment(_) => matches!(topic, Topic::Segment(_)),
            Self::Spec(_) => topic == Topic::Log(Log::Spec),
            Self::Tick(_) => topic == Topic::Log(Log::Tick),
            Self::Trial(_) => topic == Topic::Log(Log::Trial),
            Self::Trigger(_) => topic == Topic::Log(Log::Trigger),
            Self::Verdict(_) => topic == Topic::Log(Log::Verdict),
            Self::Window(_) => topic == Topic::Log(Log::Window),
            Self::Work(_) => topic == Topic::Work,
        }
    }
}

/// A new owner of a role began to write to a subject; what an earlier owner still sends will be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// The role, for example `validator-0`.
    pub role: String,
    /// The replica that owns it.
    pub owner: String,
    /// Counts the owners; a greater one wins.
    pub epoch: u64,
}

/// A message that its readers could not take for an event. They went on without it; the message itself lies in its stream
/// for as long as that keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The name of the stream that holds it.
    pub stream: String,
    /// Its place there.
    pub sequence: u64,
    /// Where it was written.
    pub subject: String,
    /// Who met it first.
    pub reader: String,
    /// What is wrong with it.
    pub reason: String,
    /// The size of its payload.
    pub bytes: u64,
    /// The beginning of its payload, what is no text in it replaced: at most [`DeadLetter::HEAD`] bytes of it.
    pub head: String,
}

impl DeadLetter {
    /// How much of a payload is told, in bytes.
    pub const HEAD: usize = 1_024;

    /// The beginning of a payload, as far as it is told.
    #[must_use]
    pub fn head_of(payload: &[u8]) -> String {
        String::from_utf8_lossy(&payload[..payload.len().min(Self::HEAD)]).into_owned()
    }
}

/// Time passed, and a core wanted to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Who waits.
    pub role: String,
    /// The deadline that passed.
    pub due: Timestamp,
}

/// A version of the loop spec is in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpecApplied {
    /// Counts the versions, from 1.
    pub version: u64,
    /// The hash of the spec.
    pub hash: ContentHash,
    /// The spec.
    pub spec: LoopSpec,
    /// Who applied it.
    pub by: String,
}

/// A person asked for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What for.
    #[serde(flatten)]
    pub kind: CommandKind,
    /// Who asked.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// What a person can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum CommandKind {
    /// Take a candidate that passed and waits for approval.
    Approve {
        /// The candidate.
        version: ModelVersion,
    },
    /// Leave everything as it is: no turn starts, no traffic moves, also not back.
    Freeze,
    /// Stop every automatic action of the loop: no turn starts, no traffic moves but back.
    Pause,
    /// Give a model all traffic and keep it there, whatever happens; no turn starts.
    Pin {
        /// The model; the champion where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<ModelVersion>,
    },
    /// Decline a candidate that waits for approval, or end its rollout.
    Reject {
        /// The candidate.
        version: ModelVersion,
    },
    /// Go on after a pause or a freeze.
    Resume,
    /// Start a turn.
    Retrain,
    /// Give the previous champion its traffic back.
    Rollback,
    /// Let automatic moves begin again after a pin.
    Unpin,
}

impl CommandKind {
    /// The command, as it is typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approve",
            Self::Freeze => "freeze",
            Self::Pause => "pause",
            Self::Pin { .. } => "pin",
            Self::Reject { .. } => "reject",
            Self::Resume => "resume",
            Self::Retrain => "retrain",
            Self::Rollback => "rollback",
            Self::Unpin => "unpin",
        }
    }
}

//! What is on the log: every event type and its version, the envelope, the subjects, the streams; and the shape of a core.
//!
//! This is the only place where a subject is spelled. It knows of no broker and does no I/O: the bus crate carries what is
//! named here, the simulator keeps it in memory.

pub mod core;
pub mod dataset;
pub mod emit;
pub mod envelope;
pub mod event;
pub mod intake;
pub mod model;
pub mod monitor;
pub mod rollout;
pub mod sample;
pub mod service;
pub mod snapshot;
pub mod stream;
pub mod subject;
pub mod training;
pub mod verdict;
pub mod wire;

pub use crate::core::{Content, Core, Draft};
pub use emit::{Emitter, Upto};
pub use envelope::{Meta, Recorded};
pub use event::{Command, CommandKind, Event, SpecApplied, Tick};
pub use subject::{Intake, Log, Partition, Subject, Topic};

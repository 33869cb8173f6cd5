//! The shell that all services share: configuration, telemetry, health, roles, jobs, ordered shutdown.
//!
//! A core decides ([`tidemill_events::Core`]); [`run`] reads its input, folds, publishes what follows exactly once in
//! effect, and has its jobs done. It must not know any core, and decides nothing itself.

mod config;
mod context;
mod health;
mod jobs;
mod metrics;
mod otlp;
mod outbox;
pub mod process;
mod role;
mod serve;
mod shutdown;
mod snapshot;
mod source;
mod telemetry;
mod tenure;
mod ticker;
mod traces;
mod trouble;
mod watched;
mod workers;

pub use config::{Common, LogFormat};
pub use context::Context;
pub use health::{Health, PartState};
pub use jobs::{NoJobs, Performer};
pub use metrics::{Described, Metrics, RoleMetrics};
pub use role::{RoleError, RoleSetup, run, run_all, run_from};
pub use serve::{BAD_CONFIGURATION, FAILED, main, main_without_bus};
pub use shutdown::{Shutdown, Stage, StillRunning};
pub use snapshot::Pace;
pub use source::{Inputs, OneStream, Source, StreamSource};
pub use telemetry::{flush as flush_telemetry, start as start_telemetry, start_with as start_telemetry_with};
pub use trouble::Trouble;
pub use workers::run_workers;

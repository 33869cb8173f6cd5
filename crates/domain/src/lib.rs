//! The words every room of the house shares: ids, time, values, schema, samples, metrics and the loop spec.
//!
//! This crate must not know of events, of the bus, of files or of any clock: it only names things and computes on them.

pub mod code;
pub mod hash;
pub mod ids;
pub mod infer;
pub mod metrics;
pub mod model;
pub mod sample;
pub mod schema;
pub mod spec;
pub mod time;
pub mod value;

pub use code::Code;
pub use hash::ContentHash;
pub use ids::{DatasetId, EventId, LoopId, ModelVersion, PredictionId, TrialId, TriggerId, TurnId};
pub use metrics::{Loss, Metric, Scores};
pub use model::{Algorithm, ModelRef, Parameters, Strategy};
pub use sample::{CleanLabel, CleanRow, Label, LabelSource, PredictionRecord, Scored};
pub use schema::{Feature, FeatureKind, Schema, Target, TargetKind};
pub use spec::LoopSpec;
pub use time::{Span, Timestamp};
pub use value::{Output, Value};

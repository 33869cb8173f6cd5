//! A loop as its user wants it: the validated, complete form, with no option left open.
//!
//! The file that a user writes is read in [`mod@parse`]; everything that it leaves out has its default in [`Default`] impls here.
//! This module knows nothing of who acts on a spec.

pub mod diff;
pub mod parse;
pub mod write;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::ContentHash;
use crate::ids::LoopId;
use crate::metrics::Metric;
use crate::model::Algorithm;
use crate::sample::LabelSource;
use crate::schema::Schema;
use crate::time::Span;

pub use diff::{Difference, differences};
pub use parse::{Problem, parse};

/// A loop: what its rows look like and what shall be done with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoopSpec {
    /// The loop's name.
    pub name: LoopId,
    /// The shape of its rows.
    pub schema: Schema,
    /// How labels come.
    pub labels: Labels,
    /// How the stream is watched.
    pub monitor: Monitor,
    /// What starts a turn.
    pub triggers: Triggers,
    /// How a better model is searched.
    pub training: Training,
    /// What a candidate must show.
    pub evaluation: Evaluation,
    /// How traffic moves to it.
    pub rollout: Rollout,
}

impl LoopSpec {
    /// A loop of this shape with every default.
    #[must_use]
    pub fn with_defaults(name: LoopId, schema: Schema) -> Self {
        let metric = if schema.is_regression() { Metric::Mae } else { Metric::LogLoss };
        Self {
            name,
            schema,
            labels: Labels::default(),
            monitor: Monitor::default(),
            triggers: Triggers::default(),
            training: Training::with_metric(metric),
            evaluation: Evaluation::default(),
            rollout: Rollout::default(),
        }
    }

    /// The hash of the whole spec: its version.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        // Serialising plain data to memory cannot fail; an empty text would only merge two versions.
        ContentHash::of(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }

    /// How many labelled rows make a dataset segment: four to a turn that new labels start, so that a turn sees nearly
    /// everything that is known, within bounds that keep both files and lists small.
    #[must_use]
    pub fn segment_rows(&self) -> u64 {
        self.triggers.new_labels.unwrap_or(1_000).div_ceil(4).clamp(25, 5_000)
    }
}

/// How labels come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// How long after its prediction a label still counts.
    pub horizon: Span,
    /// Whose labels are taken.
    pub sources: Vec<LabelSource>,
    /// What becomes of a label that contradicts an earlier one of the same prediction.
    #[serde(default, skip_serializing_if = "Corrections::is_default")]
    pub corrections: Corrections,
}

/// What becomes of a label that contradicts an earlier one of the same prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corrections {
    /// The first label stands.
    First,
    /// The latest label stands, by the time at which its source says that it became known.
    #[default]
    Latest,
}

impl Corrections {
    /// The policies by name.
    pub const ALL: [(&'static str, Self); 2] = [("latest", Self::Latest), ("first", Self::First)];

    /// The name in a loop file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Latest => "latest",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this shape")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            horizon: Span::days(7),
            sources: vec![
                LabelSource::Application,
                LabelSource::Feedback,
                LabelSource::Human,
                LabelSource::Rule,
            ],
            corrections: Corrections::default(),
        }
    }
}

/// The extent of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// So many rows.
    Rows(u64),
    /// So much time.
    Time(Span),
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(n) => write!(f, "{n} rows"),
            Self::Time(span) => write!(f, "{span}"),
        }
    }
}

/// How the stream is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    /// The extent of a window.
    pub window: Window,
    /// On average at most one false alarm in this time.
    pub false_alarm_every: Span,
}

impl Default for Monitor {
    fn default() -> Self {
        Self { window: Window::Rows(1_000), false_alarm_every: Span::days(30) }
    }
}

/// What the monitor may alert of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The model got worse on labelled rows.
    Decay,
    /// The distribution of inputs or predictions moved.
    Drift,
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decay => "decay",
            Self::Drift => "drift",
        })
    }
}

/// What starts a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggers {
    /// A schedule.
    pub every: Option<Span>,
    /// So many rows labelled since the last turn.
    pub new_labels: Option<u64>,
    /// Alerts of these kinds.
    pub on: Vec<AlertKind>,
}

impl Default for Triggers {
    fn default() -> Self {
        Self { every: None, new_labels: Some(1_000), on: vec![AlertKind::Decay, AlertKind::Drift] }
    }
}

/// How a better model is searched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// What trials are compared by.
    pub metric: Metric,
    /// Which families of learners are tried.
    pub algorithms: Vec<Algorithm>,
    /// How many of a turn's best trials a candidate is made of, at most; 1 is the best alone.
    #[serde(default = "alone")]
    pub ensemble: u32,
    /// What one turn may cost.
    pub budget: Budget,
    /// The least time between two turns.
    pub cooldown: Span,
    /// Who lets a model that passed go on.
    #[serde(default)]
    pub approval: Approval,
}

/// Who lets a model that passed its evaluation go on to its rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// The loop itself.
    #[default]
    Automatic,
    /// A person: the candidate waits for `approve` or `reject`.
    Manual,
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        })
    }
}

/// What was done before there was a choice.
fn alone() -> u32 {
    1
}

impl Training {
    /// The defaults, compared by `metric`.
    #[must_use]
    pub fn with_metric(metric: Metric) -> Self {
        Self {
            metric,
            algorithms: Algorithm::ALL.to_vec(),
            ensemble: 4,
            budget: Budget::default(),
            cooldown: Span::minutes(5),
            approval: Approval::Automatic,
        }
    }
}

/// What one turn may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Trials at most.
    pub trials: u32,
    /// Compute time at most, summed over trials as modelled.
    pub time: Span,
    /// Trials that run at the same time, at most.
    pub workers: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { trials: 10, time: Span::minutes(2), workers: 2 }
    }
}

/// What a candidate must show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The least rows that neither model has learned from, for a verdict at all.
    pub min_rows: u64,
    /// How much worse, relative to the champion's loss, it may be on recent rows; negative asks for an improvement.
    pub max_regression: f64,
    /// How much worse, relative to the champion's loss, it may be on old rows; none leaves old rows out.
    pub old_max_regression: Option<f64>,
    /// The greatest share of recent rows that the champion got right and it gets wrong.
    pub max_negative_flips: Option<f64>,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self { min_rows: 50, max_regression: 0.0, old_max_regression: None, max_negative_flips: None }
    }
}

/// The way to production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// `Fast` for a lineage that is proven in this loop, `Steps` for a new kind.
    Auto,
    /// Gates, then all traffic under watch.
    Fast,
    /// Shadow, then growing shares.
    Steps,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Fast => "fast",
            Self::Steps => "steps",
        })
    }
}

/// How traffic moves to a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// The way to production.
    pub lane: Lane,
    /// Labelled rows scored in the shadow before the first step; 0 leaves the shadow out.
    pub shadow: u64,
    /// The share of traffic of each step, in percent, rising, the last one 100.
    pub steps: Vec<u8>,
    /// Labelled paired rows that a step needs at least.
    pub min_rows: u64,
    /// Labelled paired rows after which a step that is still undecided keeps the champion.
    pub max_rows: u64,
    /// How much worse, relative to the champion's loss, still counts as not inferior.
    pub margin: f64,
    /// How long a new champion is watched with the previous one ready to return.
    pub watch: Span,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            lane: Lane::Auto,
            shadow: 500,
            steps: vec![5, 25, 50, 100],
            min_rows: 300,
            max_rows: 20_000,
            margin: 0.05,
            watch: Span::hours(24),
        }
    }
}

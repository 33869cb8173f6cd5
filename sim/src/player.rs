//! The cores that play: each with what it reads, and a way to begin it anew.

use tidemill_automl_trainer_core::Trainer;
use tidemill_deployer_core::Deployer;
use tidemill_domain::Timestamp;
use tidemill_evaluator_core::Evaluator;
use tidemill_events::core::{Core, Draft, NoJob};
use tidemill_events::training::TrialJob;
use tidemill_events::verdict::EvaluationJob;
use tidemill_events::{Partition, Recorded, Topic};
use tidemill_ingest_core::Ingest;
use tidemill_monitor_core::{Measure, Merge};
use tidemill_validator_core::{Datasets, Validate};

/// A job that a core wants done.
#[derive(Clone, Debug)]
pub enum Job {
    /// To measure a candidate.
    Evaluate(Box<EvaluationJob>),
    /// To run a trial.
    Try(Box<TrialJob>),
}

impl From<EvaluationJob> for Job {
    fn from(job: EvaluationJob) -> Self {
        Self::Evaluate(Box::new(job))
    }
}

impl From<TrialJob> for Job {
    fn from(job: TrialJob) -> Self {
        Self::Try(Box::new(job))
    }
}

impl From<NoJob> for Job {
    fn from(job: NoJob) -> Self {
        match job {}
    }
}

/// A core as the simulator sees it, whatever jobs it wants.
pub trait Player: Send {
    /// See [`Core::fold`].
    fn fold(&mut self, input: &Recorded) -> Vec<Draft>;
    /// See [`Core::deadline`].
    fn deadline(&self) -> Option<Timestamp>;
    /// See [`Core::jobs`].
    fn jobs(&self) -> Vec<(String, Job)>;
}

impl<C: Core<Job: Into<Job>>> Player for C {
    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        Core::fold(self, input)
    }
    fn deadline(&self) -> Option<Timestamp> {
        Core::deadline(self)
    }
    fn jobs(&self) -> Vec<(String, Job)> {
        Core::jobs(self).into_iter().map(|(name, job)| (name, job.into())).collect()
    }
}

/// What a role reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Producers' messages merged with the loop's log.
    Merged,
    /// The rows of a partition, as ingest wrote them.
    Samples(Partition),
    /// The accepted rows of a partition.
    Clean(Partition),
    /// The segments of all partitions.
    Segments,
    /// The windows of all partitions.
    Windows,
    /// The loop's log.
    Log,
}

impl Reads {
    pub(crate) fn takes(self, topic: Topic) -> bool {
        match self {
            Self::Merged | Self::Log => matches!(topic, Topic::Log(_)),
            Self::Samples(p) => topic == Topic::Sample(p),
            Self::Clean(p) => topic == Topic::Clean(p),
            Self::Segments => matches!(topic, Topic::Segment(_)),
            Self::Windows => matches!(topic, Topic::Window(_)),
        }
    }
}

/// Makes a core that has seen nothing.
pub(crate) type Begin = Box<dyn Fn() -> Box<dyn Player> + Send + Sync>;

/// Who plays: name, what it reads, how it begins.
pub struct Cast(pub(crate) Vec<(String, Reads, Begin)>);

impl Cast {
    /// The cores of production.
    #[must_use]
    pub fn production(partitions: u16) -> Self {
        let mut cast = Self(Vec::new());
        for p in (0..partitions).map(Partition) {
            let n = p.0;
            cast.add(format!("ingest-{n}"), Reads::Merged, move || Box::new(Ingest::new(p, partitions)));
            cast.add(format!("validator-{n}"), Reads::Samples(p), move || Box::new(Validate::new(p)));
            cast.add(format!("monitor-{n}"), Reads::Clean(p), move || Box::new(Measure::new(p)));
        }
        cast.add("validator-dataset", Reads::Segments, || Box::new(Datasets::new()));
        cast.add("monitor-merge", Reads::Windows, move || Box::new(Merge::new(partitions)));
        cast.add("automl-trainer", Reads::Log, || Box::new(Trainer::new()));
        cast.add("evaluator", Reads::Log, || Box::new(Evaluator::new()));
        cast.add("deployer", Reads::Log, || Box::new(Deployer::new()));
        cast
    }

    fn add(
        &mut self,
        name: impl Into<String>,
        reads: Reads,
        begin: impl Fn() -> Box<dyn Player> + Send + Sync + 'static,
    ) {
        self.0.push((name.into(), reads, Box::new(begin)));
    }

    /// The same with another core in the place of `name`: how a checker is shown to catch a broken one.
    #[must_use]
    pub fn with(mut self, name: &str, begin: impl Fn() -> Box<dyn Player> + Send + Sync + 'static) -> Self {
        if let Some(role) = self.0.iter_mut().find(|r| r.0 == name) {
            role.2 = Box::new(begin);
        }
        self
    }
}

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

/// A core as the simulator sees it, whatever jobs it wants.
pub trait Player: Send {
    /// See [`Core::fold`].
    fn fold(&mut self, input: &Recorded) -> Vec<Draft>;
    /// See [`Core::deadline`].
    fn deadline(&self) -> Option<Timestamp>;
    /// The evaluations that are wanted.
    fn evaluations(&self) -> Vec<(String, EvaluationJob)>;
    /// The trials that were planned and have not reported.
    fn unfinished(&self) -> Vec<TrialJob>;
}

struct Plain<C>(C);
struct Judge<C>(C);
struct Search(Trainer);

/// A core without jobs.
pub fn plain<C: Core<Job = NoJob> + 'static>(core: C) -> Box<dyn Player> {
    Box::new(Plain(core))
}

/// A core that wants evaluations.
pub fn judge<C: Core<Job = EvaluationJob> + 'static>(core: C) -> Box<dyn Player> {
    Box::new(Judge(core))
}

impl<C: Core> Player for Plain<C> {
    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        self.0.fold(input)
    }
    fn deadline(&self) -> Option<Timestamp> {
        self.0.deadline()
    }
    fn evaluations(&self) -> Vec<(String, EvaluationJob)> {
        Vec::new()
    }
    fn unfinished(&self) -> Vec<TrialJob> {
        Vec::new()
    }
}

impl<C: Core<Job = EvaluationJob>> Player for Judge<C> {
    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        self.0.fold(input)
    }
    fn deadline(&self) -> Option<Timestamp> {
        self.0.deadline()
    }
    fn evaluations(&self) -> Vec<(String, EvaluationJob)> {
        self.0.jobs()
    }
    fn unfinished(&self) -> Vec<TrialJob> {
        Vec::new()
    }
}

impl Player for Search {
    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        self.0.fold(input)
    }
    fn deadline(&self) -> Option<Timestamp> {
        self.0.deadline()
    }
    fn evaluations(&self) -> Vec<(String, EvaluationJob)> {
        Vec::new()
    }
    fn unfinished(&self) -> Vec<TrialJob> {
        self.0.unfinished()
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
            cast.add(format!("ingest-{n}"), Reads::Merged, move || plain(Ingest::new(p, partitions)));
            cast.add(format!("validator-{n}"), Reads::Samples(p), move || plain(Validate::new(p)));
            cast.add(format!("monitor-{n}"), Reads::Clean(p), move || plain(Measure::new(p)));
        }
        cast.add("validator-dataset", Reads::Segments, || plain(Datasets::new()));
        cast.add("monitor-merge", Reads::Windows, move || plain(Merge::new(partitions)));
        cast.add("automl-trainer", Reads::Log, || Box::new(Search(Trainer::new())));
        cast.add("evaluator", Reads::Log, || judge(Evaluator::new()));
        cast.add("deployer", Reads::Log, || plain(Deployer::new()));
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
    pub fn with(
        mut self,
        name: &str,
        begin: impl Fn() -> Box<dyn Player> + Send + Sync + 'static,
    ) -> Self {
        if let Some(role) = self.0.iter_mut().find(|r| r.0 == name) {
            role.2 = Box::new(begin);
        }
        self
    }
}

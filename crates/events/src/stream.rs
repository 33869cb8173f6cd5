//! The streams, who reads what from them and who writes what to them: the one table that provisioning and every shell follow.

use tidemill_domain::Span;

use crate::subject::{Log, Partition, ROOT, Topic};

/// How long it is told why a message was no event.
const DEAD: Span = Span::days(90);

/// A stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// What producers sent.
    Intake,
    /// Rows on their way to datasets and windows.
    Samples,
    /// What is kept for ever.
    Loop,
    /// Trials to run.
    Work,
    /// Messages of the other streams that are no events, and why.
    Dead,
}

/// The subjects of a topic, whatever the loop.
#[must_use]
pub fn filter(topic: Topic) -> String {
    format!("{ROOT}.*.{topic}")
}

/// What happens to messages that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// They stay until the limit of age.
    For(Span),
    /// They stay.
    ForEver,
    /// They go once acknowledged.
    UntilDone,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Intake, Self::Samples, Self::Loop, Self::Work, Self::Dead];

    /// Its name on the broker.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Intake => "TIDEMILL_INTAKE",
            Self::Samples => "TIDEMILL_SAMPLES",
            Self::Loop => "TIDEMILL_LOOP",
            Self::Work => "TIDEMILL_WORK",
            Self::Dead => "TIDEMILL_DEAD",
        }
    }

    /// Its name within subjects.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Samples => "samples",
            Self::Loop => "loop",
            Self::Work => "work",
            Self::Dead => "dead",
        }
    }

    /// The stream that holds a topic.
    #[must_use]
    pub fn of(topic: Topic) -> Self {
        match topic {
            Topic::Intake(_) => Self::Intake,
            Topic::Sample(_)
            | Topic::Clean(_)
            | Topic::Segment(_)
            | Topic::Quarantine(_)
            | Topic::Window(_) => Self::Samples,
            Topic::Log(_) => Self::Loop,
            Topic::Work => Self::Work,
            Topic::Dead(..) => Self::Dead,
        }
    }

    /// The subjects that it holds.
    #[must_use]
    pub fn subjects(self) -> Vec<String> {
        let data = |topic: &str| format!("{ROOT}.*.{topic}.*");
        match self {
            Self::Intake => vec![format!("{ROOT}.*.intake.*")],
            Self::Samples => ["sample", "clean", "segment", "quarantine", "window"].map(data).to_vec(),
            Self::Loop => vec![format!("{ROOT}.*.log.*")],
            Self::Work => vec![format!("{ROOT}.*.work")],
            Self::Dead => vec![format!("{ROOT}.*.dead.*.*")],
        }
    }

    /// How long messages stay; `horizon` is the longest time that a label may take.
    #[must_use]
    pub fn kept(self, horizon: Span) -> Kept {
        match self {
            Self::Intake => Kept::For(Span(horizon.0.saturating_add(Span::days(2).0))),
            Self::Samples => Kept::For(Span(horizon.0.saturating_add(Span::days(7).0))),
            Self::Loop => Kept::ForEver,
            Self::Work => Kept::UntilDone,
            Self::Dead => Kept::For(DEAD),
        }
    }

    /// Whether a full stream refuses new messages; one that does not drops its oldest.
    #[must_use]
    pub fn refuses_when_full(self) -> bool {
        match self {
            Self::Intake | Self::Samples | Self::Loop | Self::Work => true,
            // Whoever writes nonsense must not stop its readers. What letters tell of lies in its own stream, and is counted.
            Self::Dead => false,
        }
    }
}

/// A role: what one owner at a time reads, in order and from the first message on, and the topics that it alone writes.
///
/// There is no durable for it on the broker: its position is that of its outputs. Whoever takes over reads again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name: that of its lease, and the source of its events.
    pub name: String,
    /// The stream that it reads.
    pub stream: Stream,
    /// The subjects that it sees; one filter, because nats-server 2.9 takes no more.
    pub filter: String,
    /// The topics that nobody else writes to.
    pub owns: Vec<Topic>,
}

impl Role {
    fn data(name: String, filter: String, owns: Vec<Topic>) -> Self {
        Self { name, stream: Stream::Samples, filter, owns }
    }

    fn control(name: &str, owns: &[Log]) -> Self {
        let owns = owns.iter().copied().map(Topic::Log).collect();
        Self { name: name.to_owned(), stream: Stream::Loop, filter: format!("{ROOT}.*.log.*"), owns }
    }

    /// Joins predictions and labels. It merges the loop's log with what it reads here.
    #[must_use]
    pub fn ingest(p: Partition) -> Self {
        Self {
            name: format!("ingest-{}", p.0),
            stream: Stream::Intake,
            filter: format!("{ROOT}.*.intake.*"),
            owns: vec![Topic::Sample(p)],
        }
    }

    /// Checks rows and seals segments.
    #[must_use]
    pub fn validator(p: Partition) -> Self {
        let owns = vec![Topic::Clean(p), Topic::Segment(p), Topic::Quarantine(p)];
        Self::data(format!("validator-{}", p.0), filter(Topic::Sample(p)), owns)
    }

    /// Makes dataset versions out of the segments of all partitions.
    #[must_use]
    pub fn datasets() -> Self {
        let owns = vec![Topic::Log(Log::Dataset)];
        Self::data("validator-dataset".into(), format!("{ROOT}.*.segment.*"), owns)
    }

    /// Measures windows of one partition.
    #[must_use]
    pub fn monitor(p: Partition) -> Self {
        Self::data(format!("monitor-{}", p.0), filter(Topic::Clean(p)), vec![Topic::Window(p)])
    }

    /// Merges the windows of all partitions and raises alerts.
    #[must_use]
    pub fn windows() -> Self {
        let owns = vec![Topic::Log(Log::Window), Topic::Log(Log::Alert)];
        Self::data("monitor-merge".into(), format!("{ROOT}.*.window.*"), owns)
    }

    /// Decides when to retrain and what to try.
    #[must_use]
    pub fn trainer() -> Self {
        Self::control("automl-trainer", &[Log::Trigger, Log::Trial, Log::Candidate])
    }

    /// Judges candidates.
    #[must_use]
    pub fn evaluator() -> Self {
        Self::control("evaluator", &[Log::Verdict])
    }

    /// Moves traffic.
    #[must_use]
    pub fn deployer() -> Self {
        Self::control("deployer", &[Log::Rollout])
    }

    /// Puts specs in force. Commands it passes on, but many may write them.
    #[must_use]
    pub fn console() -> Self {
        Self::control("console", &[Log::Spec])
    }

    /// Whether it alone writes to `topic`.
    #[must_use]
    pub fn owns(&self, topic: Topic) -> bool {
        self.owns.contains(&topic)
    }
}

/// Every role of a deployment of `partitions` partitions.
#[must_use]
pub fn roles(partitions: u16) -> Vec<Role> {
    let by_partition = (0..partitions).map(Partition);
    by_partition
        .flat_map(|p| [Role::ingest(p), Role::validator(p), Role::monitor(p)])
        .chain([
            Role::datasets(),
            Role::windows(),
            Role::trainer(),
            Role::evaluator(),
            Role::deployer(),
            Role::console(),
        ])
        .collect()
}

/// Whether anybody may write to `topic`, so that no owner is fenced there.
#[must_use]
pub fn is_shared(topic: Topic) -> bool {
    match topic {
        Topic::Intake(_)
        | Topic::Work
        | Topic::Dead(..)
        | Topic::Log(Log::Command | Log::Report | Log::Tick) => true,
        Topic::Sample(_) | Topic::Clean(_) | Topic::Segment(_) | Topic::Quarantine(_) | Topic::Window(_) => {
            false
        }
        Topic::Log(
            Log::Alert
            | Log::Candidate
            | Log::Dataset
            | Log::Rollout
            | Log::Spec
            | Log::Trial
            | Log::Trigger
            | Log::Verdict
            | Log::Window,
        ) => false,
    }
}

/// The durable of the workers, which pull trials side by side from [`Stream::Work`].
pub const WORKERS: &str = "automl-trainer-workers";

/// The key-value bucket of leases.
pub const LEASES: &str = "tidemill-leases";

/// The key-value bucket that says for each role where its newest snapshot is.
pub const SNAPSHOTS: &str = "tidemill-snapshots";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::subject::LOGS;

    #[test]
    fn every_topic_has_one_owner_or_is_shared() {
        let p = Partition(1);
        let mut topics = vec![
            Topic::Work,
            Topic::Dead(Stream::Loop, 1),
            Topic::Sample(p),
            Topic::Clean(p),
            Topic::Segment(p),
            Topic::Quarantine(p),
            Topic::Window(p),
        ];
        topics.extend(LOGS.map(|x| Topic::Log(x.0)));
        for topic in topics {
            let owners = roles(2).iter().filter(|r| r.owns(topic)).count();
            assert_eq!(owners, usize::from(!is_shared(topic)), "{topic}");
        }
    }

    #[test]
    fn names_of_roles_differ() {
        let roles = roles(3);
        assert_eq!(roles.iter().map(|r| &r.name).collect::<BTreeSet<_>>().len(), roles.len());
    }
}

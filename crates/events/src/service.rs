//! The services: which roles each plays, and what else it reads and writes. Permissions on the broker follow from it.
//!
//! It must not know how a broker spells permissions.

use crate::stream::{Role, Stream};
use crate::subject::{Intake, Log, Partition, Topic};

/// What one service does on the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// Its roles; they read what they read, and own what they own.
    pub roles: Vec<Role>,
    /// Topics that it shares with other writers.
    pub writes: Vec<Topic>,
    /// Streams that it reads beside those of its roles.
    pub reads: Vec<Stream>,
    /// Whether it pulls trials from the work queue.
    pub pulls_work: bool,
}

impl Service {
    fn new(name: &'static str, roles: Vec<Role>) -> Self {
        Self { name, roles, writes: Vec::new(), reads: Vec::new(), pulls_work: false }
    }

    fn reading(mut self, streams: &[Stream]) -> Self {
        self.reads.extend_from_slice(streams);
        self
    }

    fn writing(mut self, topics: &[Topic]) -> Self {
        self.writes.extend_from_slice(topics);
        self
    }

    /// Whether it may write to `topic`. Where a message is no event, whoever reads it may tell.
    #[must_use]
    pub fn may_write(&self, topic: Topic) -> bool {
        let tells_dead = matches!(topic, Topic::Dead(..)) && (!self.roles.is_empty() || self.pulls_work);
        tells_dead || self.writes.contains(&topic) || self.roles.iter().any(|role| role.owns(topic))
    }

    /// Every stream that it reads or writes, each once, in order.
    #[must_use]
    pub fn streams(&self) -> Vec<Stream> {
        let mut streams = self.read_streams();
        let owned = self.roles.iter().flat_map(|role| &role.owns).chain(&self.writes);
        streams.extend(owned.map(|topic| Stream::of(*topic)));
        streams.sort();
        streams.dedup();
        streams
    }

    /// Every stream that it reads in order, each once.
    #[must_use]
    pub fn read_streams(&self) -> Vec<Stream> {
        let mut streams: Vec<Stream> = self.roles.iter().map(|role| role.stream).collect();
        streams.extend(&self.reads);
        streams.sort();
        streams.dedup();
        streams
    }
}

/// Every service of a deployment of `partitions` partitions.
#[must_use]
pub fn services(partitions: u16) -> Vec<Service> {
    let each = |role: fn(Partition) -> Role| (0..partitions).map(Partition).map(role).collect::<Vec<_>>();
    let mut validator = each(Role::validator);
    validator.push(Role::datasets());
    let mut monitor = each(Role::monitor);
    monitor.push(Role::windows());
    let intake = [Intake::Prediction, Intake::Label, Intake::Feedback].map(Topic::Intake);
    let (report, tick) = (Topic::Log(Log::Report), Topic::Log(Log::Tick));
    vec![
        // Where it left off it finds among the rows that it wrote.
        Service::new("ingest", each(Role::ingest)).reading(&[Stream::Loop, Stream::Samples]),
        Service::new("validator", validator),
        Service::new("monitor", monitor),
        Service {
            pulls_work: true,
            ..Service::new("automl-trainer", vec![Role::trainer()]).writing(&[Topic::Work, report, tick])
        },
        Service::new("evaluator", vec![Role::evaluator()]).writing(&[report, tick]),
        Service::new("deployer", vec![Role::deployer()]).writing(&[report, tick]),
        Service::new("console", vec![Role::console()]).reading(&[Stream::Samples, Stream::Dead]).writing(&[
            Topic::Log(Log::Command),
            intake[1],
            intake[2],
        ]),
        Service::new("predictor", Vec::new()).reading(&[Stream::Loop]).writing(&[intake[0]]),
        // Whoever sends predictions and labels from outside.
        Service::new("producer", Vec::new()).writing(&intake),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{is_shared, roles};

    #[test]
    fn every_role_belongs_to_one_service() {
        let mut played: Vec<String> =
            services(3).into_iter().flat_map(|s| s.roles).map(|role| role.name).collect();
        let mut all: Vec<String> = roles(3).into_iter().map(|role| role.name).collect();
        played.sort();
        all.sort();
        assert_eq!(played, all);
    }

    #[test]
    fn only_what_is_shared_is_written_without_a_role() {
        for service in services(2) {
            assert!(service.writes.iter().all(|topic| is_shared(*topic)), "{}", service.name);
        }
    }

    #[test]
    fn nobody_writes_where_another_service_is_the_owner() {
        for role in roles(2) {
            for topic in &role.owns {
                let writers = services(2).into_iter().filter(|s| s.may_write(*topic)).count();
                assert_eq!(writers, 1, "{topic}");
            }
        }
    }
}

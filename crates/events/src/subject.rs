//! Subjects: `tidemill.<loop>.<topic>`, built and read here and nowhere else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidemill_domain::LoopId;
use tidemill_domain::hash::seed_of;

use crate::stream::Stream;

/// The first token of every subject.
pub const ROOT: &str = "tidemill";

/// The number of a partition, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub u16);

impl Partition {
    /// The partition, of `count`, that holds the rows of `key`.
    #[must_use]
    pub fn of(loop_id: &LoopId, key: &str, count: u16) -> Self {
        let hash = seed_of(&format!("{loop_id}/{key}"));
        // The remainder is below `count`, so it fits.
        Self(u16::try_from(hash % u64::from(count.max(1))).unwrap_or(0))
    }
}

/// What producers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Intake {
    /// A prediction that was made.
    Prediction,
    /// A label.
    Label,
    /// Feedback of an end user: a label of that source.
    Feedback,
}

/// What is kept for ever about a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// Alerts of the monitor.
    Alert,
    /// Candidates of the trainer.
    Candidate,
    /// Commands of people.
    Command,
    /// Dataset versions.
    Dataset,
    /// Results of jobs; anybody who runs jobs writes here.
    Report,
    /// Steps of rollouts.
    Rollout,
    /// Versions of the loop spec.
    Spec,
    /// The passing of time, where a core waits for it.
    Tick,
    /// Trials of the trainer.
    Trial,
    /// Decisions whether to retrain.
    Trigger,
    /// Verdicts of the evaluator.
    Verdict,
    /// Merged windows of the monitor.
    Window,
}

/// What follows the loop in a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `intake.*`
    Intake(Intake),
    /// `sample.<p>`: rows and marks in the order in which everybody sees them.
    Sample(Partition),
    /// `clean.<p>`: accepted rows.
    Clean(Partition),
    /// `segment.<p>`: sealed segments.
    Segment(Partition),
    /// `quarantine.<p>`: refused rows.
    Quarantine(Partition),
    /// `window.<p>`: windows of one partition.
    Window(Partition),
    /// `log.*`
    Log(Log),
    /// `work`: trials to run.
    Work,
    /// `dead.<stream>.<sequence>`: why the message at that place is no event. One subject for each, so that whoever meets
    /// it and however often, it is told once.
    Dead(Stream, u64),
}

/// A whole subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The loop.
    pub loop_id: LoopId,
    /// What it is about.
    pub topic: Topic,
}

impl Subject {
    /// The subject of `topic` in the loop.
    #[must_use]
    pub fn new(loop_id: LoopId, topic: Topic) -> Self {
        Self { loop_id, topic }
    }

    /// Where it is told that the message at `sequence` of `stream`, on the subject `of`, is no event. A message whose loop
    /// cannot be read either belongs to the loop `unreadable`.
    #[must_use]
    pub fn dead_letter(of: &str, stream: Stream, sequence: u64) -> Option<Self> {
        let named = of.split('.').nth(1).and_then(|name| LoopId::new(name).ok());
        let loop_id = named.or_else(|| LoopId::new("unreadable").ok())?;
        Some(Self::new(loop_id, Topic::Dead(stream, sequence)))
    }

    /// A subject of the loop's log.
    #[must_use]
    pub fn log(loop_id: LoopId, log: Log) -> Self {
        Self::new(loop_id, Topic::Log(log))
    }
}

const INTAKE: [(Intake, &str); 3] =
    [(Intake::Prediction, "prediction"), (Intake::Label, "label"), (Intake::Feedback, "feedback")];

/// Every log topic with its token.
pub const LOGS: [(Log, &str); 12] = [
    (Log::Alert, "alert"),
    (Log::Candidate, "candidate"),
    (Log::Command, "command"),
    (Log::Dataset, "dataset"),
    (Log::Report, "report"),
    (Log::Rollout, "rollout"),
    (Log::Spec, "spec"),
    (Log::Tick, "tick"),
    (Log::Trial, "trial"),
    (Log::Trigger, "trigger"),
    (Log::Verdict, "verdict"),
    (Log::Window, "window"),
];

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intake(kind) => {
                write!(f, "intake.{}", INTAKE.iter().find(|x| x.0 == *kind).map_or("", |x| x.1))
            }
            Self::Sample(p) => write!(f, "sample.{}", p.0),
            Self::Clean(p) => write!(f, "clean.{}", p.0),
            Self::Segment(p) => write!(f, "segment.{}", p.0),
            Self::Quarantine(p) => write!(f, "quarantine.{}", p.0),
            Self::Window(p) => write!(f, "window.{}", p.0),
            Self::Log(log) => write!(f, "log.{}", LOGS.iter().find(|x| x.0 == *log).map_or("", |x| x.1)),
            Self::Work => f.write_str("work"),
            Self::Dead(stream, sequence) => write!(f, "dead.{}.{sequence}", stream.token()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ROOT}.{}.{}", self.loop_id, self.topic)
    }
}

/// Why a text is no subject of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no subject of tidemill: expected {ROOT}.<loop>.<topic>")]
pub struct BadSubject(pub String);

impl FromStr for Subject {
    type Err = BadSubject;
    fn from_str(text: &str) -> Result<Self, BadSubject> {
        let bad = || BadSubject(text.to_owned());
        let tokens: Vec<&str> = text.split('.').collect();
        let (loop_name, topic) = match tokens.as_slice() {
            [ROOT, loop_name, topic @ ..] => (*loop_name, topic),
            _ => return Err(bad()),
        };
        let loop_id = LoopId::new(loop_name).map_err(|_| bad())?;
        let topic = match topic {
            ["work"] => Topic::Work,
            ["intake", kind] => Topic::Intake(INTAKE.iter().find(|x| x.1 == *kind).ok_or_else(bad)?.0),
            ["log", log] => Topic::Log(LOGS.iter().find(|x| x.1 == *log).ok_or_else(bad)?.0),
            ["dead", stream, sequence] => {
                let stream = Stream::ALL.into_iter().find(|s| s.token() == *stream).ok_or_else(bad)?;
                Topic::Dead(stream, sequence.parse().map_err(|_| bad())?)
            }
            [data, partition] => {
                let p = Partition(partition.parse().map_err(|_| bad())?);
                match *data {
                    "sample" => Topic::Sample(p),
                    "clean" => Topic::Clean(p),
                    "segment" => Topic::Segment(p),
                    "quarantine" => Topic::Quarantine(p),
                    "window" => Topic::Window(p),
                    _ => return Err(bad()),
                }
            }
            _ => return Err(bad()),
        };
        Ok(Self { loop_id, topic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_what_they_write() {
        let id = LoopId::new("electricity").unwrap_or_else(|e| unreachable!("{e}"));
        let p = Partition(3);
        let mut topics = vec![
            Topic::Work,
            Topic::Dead(Stream::Samples, 17),
            Topic::Sample(p),
            Topic::Clean(p),
            Topic::Segment(p),
            Topic::Quarantine(p),
            Topic::Window(p),
        ];
        topics.extend(INTAKE.map(|x| Topic::Intake(x.0)));
        topics.extend(LOGS.map(|x| Topic::Log(x.0)));
        for topic in topics {
            let subject = Subject::new(id.clone(), topic);
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
    }

    #[test]
    fn other_subjects_are_refused() {
        for bad in [
            "",
            "tidemill",
            "tidemill.a",
            "other.a.work",
            "tidemill.A.work",
            "tidemill.a.log.x",
            "tidemill.a.sample.x",
            "tidemill.a.dead.loop.x",
            "tidemill.a.dead.x.1",
        ] {
            assert!(bad.parse::<Subject>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dead_letter_has_a_subject_whatever_the_message_was_on() {
        for (of, at) in [
            ("tidemill.a.log.x", "tidemill.a.dead.loop.7"),
            ("tidemill.A.log.x", "tidemill.unreadable.dead.loop.7"),
            ("x", "tidemill.unreadable.dead.loop.7"),
        ] {
            let subject = Subject::dead_letter(of, Stream::Loop, 7).map(|s| s.to_string());
            assert_eq!(subject.as_deref(), Some(at));
        }
    }

    #[test]
    fn partitions_are_within_count_and_all_used() {
        let id = LoopId::new("a").unwrap_or_else(|e| unreachable!("{e}"));
        let used: std::collections::BTreeSet<u16> =
            (0..200).map(|i| Partition::of(&id, &i.to_string(), 4).0).collect();
        assert_eq!(used.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}

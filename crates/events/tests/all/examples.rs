//! One event of every type, as it might happen in the loop `electricity`.

mod rows;
mod turns;

use tidemill_domain::Timestamp;
use tidemill_events::emit::Outgoing;
use tidemill_events::event::{Claimed, Command, CommandKind, DeadLetter, Tick};
use tidemill_events::stream::Stream;
use tidemill_events::training::Trial;
use tidemill_events::{Event, Intake, Log, Topic};

use crate::make::{P, outgoing};

/// How many types there are; [`number`] says which.
pub(crate) const TYPES: usize = 21;

/// The place of an event's type; an event type without one does not compile. `None` for types of tomorrow.
pub(crate) fn number(event: &Event) -> Option<usize> {
    Some(match event {
        Event::Alert(_) => 0,
        Event::Candidate(_) => 1,
        Event::Claimed(_) => 2,
        Event::Clean(_) => 3,
        Event::Command(_) => 4,
        Event::Dataset(_) => 5,
        Event::Intake(_) => 6,
        Event::PartWindow(_) => 7,
        Event::Quarantined(_) => 8,
        Event::Report(_) => 9,
        Event::Rollout(_) => 10,
        Event::Sample(_) => 11,
        Event::Segment(_) => 12,
        Event::Spec(_) => 13,
        Event::Tick(_) => 14,
        Event::Trial(_) => 15,
        Event::Trigger(_) => 16,
        Event::Unknown { .. } => return None,
        Event::Verdict(_) => 17,
        Event::Window(_) => 18,
        Event::Work(_) => 19,
        Event::Dead(_) => 20,
    })
}

/// When all of it happens.
pub(crate) const NOON: Timestamp = Timestamp(1_772_366_400_000_000);

/// Every event on its subject.
pub(crate) fn all() -> Vec<Outgoing> {
    let log = |log, event| outgoing(Topic::Log(log), event);
    vec![
        log(Log::Alert, Event::Alert(turns::alert())),
        log(Log::Candidate, Event::Candidate(Box::new(turns::candidate()))),
        outgoing(
            Topic::Sample(P),
            Event::Claimed(Claimed { role: "ingest-0".into(), owner: "host-1/4711".into(), epoch: 3 }),
        ),
        outgoing(Topic::Clean(P), Event::Clean(rows::clean())),
        log(
            Log::Command,
            Event::Command(Command {
                kind: CommandKind::Retrain,
                by: "ada".into(),
                reason: "new tariff".into(),
            }),
        ),
        log(Log::Dataset, Event::Dataset(rows::dataset())),
        outgoing(Topic::Intake(Intake::Prediction), Event::Intake(rows::intake())),
        outgoing(Topic::Window(P), Event::PartWindow(Box::new(turns::part_window()))),
        outgoing(Topic::Quarantine(P), Event::Quarantined(rows::quarantined())),
        log(Log::Report, Event::Report(Box::new(turns::report()))),
        log(Log::Rollout, Event::Rollout(Box::new(turns::rollout()))),
        outgoing(Topic::Sample(P), Event::Sample(rows::sample())),
        outgoing(Topic::Segment(P), Event::Segment(rows::segment())),
        log(Log::Spec, Event::Spec(Box::new(rows::spec()))),
        log(Log::Tick, Event::Tick(Tick { role: "deployer".into(), due: NOON })),
        log(
            Log::Trial,
            Event::Trial(Box::new(Trial::Finished {
                trial: turns::trial(),
                turn: rows::turn(),
                result: turns::result(),
            })),
        ),
        log(Log::Trigger, Event::Trigger(turns::trigger())),
        log(Log::Verdict, Event::Verdict(Box::new(turns::verdict()))),
        log(Log::Window, Event::Window(Box::new(turns::window()))),
        outgoing(Topic::Work, Event::Work(Box::new(turns::job()))),
        outgoing(
            Topic::Dead(Stream::Loop, 41),
            Event::Dead(DeadLetter {
                stream: "TIDEMILL_LOOP".into(),
                sequence: 41,
                subject: "tidemill.electricity.log.alert".into(),
                reader: "deployer".into(),
                reason: "the header ce-type is missing".into(),
                bytes: 8,
                head: "nonsense".into(),
            }),
        ),
    ]
}

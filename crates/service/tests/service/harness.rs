//! A server, contexts on it, and a core that says everything twice.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidemill_bus::{Bus, BusConfig, Item, NatsServer, Provision, ReadFrom, Reader, provision};
use tidemill_domain::{
    CleanRow, EventId, LoopId, PredictionId, Schema, Target, TargetKind, Timestamp, TriggerId,
};
use tidemill_events::core::NoJob;
use tidemill_events::emit::Outgoing;
use tidemill_events::event::CommandKind;
use tidemill_events::snapshot::{self, BadSnapshot};
use tidemill_events::stream::{Role, Stream};
use tidemill_events::training::{Trigger, TriggerCause};
use tidemill_events::{Command, Core, Draft, Event, Log, Meta, Recorded, Subject};
use tidemill_service::{Context, NoJobs, RoleError, run};
use tidemill_store::Store;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub(crate) struct Rig {
    pub(crate) bus: Bus,
    pub(crate) server: NatsServer,
    pub(crate) dir: TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = NatsServer::start(dir.path()).await.unwrap_or_else(|e| panic!("{e}"));
        let bus = connect(server.url()).await;
        let quick = Provision {
            lease: Duration::from_secs(1),
            ack_wait: Duration::from_secs(1),
            // Shorter than any restart: what is exactly once must be so without the broker's memory.
            duplicates: Duration::from_millis(100),
            ..Provision::default()
        };
        provision(&bus, &quick).await.unwrap();
        Self { bus, server, dir }
    }

    /// What a replica works with.
    pub(crate) fn context(&self, owner: &str) -> Context {
        Context::new(self.bus.clone(), Store::open("memory:").unwrap(), 1, owner)
    }

    pub(crate) async fn commands(&self, numbers: impl IntoIterator<Item = u64>) {
        for n in numbers {
            self.bus.unfenced(&command(n), None).await.unwrap();
        }
    }

    /// What the subject holds, claims left out.
    pub(crate) async fn log(&self, log: Log) -> Vec<Recorded> {
        let filter = format!("tidemill.*.{}", tidemill_events::Topic::Log(log));
        let mut reader = Reader::open(&self.bus, ReadFrom::first(Stream::Loop, filter)).await.unwrap();
        let mut events = Vec::new();
        while !reader.caught_up() {
            for item in reader.next_batch(256, Duration::from_secs(1)).await.unwrap() {
                match item {
                    Item::Event(received) if matches!(received.event.event, Event::Claimed(_)) => {}
                    Item::Event(received) => events.push(received.event),
                    Item::Poison(poison) => panic!("{poison:?}"),
                }
            }
        }
        events
    }

    pub(crate) async fn triggers(&self) -> Vec<String> {
        let name = |event: Recorded| match event.event {
            Event::Trigger(Trigger::Declined { trigger, .. }) => trigger.as_str().to_owned(),
            other => panic!("{other:?}"),
        };
        self.log(Log::Trigger).await.into_iter().map(name).collect()
    }
}

pub(crate) async fn connect(url: &str) -> Bus {
    let config = BusConfig { url: url.to_owned(), credentials: None, name: "test".into() };
    Bus::connect(config).await.unwrap()
}

pub(crate) fn loop_id() -> LoopId {
    LoopId::new("test").unwrap()
}

fn command(n: u64) -> Outgoing {
    let meta = Meta {
        id: EventId::new(format!("command-{n}")),
        source: "test".into(),
        causation: None,
        correlation: None,
        upto: None,
    };
    let event = Event::Command(Command { kind: CommandKind::Pause, by: "me".into(), reason: n.to_string() });
    Outgoing { subject: Subject::log(loop_id(), Log::Command), meta, event, content: None }
}

/// The number of a command.
pub(crate) fn number(input: &Recorded) -> Option<u64> {
    match &input.event {
        Event::Command(command) => command.reason.parse().ok(),
        _ => None,
    }
}

/// An event that says `text`.
pub(crate) fn saying(text: String) -> Draft {
    let cause = TriggerCause::Manual { by: "me".into(), reason: String::new() };
    let trigger = Trigger::Declined { trigger: TriggerId::new(text), cause, reason: String::new() };
    Draft::new(Subject::log(loop_id(), Log::Trigger), Event::Trigger(trigger))
}

/// Says of every command, twice, which of its kind it is.
#[derive(Default)]
pub(crate) struct Echo {
    seen: BTreeMap<u64, u32>,
}

impl Core for Echo {
    type Job = NoJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        let Some(n) = number(input) else { return Vec::new() };
        let n_commands = self.seen.len() + 1;
        if self.seen.insert(n, 1).is_some() {
            return Vec::new();
        }
        vec![saying(format!("{n}/{n_commands}/a")), saying(format!("{n}/{n_commands}/b"))]
    }

    fn save(&self) -> Option<Vec<u8>> {
        snapshot::save(&self.seen)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        self.seen = snapshot::load(bytes)?;
        Ok(())
    }
}

/// What [`Echo`] says of the commands from 1 to `n`.
pub(crate) fn echoes(n: u64) -> Vec<String> {
    (1..=n).flat_map(|n| [format!("{n}/{n}/a"), format!("{n}/{n}/b")]).collect()
}

pub(crate) fn start_echo(context: &Context) -> JoinHandle<Result<(), RoleError>> {
    tokio::spawn(run(Role::trainer(), Echo::default, Arc::new(NoJobs), context.clone()))
}

/// Waits until something holds, which must be within a time that is long for it.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let ceiling = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < ceiling, "waited in vain until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The time of the newest input, for cores that have deadlines.
pub(crate) fn later(time: Timestamp, millis: i64) -> Timestamp {
    time + tidemill_domain::Span::millis(millis)
}

pub(crate) fn schema() -> Schema {
    Schema {
        entity: None,
        features: Vec::new(),
        target: Target { name: "y".into(), kind: TargetKind::Numeric },
        slices: Vec::new(),
    }
}

pub(crate) fn row(n: u64) -> CleanRow {
    CleanRow {
        prediction_id: PredictionId::new(n.to_string()),
        entity: None,
        time: Timestamp(0),
        features: Vec::new(),
        scored: Vec::new(),
        label: None,
    }
}

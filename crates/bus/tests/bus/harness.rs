//! A private server for each test, and events to send.

use std::future::Future;
use std::time::Duration;

use tempfile::TempDir;
use tidemill_bus::{Bus, BusConfig, Lease, NatsServer, Provision, Publisher, provision};
use tidemill_domain::{EventId, LoopId};
use tidemill_events::emit::Outgoing;
use tidemill_events::event::{Command, CommandKind};
use tidemill_events::stream::Role;
use tidemill_events::training::Trigger;
use tidemill_events::{Event, Log, Meta, Subject, Upto};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// A server with everything provisioned, and a connection to it.
pub(crate) struct Rig {
    pub(crate) bus: Bus,
    pub(crate) server: NatsServer,
    pub(crate) dir: TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(Provision::default()).await
    }

    pub(crate) async fn with(wanted: Provision) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = NatsServer::start(dir.path()).await.unwrap_or_else(|e| panic!("{e}"));
        let bus = connect(server.url()).await;
        provision(&bus, &wanted).await.unwrap();
        Self { bus, server, dir }
    }

    pub(crate) async fn lease(&self, role: &Role, owner: &str) -> Lease {
        Lease::acquire(&self.bus, &role.name, owner, &CancellationToken::new()).await.unwrap().unwrap()
    }

    pub(crate) async fn publisher(&self, role: &Role, owner: &str) -> Publisher {
        let lease = self.lease(role, owner).await;
        let publisher = Publisher::claim(self.bus.clone(), role, &lease).await.unwrap();
        lease.release().await.unwrap();
        publisher
    }
}

pub(crate) async fn connect(url: &str) -> Bus {
    let config = BusConfig { url: url.to_owned(), credentials: None, name: "test".into() };
    Bus::connect(config).await.unwrap()
}

/// Leases and silence of workers that last a test's time.
pub(crate) fn quick() -> Provision {
    Provision { lease: Duration::from_secs(1), ack_wait: Duration::from_millis(600), ..Provision::default() }
}

pub(crate) fn subject(log: Log) -> Subject {
    Subject::log(LoopId::new("test").unwrap(), log)
}

/// The `n`-th output of the trainer: it covers its input `n`.
pub(crate) fn output(n: u64) -> Outgoing {
    let reason = format!("reason {n}");
    let cause = tidemill_events::training::TriggerCause::Manual { by: "me".into(), reason: String::new() };
    let declined =
        Trigger::Declined { trigger: tidemill_domain::TriggerId::new(n.to_string()), cause, reason };
    Outgoing {
        subject: subject(Log::Trigger),
        meta: Meta {
            id: EventId::new(format!("output-{n}")),
            source: "automl-trainer".into(),
            causation: None,
            correlation: None,
            upto: Some(Upto { sequence: n, ordinal: 1 }),
        },
        event: Event::Trigger(declined),
        content: None,
    }
}

/// The `n`-th command.
pub(crate) fn command(n: u64) -> Outgoing {
    let command = Command { kind: CommandKind::Pause, by: "me".into(), reason: n.to_string() };
    Outgoing {
        subject: subject(Log::Command),
        meta: Meta {
            id: EventId::new(format!("command-{n}")),
            source: "console".into(),
            causation: None,
            correlation: None,
            upto: None,
        },
        event: Event::Command(command),
        content: None,
    }
}

/// Waits until something holds, which must be within a time that is long for it.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let ceiling = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < ceiling, "waited in vain until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

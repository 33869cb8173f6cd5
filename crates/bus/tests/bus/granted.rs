//! The permissions that `tidemill provision --permissions` prints, in force on a real server: each service can do its work
//! and may not write where another is the owner.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use tempfile::TempDir;
use tidemill_bus::{
    Bus, BusConfig, Lease, NatsServer, OPERATOR, Pointer, Provision, Published, Publisher, ReadFrom, Reader,
    WorkQueue, authorization, password_variable, permissions, provision,
};
use tidemill_domain::{EventId, LoopId};
use tidemill_events::emit::Outgoing;
use tidemill_events::event::Claimed;
use tidemill_events::service::{Service, services};
use tidemill_events::stream::{Role, Stream};
use tidemill_events::subject::LOGS;
use tidemill_events::{Event, Intake, Meta, Partition, Subject, Topic};
use tokio_util::sync::CancellationToken;

use crate::harness::until;

const PARTITIONS: u16 = 2;

/// A server that lets nobody do more than is printed, and everything provisioned by the operator.
async fn guarded() -> (NatsServer, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = authorization(PARTITIONS);
    for granted in permissions(PARTITIONS) {
        let variable = format!("${}\n", password_variable(&granted.user));
        assert!(config.contains(&variable), "{variable}");
        config = config.replace(&variable, "secret\n");
    }
    let file = dir.path().join("nats.conf");
    std::fs::write(&file, config).unwrap();
    let server = NatsServer::start_with(dir.path(), None, &["-c", file.to_str().unwrap()]).await;
    let server = server.unwrap_or_else(|e| panic!("{e}"));
    provision(&connect(&server, OPERATOR).await, &Provision::default()).await.unwrap();
    (server, dir)
}

async fn connect(server: &NatsServer, user: &str) -> Bus {
    let url = format!("nats://{user}:secret@127.0.0.1:{}", server.port());
    Bus::connect(BusConfig { url, credentials: None, name: user.into() }).await.unwrap()
}

fn on(topic: Topic) -> Subject {
    Subject::new(LoopId::new("test").unwrap(), topic)
}

fn every_topic() -> Vec<Topic> {
    let mut topics = vec![Topic::Work, Topic::Dead(Stream::Loop, 9)];
    topics.extend([Intake::Prediction, Intake::Label, Intake::Feedback].map(Topic::Intake));
    topics.extend(LOGS.map(|log| Topic::Log(log.0)));
    for p in (0..PARTITIONS).map(Partition) {
        topics.extend([
            Topic::Sample(p),
            Topic::Clean(p),
            Topic::Segment(p),
            Topic::Quarantine(p),
            Topic::Window(p),
        ]);
    }
    topics
}

/// What the active replica of a role does: lease, claim, read, write, say where its snapshot is, give back.
async fn works(bus: &Bus, role: &Role) {
    let stop = CancellationToken::new();
    let lease = Lease::acquire(bus, &role.name, "a", &stop).await.unwrap().unwrap();
    let mut publisher = Publisher::claim(bus.clone(), role, &lease).await.unwrap();
    let mut reader = Reader::open(bus, ReadFrom::first(role.stream, &role.filter)).await.unwrap();
    reader.next_batch(1, Duration::from_millis(50)).await.unwrap();
    for topic in &role.owns {
        let claimed = Claimed { role: role.name.clone(), owner: "a".into(), epoch: 0 };
        let event = Outgoing {
            subject: on(*topic),
            meta: Meta {
                id: EventId::new(format!("{}/{topic}", role.name)),
                source: role.name.clone(),
                causation: None,
                correlation: None,
                upto: None,
            },
            event: Event::Claimed(claimed),
            content: None,
        };
        let published = publisher.publish(&event, None).await;
        assert!(matches!(published, Ok(Published::Stored(_))), "{} on {topic}: {published:?}", role.name);
    }
    let pointer = Pointer::open(bus, &role.name).await.unwrap();
    let before = pointer.get().await.unwrap().map_or(0, |(_, revision)| revision);
    assert!(pointer.set("here".into(), before).await.unwrap().is_some());
    lease.release().await.unwrap();
}

#[tokio::test]
async fn every_service_can_do_its_work() {
    let (server, _dir) = guarded().await;
    for service in services(PARTITIONS) {
        let bus = connect(&server, service.name).await;
        for role in &service.roles {
            works(&bus, role).await;
        }
        for stream in service.read_streams() {
            bus.extent(stream).await.unwrap();
            let all = stream.subjects().remove(0);
            let mut reader = Reader::open(&bus, ReadFrom::first(stream, all)).await.unwrap();
            reader.next_batch(1, Duration::from_millis(50)).await.unwrap();
        }
        if service.pulls_work {
            bus.publish_raw(&on(Topic::Work).to_string(), None, &[], "nonsense".into()).await.unwrap();
            let queue = WorkQueue::open(&bus).await.unwrap();
            // It is told and taken off the queue, for which everything is needed that a worker does.
            let pulled = queue.next(Duration::from_secs(5)).await.unwrap();
            assert!(matches!(pulled, Some(tidemill_bus::Pulled::Poison(_))), "{pulled:?}");
        }
        for topic in &service.writes {
            let stored = bus.publish_raw(&on(*topic).to_string(), None, &[], "{}".into()).await;
            stored.unwrap_or_else(|e| panic!("{} on {topic}: {e}", service.name));
        }
    }
}

/// Publishes on every subject, and what the server said of it.
async fn violations(server: &NatsServer, service: &Service) -> Vec<String> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    let options = async_nats::ConnectOptions::with_user_and_password(service.name.into(), "secret".into());
    let options = options.event_callback(move |event| {
        heard.lock().unwrap().push(event.to_string());
        std::future::ready(())
    });
    let client = options.connect(server.url()).await.unwrap();
    let topics = every_topic();
    for topic in &topics {
        client.publish(on(*topic).to_string(), "{}".into()).await.unwrap();
    }
    // The server answers in order: what is heard of this one is heard last.
    let last = "tidemill.test.nobody.may";
    client.publish(last, "{}".into()).await.unwrap();
    client.flush().await.unwrap();
    until("the last refusal is heard", || {
        std::future::ready(said.lock().unwrap().iter().any(|text| text.contains(last)))
    })
    .await;
    let said = said.lock().unwrap();
    let refused = |topic: &&Topic| said.iter().any(|text| text.contains(&format!("\"{}\"", on(**topic))));
    topics.iter().filter(refused).map(ToString::to_string).collect()
}

#[tokio::test]
async fn no_service_may_write_where_another_is_the_owner() {
    let (server, _dir) = guarded().await;
    let services = services(PARTITIONS);
    let all = join_all(services.iter().map(|service| violations(&server, service))).await;
    for (service, refused) in services.iter().zip(all) {
        let foreign = every_topic().into_iter().filter(|topic| !service.may_write(*topic));
        let foreign: Vec<String> = foreign.map(|topic| topic.to_string()).collect();
        assert_eq!(refused, foreign, "{}", service.name);
        assert!(!foreign.is_empty());
    }
}

#[tokio::test]
async fn nobody_takes_the_lease_of_another_service() {
    let (server, _dir) = guarded().await;
    let bus = connect(&server, "monitor").await;
    let taken = Lease::acquire(&bus, &Role::deployer().name, "a", &CancellationToken::new()).await;
    assert!(matches!(&taken, Err(e) if e.is_fatal()), "{taken:?}");
}

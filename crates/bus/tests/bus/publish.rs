//! Fenced publishing: claims, stale owners, lost answers, positions.

use std::time::Duration;

use tidemill_bus::{Error, Item, Limits, Provision, Published, ReadFrom, Reader, TraceParent, provision};
use tidemill_domain::EventId;
use tidemill_events::stream::{Role, Stream};
use tidemill_events::{Emitter, Event, Log, Upto};

use crate::harness::{Rig, command, output, subject, until};

/// The ids on the trainer's subject, and how many claims there are.
async fn on_the_log(rig: &Rig) -> (Vec<String>, usize) {
    let from = ReadFrom::first(Stream::Loop, "tidemill.*.log.trigger");
    let mut reader = Reader::open(&rig.bus, from).await.unwrap();
    let (mut ids, mut n_claims) = (Vec::new(), 0);
    while !reader.caught_up() {
        for item in reader.next_batch(100, Duration::from_secs(1)).await.unwrap() {
            let Item::Event(received) = item else { panic!("{item:?}") };
            match received.event.event {
                Event::Claimed(_) => n_claims += 1,
                _ => ids.push(received.event.meta.id.as_str().to_owned()),
            }
        }
    }
    (ids, n_claims)
}

#[tokio::test]
async fn a_new_subject_is_claimed_before_its_first_event() {
    let rig = Rig::new().await;
    let mut publisher = rig.publisher(&Role::trainer(), "a").await;
    assert_eq!(publisher.publish(&output(1), None).await.unwrap(), Published::Stored(2));
    assert_eq!(publisher.publish(&output(2), None).await.unwrap(), Published::Stored(3));
    assert_eq!(on_the_log(&rig).await, (vec!["output-1".into(), "output-2".into()], 1));
}

#[tokio::test]
async fn a_stale_owner_is_refused_after_a_claim() {
    let rig = Rig::new().await;
    let role = Role::trainer();
    let mut old = rig.publisher(&role, "a").await;
    old.publish(&output(1), None).await.unwrap();
    let mut new = rig.publisher(&role, "b").await;
    assert!(new.epoch() > old.epoch());
    match old.publish(&output(2), None).await {
        Err(Error::Fenced { owner, newer, .. }) => assert_eq!((owner.as_str(), newer), ("b", new.epoch())),
        other => panic!("{other:?}"),
    }
    new.publish(&output(2), None).await.unwrap();
    assert!(matches!(old.publish(&output(3), None).await, Err(Error::Fenced { .. })));
    assert_eq!(on_the_log(&rig).await, (vec!["output-1".into(), "output-2".into()], 2));
}

#[tokio::test]
async fn a_stale_owner_that_is_first_on_a_new_subject_gives_way() {
    let rig = Rig::new().await;
    let role = Role::trainer();
    // Both claim while the subject does not exist, so that neither is fenced yet.
    let mut old = rig.publisher(&role, "a").await;
    let mut new = rig.publisher(&role, "b").await;
    old.publish(&output(1), None).await.unwrap();
    assert_eq!(new.publish(&output(1), None).await.unwrap(), Published::Known);
    assert!(matches!(new.publish(&output(2), None).await.unwrap(), Published::Stored(_)));
    assert!(matches!(old.publish(&output(2), None).await, Err(Error::Fenced { .. })));
    let (ids, _) = on_the_log(&rig).await;
    assert_eq!(ids, ["output-1", "output-2"]);
}

#[tokio::test]
async fn a_claim_copies_the_position_of_the_tail() {
    let rig = Rig::new().await;
    let role = Role::trainer();
    rig.publisher(&role, "a").await.publish(&output(7), None).await.unwrap();
    for owner in ["b", "c"] {
        let publisher = rig.publisher(&role, owner).await;
        let tail = rig.bus.tail(&subject(Log::Trigger)).await.unwrap().unwrap();
        assert_eq!(tail.claimed_by.as_deref(), Some(owner));
        assert_eq!(tail.upto, Some(Upto { sequence: 7, ordinal: 1 }));
        assert_eq!(tail.epoch, publisher.epoch());
        let mut emitter = Emitter::new(&role.name);
        publisher.resume(&mut emitter);
        assert_eq!(emitter.position(&subject(Log::Trigger)), tail.upto);
    }
}

#[tokio::test]
async fn what_is_stored_already_is_recognised() {
    let rig = Rig::new().await;
    let role = Role::trainer();
    let mut publisher = rig.publisher(&role, "a").await;
    publisher.publish(&output(1), None).await.unwrap();
    // As if the answer had been lost: the same again.
    assert_eq!(publisher.publish(&output(1), None).await.unwrap(), Published::Known);
    assert!(matches!(publisher.publish(&output(2), None).await.unwrap(), Published::Stored(_)));
    // What an earlier tail covers is recognised too, by its position.
    assert_eq!(publisher.publish(&output(1), None).await.unwrap(), Published::Known);
    assert_eq!(on_the_log(&rig).await.0, ["output-1", "output-2"]);
}

#[tokio::test]
async fn an_id_that_the_broker_remembers_from_another_position_is_published_all_the_same() {
    let rig = Rig::new().await;
    let mut publisher = rig.publisher(&Role::trainer(), "a").await;
    publisher.publish(&output(1), None).await.unwrap();
    publisher.publish(&output(2), None).await.unwrap();
    let mut again = output(3);
    again.meta.id = EventId::new("output-1");
    assert!(matches!(publisher.publish(&again, None).await.unwrap(), Published::Stored(_)));
    assert_eq!(on_the_log(&rig).await.0, ["output-1", "output-2", "output-1"]);
}

#[tokio::test]
async fn an_owner_whose_subject_grew_old_begins_it_again() {
    let rig = Rig::new().await;
    let mut publisher = rig.publisher(&Role::trainer(), "a").await;
    publisher.publish(&output(1), None).await.unwrap();
    let stream = async_nats::connect(rig.server.url()).await.map(async_nats::jetstream::new).unwrap();
    let stream = stream.get_stream(Stream::Loop.name()).await.unwrap();
    stream.purge().await.unwrap();
    publisher.publish(&output(2), None).await.unwrap();
    assert_eq!(on_the_log(&rig).await.0, ["output-2"]);
}

#[tokio::test]
async fn nobody_publishes_where_another_is_the_owner() {
    let rig = Rig::new().await;
    let mut deployer = rig.publisher(&Role::deployer(), "a").await;
    let refused = deployer.publish(&output(1), None).await;
    assert!(matches!(&refused, Err(e @ Error::NotOwned { .. }) if e.is_fatal()), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_comes_back_gets_what_it_missed() {
    let rig = Rig::new().await;
    let mut publisher = rig.publisher(&Role::trainer(), "a").await;
    publisher.publish(&output(1), None).await.unwrap();
    let Rig { bus, server, dir } = rig;
    let port = server.port();
    server.kill();
    let publishing = tokio::spawn(async move { publisher.publish(&output(2), None).await });
    let server = tidemill_bus::NatsServer::start_with(dir.path(), Some(port), &[]).await.unwrap();
    publishing.await.unwrap().unwrap();
    assert_eq!(on_the_log(&Rig { bus, server, dir }).await.0, ["output-1", "output-2"]);
}

#[tokio::test]
async fn anybody_may_command_and_the_trace_goes_on() {
    let rig = Rig::new().await;
    let first = rig.bus.unfenced(&command(1), None).await.unwrap();
    assert!(!first.duplicate);
    assert!(rig.bus.unfenced(&command(1), None).await.unwrap().duplicate);
    let root = TraceParent::root(&EventId::new("somewhere else"));
    rig.bus.unfenced(&command(2), Some(&root)).await.unwrap();
    let mut reader = Reader::open(&rig.bus, ReadFrom::first(Stream::Loop, "tidemill.*.log.*")).await.unwrap();
    let mut traces = Vec::new();
    while traces.len() < 2 {
        for item in reader.next_batch(10, Duration::from_secs(1)).await.unwrap() {
            let Item::Event(received) = item else { panic!("{item:?}") };
            traces.push(received.trace.unwrap().trace_id().to_owned());
        }
    }
    assert_eq!(traces[1], root.trace_id());
    assert_ne!(traces[0], root.trace_id());
}

#[tokio::test]
async fn positions_recognise_what_the_broker_has_forgotten() {
    let window = Duration::from_millis(100);
    let rig = Rig::with(Provision { duplicates: window, ..Provision::default() }).await;
    let mut publisher = rig.publisher(&Role::trainer(), "a").await;
    publisher.publish(&output(1), None).await.unwrap();
    publisher.publish(&output(2), None).await.unwrap();
    rig.bus.unfenced(&command(1), None).await.unwrap();
    until("ids are forgotten", || async { !rig.bus.unfenced(&command(1), None).await.unwrap().duplicate })
        .await;
    assert_eq!(publisher.publish(&output(1), None).await.unwrap(), Published::Known);
    assert_eq!(publisher.publish(&output(2), None).await.unwrap(), Published::Known);
    assert_eq!(on_the_log(&rig).await.0, ["output-1", "output-2"]);
}

#[tokio::test]
async fn a_full_stream_is_waited_for() {
    let full = |log| Provision { limits: Limits { log, ..Limits::default() }, ..Provision::default() };
    let rig = Rig::with(full(Some(4_096))).await;
    let mut n_commands = 0;
    let refused = loop {
        n_commands += 1;
        if let Err(error) = rig.bus.unfenced(&command(n_commands), None).await {
            break error;
        }
    };
    assert!(matches!(&refused, e @ Error::Full { .. } if !e.is_fatal()), "{refused:?}");
    let lease = rig.lease(&Role::trainer(), "a").await;
    let (bus, role) = (rig.bus.clone(), Role::trainer());
    let publishing = tokio::spawn(async move {
        let mut publisher = tidemill_bus::Publisher::claim(bus, &role, &lease).await.unwrap();
        publisher.publish(&output(1), None).await
    });
    until("it has tried", || std::future::ready(!publishing.is_finished())).await;
    provision(&rig.bus, &full(None)).await.unwrap();
    assert!(matches!(publishing.await.unwrap().unwrap(), Published::Stored(_)));
    assert_eq!(on_the_log(&rig).await.0, ["output-1"]);
}

#[tokio::test]
async fn a_message_larger_than_the_broker_takes_is_refused_and_the_connection_stays() {
    let rig = Rig::new().await;
    let large = bytes::Bytes::from(vec![b'x'; 2 << 20]);
    let refused = rig.bus.publish_raw("tidemill.test.intake.label", Some("large"), &[], large).await;
    assert!(matches!(&refused, Err(e @ Error::TooLarge { .. }) if e.is_fatal()), "{refused:?}");
    assert_eq!(rig.bus.unfenced(&command(1), None).await.unwrap().sequence, 1);
}

//! Reading in order, from anywhere, whatever happens on the way.

use std::time::Duration;

use futures::TryStreamExt;
use tidemill_bus::{Item, NatsServer, Poison, ReadFrom, Reader};
use tidemill_events::Event;
use tidemill_events::stream::Stream;

use crate::harness::{Rig, command, until};

const WAIT: Duration = Duration::from_secs(2);

fn commands_from(sequence: u64) -> ReadFrom {
    ReadFrom { sequence, ..ReadFrom::first(Stream::Loop, "tidemill.*.log.command") }
}

fn sequences(items: Vec<Item>) -> Vec<u64> {
    let sequence = |item| match item {
        Item::Event(received) => received.event.sequence,
        Item::Poison(Poison { sequence, .. }) => sequence,
    };
    items.into_iter().map(sequence).collect()
}

#[tokio::test]
async fn reading_begins_where_it_is_told_to_and_keeps_the_order() {
    let rig = Rig::new().await;
    for n in 1..=1_000 {
        rig.bus.unfenced(&command(n), None).await.unwrap();
    }
    let mut reader = Reader::open(&rig.bus, commands_from(400)).await.unwrap();
    assert!(!reader.caught_up());
    let mut seen = Vec::new();
    while !reader.caught_up() {
        let batch = reader.next_batch(100, WAIT).await.unwrap();
        assert!(batch.len() <= 100);
        seen.extend(sequences(batch));
    }
    assert_eq!(seen, (400..=1_000).collect::<Vec<_>>());
    assert_eq!((reader.next_sequence(), reader.lag()), (1_001, 0));
}

#[tokio::test]
async fn an_empty_stream_is_caught_up_with_and_then_followed() {
    let rig = Rig::new().await;
    let mut reader = Reader::open(&rig.bus, commands_from(1)).await.unwrap();
    assert!(reader.caught_up());
    assert!(reader.next_batch(10, Duration::from_millis(50)).await.unwrap().is_empty());
    rig.bus.unfenced(&command(1), None).await.unwrap();
    assert_eq!(sequences(reader.next_batch(10, WAIT).await.unwrap()), [1]);
}

#[tokio::test]
async fn a_read_that_is_dropped_loses_nothing() {
    let rig = Rig::new().await;
    let mut reader = Reader::open(&rig.bus, commands_from(1)).await.unwrap();
    let mut seen = Vec::new();
    for n in 1..=200 {
        rig.bus.unfenced(&command(n), None).await.unwrap();
        tokio::select! {
            biased;
            batch = reader.next_batch(3, WAIT) => seen.extend(sequences(batch.unwrap())),
            () = tokio::task::yield_now() => {}
        }
    }
    while seen.len() < 200 {
        seen.extend(sequences(reader.next_batch(10, WAIT).await.unwrap()));
    }
    assert_eq!(seen, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_no_event_is_told_and_passed_over() {
    let rig = Rig::new().await;
    rig.bus.unfenced(&command(1), None).await.unwrap();
    rig.bus.publish_raw("tidemill.test.log.command", None, &[], "nonsense".into()).await.unwrap();
    rig.bus.publish_raw("tidemill.test.log.nonsense", None, &[], "nonsense".into()).await.unwrap();
    rig.bus.unfenced(&command(2), None).await.unwrap();
    let mut reader = Reader::open(&rig.bus, ReadFrom::first(Stream::Loop, "tidemill.*.log.*")).await.unwrap();
    let mut items = Vec::new();
    while !reader.caught_up() {
        items.extend(reader.next_batch(10, WAIT).await.unwrap());
    }
    let kinds: Vec<bool> = items.iter().map(|item| matches!(item, Item::Event(_))).collect();
    assert_eq!(kinds, [true, false, false, true], "{items:?}");
}

#[tokio::test]
async fn what_producers_send_is_an_event_whatever_it_is() {
    let rig = Rig::new().await;
    rig.bus
        .publish_raw("tidemill.test.intake.label", Some("a"), &[("x", "y")], "nonsense".into())
        .await
        .unwrap();
    let from = ReadFrom::first(Stream::Intake, "tidemill.*.intake.*");
    let mut reader = Reader::open(&rig.bus, from).await.unwrap();
    match reader.next_batch(10, WAIT).await.unwrap().as_slice() {
        [Item::Event(received)] => assert!(matches!(received.event.event, Event::Intake(_))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn headers_with_line_breaks_are_refused_and_nothing_panics() {
    let rig = Rig::new().await;
    let sent = rig.bus.publish_raw("tidemill.test.intake.label", Some("a\r\nb"), &[], "{}".into()).await;
    assert!(sent.is_err());
}

#[tokio::test]
async fn reading_goes_on_where_it_was_when_the_server_comes_back() {
    let rig = Rig::new().await;
    for n in 1..=10 {
        rig.bus.unfenced(&command(n), None).await.unwrap();
    }
    let mut reader = Reader::open(&rig.bus, commands_from(3)).await.unwrap();
    let first = reader.next_batch(5, WAIT).await.unwrap().len() as u64;
    let Rig { bus, server, dir } = rig;
    let port = server.port();
    server.kill();
    let _server = NatsServer::start_with(dir.path(), Some(port), &[]).await.unwrap();
    until("the connection is back", || std::future::ready(bus.is_connected())).await;
    until("the server takes events again", || async { bus.unfenced(&command(11), None).await.is_ok() }).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&11) {
        seen.extend(sequences(reader.next_batch(100, WAIT).await.unwrap()));
    }
    assert_eq!(seen, (3 + first..=11).collect::<Vec<_>>());
}

#[tokio::test]
async fn reading_goes_on_when_the_broker_has_forgotten_its_consumer() {
    let rig = Rig::new().await;
    rig.bus.unfenced(&command(1), None).await.unwrap();
    let mut reader = Reader::open(&rig.bus, commands_from(1)).await.unwrap();
    assert_eq!(sequences(reader.next_batch(10, WAIT).await.unwrap()), [1]);
    let js = async_nats::connect(rig.server.url()).await.map(async_nats::jetstream::new).unwrap();
    let stream = js.get_stream(Stream::Loop.name()).await.unwrap();
    let names: Vec<String> = stream.consumer_names().try_collect().await.unwrap();
    assert_eq!(names.len(), 1);
    stream.delete_consumer(&names[0]).await.unwrap();
    rig.bus.unfenced(&command(2), None).await.unwrap();
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen.extend(sequences(reader.next_batch(10, WAIT).await.unwrap()));
    }
    assert_eq!(seen, [2]);
}

//! Dead letters: each once, whoever tells it; and pointers, changed only by who knows the value before.

use std::time::Duration;

use tidemill_bus::{Error, Item, Limits, Pointer, Poison, Provision, ReadFrom, Reader, provision};
use tidemill_events::Event;
use tidemill_events::event::DeadLetter;
use tidemill_events::stream::Stream;

use crate::harness::Rig;

async fn poison(rig: &Rig, payload: &str) -> Poison {
    let stored =
        rig.bus.publish_raw("tidemill.test.log.command", None, &[], payload.to_owned().into()).await.unwrap();
    let from = ReadFrom { sequence: stored.sequence, ..ReadFrom::first(Stream::Loop, "tidemill.*.log.*") };
    let mut reader = Reader::open(&rig.bus, from).await.unwrap();
    match reader.next_batch(1, Duration::from_secs(5)).await.unwrap().pop() {
        Some(Item::Poison(poison)) => poison,
        other => panic!("{other:?}"),
    }
}

async fn letters(rig: &Rig) -> Vec<DeadLetter> {
    let all = ReadFrom::first(Stream::Dead, Stream::Dead.subjects().remove(0));
    let mut reader = Reader::open(&rig.bus, all).await.unwrap();
    let mut letters = Vec::new();
    while !reader.caught_up() {
        for item in reader.next_batch(100, Duration::from_secs(1)).await.unwrap() {
            let Item::Event(received) = item else { panic!("{item:?}") };
            let Event::Dead(letter) = received.event.event else { panic!("{received:?}") };
            letters.push(letter);
        }
    }
    letters
}

#[tokio::test]
async fn a_message_that_is_no_event_is_told_once_whoever_tells_it() {
    // Without the broker's memory of ids.
    let window = Duration::from_millis(100);
    let rig = Rig::with(Provision { duplicates: window, ..Provision::default() }).await;
    let first = poison(&rig, &"nonsense ".repeat(1_000)).await;
    assert!(rig.bus.dead_letter("deployer", &first).await.unwrap());
    assert!(!rig.bus.dead_letter("deployer", &first).await.unwrap());
    let second = poison(&rig, "more").await;
    assert!(rig.bus.dead_letter("evaluator", &second).await.unwrap());
    tokio::time::sleep(2 * window).await;
    assert!(!rig.bus.dead_letter("evaluator", &first).await.unwrap());
    let letters = letters(&rig).await;
    let told: Vec<_> = letters.iter().map(|l| (l.sequence, l.reader.as_str(), l.bytes)).collect();
    assert_eq!(told, [(1, "deployer", 9_000), (2, "evaluator", 4)]);
    assert_eq!((letters[0].head.len(), letters[1].head.as_str()), (DeadLetter::HEAD, "more"));
    assert_eq!(letters[0].subject, "tidemill.test.log.command");
    assert!(letters[0].reason.contains("ce-type"), "{}", letters[0].reason);
}

#[tokio::test]
async fn a_letter_that_cannot_be_stored_is_an_error_that_may_pass() {
    let rig = Rig::new().await;
    let js = async_nats::jetstream::new(async_nats::connect(rig.server.url()).await.unwrap());
    js.delete_stream(Stream::Dead.name()).await.unwrap();
    let poison = poison(&rig, "nonsense").await;
    let told = rig.bus.dead_letter("deployer", &poison).await;
    assert!(matches!(&told, Err(e @ Error::NotProvisioned { .. }) if !e.is_fatal()), "{told:?}");
    let said = told.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(said.ends_with("does not exist on the broker: run `tidemill provision`"), "{said}");
    provision(&rig.bus, &Provision::default()).await.unwrap();
    assert!(rig.bus.dead_letter("deployer", &poison).await.unwrap());
}

#[tokio::test]
async fn a_flood_of_letters_loses_the_oldest_and_stops_nobody() {
    let limits = Limits { dead: Some(8_000), ..Limits::default() };
    let rig = Rig::with(Provision { limits, ..Provision::default() }).await;
    for n in 0..20 {
        let poison = poison(&rig, &format!("nonsense {n}")).await;
        assert!(rig.bus.dead_letter("deployer", &poison).await.unwrap());
    }
    let heads: Vec<String> = letters(&rig).await.into_iter().map(|letter| letter.head).collect();
    assert!((2..20).contains(&heads.len()), "{heads:?}");
    assert_eq!(heads.last().map(String::as_str), Some("nonsense 19"));
}

#[tokio::test]
async fn a_pointer_is_changed_only_by_who_knows_its_revision() {
    let rig = Rig::new().await;
    let (a, b) = (Pointer::open(&rig.bus, "x").await.unwrap(), Pointer::open(&rig.bus, "x").await.unwrap());
    assert_eq!(a.get().await.unwrap(), None);
    let first = a.set("1".into(), 0).await.unwrap().unwrap();
    assert_eq!(b.set("2".into(), 0).await.unwrap(), None, "there is one");
    let second = b.set("2".into(), first).await.unwrap().unwrap();
    assert_eq!(a.set("3".into(), first).await.unwrap(), None, "it was changed");
    assert_eq!(a.get().await.unwrap(), Some(("2".into(), second)));
}

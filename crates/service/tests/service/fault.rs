//! What goes wrong in a role, and what must be there before what.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_bus::{Item, Provision, ReadFrom, Reader, chain, provision};
use tidemill_domain::Timestamp;
use tidemill_events::core::NoJob;
use tidemill_events::dataset::{SegmentRef, SegmentSealed, segment_hash};
use tidemill_events::event::DeadLetter;
use tidemill_events::stream::{Role, Stream};
use tidemill_events::{Content, Core, Draft, Event, Partition, Recorded, Subject, Topic};
use tidemill_service::{NoJobs, PartState, run, run_all};

use crate::harness::{Echo, Rig, echoes, loop_id, number, row, saying, schema, start_echo, until};

struct Trespasser;

impl Core for Trespasser {
    type Job = NoJob;
    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        number(input).map(|n| saying(n.to_string())).into_iter().collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_writes_where_it_may_not_stops_its_process() {
    let rig = Rig::new().await;
    rig.commands([1]).await;
    let context = rig.context("a");
    let trespasser = run(Role::deployer(), || Trespasser, Arc::new(NoJobs), context.clone());
    let bystander = run(Role::trainer(), Echo::default, Arc::new(NoJobs), context.clone());
    let ended = run_all(&context, vec![Box::pin(trespasser), Box::pin(bystander)]).await;
    let said = ended.map_err(|e| chain(&e)).unwrap_err();
    assert!(said.starts_with("the role deployer cannot go on"), "{said}");
    assert!(said.ends_with("deployer does not own tidemill.test.log.trigger"), "{said}");
    assert!(context.stop.is_cancelled(), "the other role was stopped with it");
}

/// Seals one segment for each command.
struct Sealer;

impl Core for Sealer {
    type Job = NoJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        let Some(n) = number(input) else { return Vec::new() };
        let rows = vec![row(n)];
        let segment = SegmentRef { hash: segment_hash(&rows), rows: 1 };
        let sealed = SegmentSealed {
            segment: segment.clone(),
            partition: Partition(0),
            schema: schema().hash(),
            from: Timestamp(0),
            to: Timestamp(0),
            classes: Default::default(),
            sources: BTreeMap::new(),
        };
        let content =
            Content::Segment { hash: segment.hash, schema: Arc::new(schema()), rows: Arc::new(rows) };
        let to = Subject::new(loop_id(), Topic::Segment(Partition(0)));
        vec![Draft::new(to, Event::Segment(sealed)).after_storing(content)]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_stored_before_an_event_names_it() {
    let rig = Rig::new().await;
    rig.commands(1..=3).await;
    let context = rig.context("a");
    // It reads commands instead of rows; what it owns is what counts.
    let role = Role { filter: Role::trainer().filter, stream: Stream::Loop, ..Role::validator(Partition(0)) };
    let sealer = tokio::spawn(run(role, || Sealer, Arc::new(NoJobs), context.clone()));
    let mut reader =
        Reader::open(&rig.bus, ReadFrom::first(Stream::Samples, "tidemill.*.segment.*")).await.unwrap();
    let mut n_segments = 0;
    while n_segments < 3 {
        for item in reader.next_batch(1, Duration::from_secs(5)).await.unwrap() {
            let Item::Event(received) = item else { panic!("{item:?}") };
            if let Event::Segment(sealed) = received.event.event {
                assert_eq!(context.store.segment(&sealed.segment.hash).await.unwrap().len(), 1);
                n_segments += 1;
            }
        }
    }
    context.stop.cancel();
    sealer.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_event_is_counted_and_passed_over() {
    let rig = Rig::new().await;
    rig.commands([1]).await;
    rig.bus.publish_raw("tidemill.test.log.command", None, &[], "nonsense".into()).await.unwrap();
    let unknown = [("ce-type", "dev.tidemill.later.invention.v7"), ("ce-id", "x"), ("ce-source", "later")];
    rig.bus.publish_raw("tidemill.test.log.command", None, &unknown, "{}".into()).await.unwrap();
    rig.commands([2]).await;
    let context = rig.context("a");
    let role = start_echo(&context);
    until("all are out", || async { rig.triggers().await.len() >= 4 }).await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(rig.triggers().await, echoes(2));
    let metrics = context.metrics.role("automl-trainer");
    assert_eq!((metrics.events_poison.get(), metrics.events_unknown.get()), (1, 1));
    assert_eq!(metrics.events_refused.get(), 1);

    // Whoever meets it again tells nothing new.
    let context = rig.context("b");
    let role = start_echo(&context);
    let metrics = context.metrics.role("automl-trainer");
    until("it is met again", || std::future::ready(metrics.events_poison.get() == 1)).await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(metrics.events_refused.get(), 0);
    let letters = letters(&rig).await;
    let told: Vec<_> = letters.iter().map(|l| (l.sequence, l.reader.as_str(), l.head.as_str())).collect();
    assert_eq!(told, [(2, "automl-trainer", "nonsense")]);
}

async fn letters(rig: &Rig) -> Vec<DeadLetter> {
    let all = ReadFrom::first(Stream::Dead, Stream::Dead.subjects().remove(0));
    let mut reader = Reader::open(&rig.bus, all).await.unwrap();
    let mut letters = Vec::new();
    while !reader.caught_up() {
        for item in reader.next_batch(16, Duration::from_secs(1)).await.unwrap() {
            let Item::Event(received) = item else { panic!("{item:?}") };
            let Event::Dead(letter) = received.event.event else { panic!("{received:?}") };
            letters.push(letter);
        }
    }
    letters
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_after_what_is_no_event_is_folded_before_that_is_told() {
    let rig = Rig::new().await;
    let js = async_nats::jetstream::new(async_nats::connect(rig.server.url()).await.unwrap());
    js.delete_stream(Stream::Dead.name()).await.unwrap();
    rig.bus.publish_raw("tidemill.test.log.command", None, &[], "nonsense".into()).await.unwrap();
    rig.commands([1]).await;
    let context = rig.context("a");
    let role = start_echo(&context);
    let catching_up = Some(PartState::CatchingUp);
    until("it has begun", || std::future::ready(context.health.get("automl-trainer") == catching_up)).await;
    // There is nowhere to tell it: that may pass, so the role waits. It must not go on without it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rig.triggers().await, Vec::<String>::new());
    assert!(!role.is_finished());
    provision(&rig.bus, &Provision::default()).await.unwrap();
    until("all are out", || async { rig.triggers().await.len() >= 2 }).await;
    assert_eq!(letters(&rig).await.len(), 1);
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(rig.triggers().await, echoes(1));
}

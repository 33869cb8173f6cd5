//! The same on a real nats-server: ingest is killed again and again in the midst of a stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_bus::{Bus, BusConfig, Item, NatsServer, Provision, ReadFrom, Reader, clock, provision};
use tidemill_domain::{EventId, Span};
use tidemill_events::core::Core;
use tidemill_events::emit::{Emitter, Outgoing};
use tidemill_events::intake::{encode_label, encode_prediction};
use tidemill_events::sample::{Mark, SampleItem};
use tidemill_events::stream::{Role, Stream, filter};
use tidemill_events::{Event, Log, Meta, Partition, Subject, Topic};
use tidemill_proto::{PROTOBUF, encode_predictions};
use tidemill_service::{Context, Inputs, Source};
use tidemill_store::Store;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::fixtures::{candidate, label, loop_id, prediction, rollout, spec};
use crate::joined::Joined;
use crate::kept::Whose;
use crate::source::Streams;
use crate::tallies::Tallies;

const ROWS: usize = 1_200;
const CEILING: Duration = Duration::from_secs(60);
const PARTITION: Partition = Partition(0);

struct Rig {
    _server: NatsServer,
    dir: tempfile::TempDir,
    bus: Bus,
    n_events: u64,
}

impl Rig {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
        let server = NatsServer::start(dir.path()).await.unwrap_or_else(|e| unreachable!("{e}"));
        let bus = connect(server.url()).await;
        // Leases that are lost without being given back are free again soon.
        let wanted = Provision { lease: Duration::from_secs(1), ..Provision::default() };
        provision(&bus, &wanted).await.unwrap_or_else(|e| unreachable!("{e}"));
        Self { _server: server, dir, bus, n_events: 0 }
    }

    fn context(&self, owner: &str) -> Context {
        let store = Store::open("memory:").unwrap_or_else(|e| unreachable!("{e}"));
        Context::new(self.bus.clone(), store, 1, owner)
    }

    /// The same with a folder for what is remembered.
    fn with_folder(&self, owner: &str) -> Context {
        Context { local: Some(self.dir.path().join("local")), ..self.context(owner) }
    }

    async fn control(&mut self, name: &str, log: Log, event: Event) {
        self.n_events += 1;
        let out = Outgoing {
            subject: Subject::log(loop_id(name), log),
            meta: Meta {
                id: EventId::new(format!("e{}", self.n_events)),
                source: "test".into(),
                causation: None,
                correlation: None,
                upto: None,
            },
            event,
            content: None,
        };
        self.bus.unfenced(&out, None).await.unwrap_or_else(|e| unreachable!("{e}"));
    }

    async fn send(&self, name: &str, kind: &str, content_type: Option<&str>, payload: Vec<u8>) {
        let subject = format!("tidemill.{name}.intake.{kind}");
        let headers: Vec<_> = content_type.map(|t| ("content-type", t)).into_iter().collect();
        self.bus
            .publish_raw(&subject, None, &headers, payload.into())
            .await
            .unwrap_or_else(|e| unreachable!("{e}"));
    }

    /// What is on the log.
    async fn items(&self) -> BTreeMap<Subject, Vec<SampleItem>> {
        let from = ReadFrom::first(Stream::Samples, filter(Topic::Sample(PARTITION)));
        let mut reader = Reader::open(&self.bus, from).await.unwrap_or_else(|e| unreachable!("{e}"));
        let mut all: BTreeMap<Subject, Vec<SampleItem>> = BTreeMap::new();
        while !reader.caught_up() {
            for item in
                reader.next_batch(256, Duration::from_secs(1)).await.unwrap_or_else(|e| unreachable!("{e}"))
            {
                match item {
                    Item::Event(received) => {
                        if let Event::Sample(items) = received.event.event {
                            all.entry(received.event.subject).or_default().extend(items);
                        }
                    }
                    Item::Poison(poison) => unreachable!("{poison:?}"),
                }
            }
        }
        all
    }

    /// What one run writes that folds the same inputs at the recorded places.
    async fn audit(&self) -> BTreeMap<Subject, Vec<SampleItem>> {
        let (context, role) = (self.context("audit"), Role::ingest(PARTITION));
        let mut emitter = Emitter::new(&role.name);
        let whose = Whose { partition: PARTITION, partitions: 1 };
        let tallies = Tallies::register(&context.metrics);
        let mut core = Joined::default();
        let streams = Streams { whose, core: core.clone(), tallies, is_damaged: Arc::default() };
        let mut source =
            streams.open(&context, &role, &emitter).await.unwrap_or_else(|e| unreachable!("{e}"));
        let mut all: BTreeMap<Subject, Vec<SampleItem>> = BTreeMap::new();
        let mut out = Vec::new();
        while !source.caught_up() {
            source.hear_deadline(core.deadline());
            for input in source.next().await.unwrap_or_else(|e| unreachable!("{e}")) {
                let drafts = core.fold(&input.event);
                let emitted = source.emit(&mut emitter, &input.event, drafts);
                out.extend(emitted.unwrap_or_else(|e| unreachable!("{e}")));
            }
        }
        sleep(Duration::from_millis(50)).await;
        out.extend(source.ripe());
        for Outgoing { subject, event, .. } in out {
            if let Event::Sample(items) = event {
                all.entry(subject).or_default().extend(items);
            }
        }
        all
    }
}

async fn connect(url: &str) -> Bus {
    let config = BusConfig { url: url.to_owned(), credentials: None, name: "test".into() };
    Bus::connect(config).await.unwrap_or_else(|e| unreachable!("{e}"))
}

fn run(context: Context) -> JoinHandle<()> {
    tokio::spawn(async move {
        crate::run_all(context).await.unwrap_or_else(|e| unreachable!("{e}"));
    })
}

/// The time may pass in ticks after the last row; they are no rows.
fn without_last_ticks(mut all: BTreeMap<Subject, Vec<SampleItem>>) -> BTreeMap<Subject, Vec<SampleItem>> {
    for items in all.values_mut() {
        while matches!(items.last(), Some(SampleItem::Mark(Mark::Tick))) {
            items.pop();
        }
    }
    all
}

fn n_rows(all: &BTreeMap<Subject, Vec<SampleItem>>) -> (usize, usize) {
    let count = |is: fn(&SampleItem) -> bool| all.values().flatten().filter(|item| is(item)).count();
    (
        count(|item| matches!(item, SampleItem::Observed(_))),
        count(|item| matches!(item, SampleItem::Labelled { .. })),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_ingest_goes_on_where_it_was() {
    let mut rig = Rig::start().await;
    let mut seed = 7_u64;
    let mut random = move |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let horizon = Span::minutes(5);
    for name in ["a", "b"] {
        rig.control(name, Log::Spec, spec(name, 1, horizon)).await;
    }
    let (mut version, mut n_kills) = (1, 0);
    let mut running = run(rig.with_folder("r0"));
    for i in 0..ROWS {
        let name = ["a", "b"][i % 2];
        let row = prediction(&format!("p{i}"), clock::now());
        if i % 3 == 0 {
            rig.send(name, "prediction", Some(PROTOBUF), encode_predictions([row])).await;
        } else {
            rig.send(name, "prediction", None, encode_prediction(&row)).await;
        }
        if i % 5 == 0 {
            // Sent again.
            rig.send(
                name,
                "prediction",
                None,
                encode_prediction(&prediction(&format!("p{i}"), clock::now())),
            )
            .await;
        }
        // Every prediction but the last ones is labelled, some before and some after others.
        let about = i.saturating_sub(usize::try_from(random(40)).unwrap_or(0));
        rig.send(
            ["a", "b"][about % 2],
            "label",
            None,
            encode_label(&label(&format!("p{about}"), clock::now())),
        )
        .await;
        if random(60) == 0 {
            version += 1;
            if random(2) == 0 {
                rig.control(name, Log::Spec, spec(name, version, horizon)).await;
            } else {
                rig.control(name, Log::Candidate, candidate(version)).await;
                rig.control(name, Log::Rollout, rollout(version)).await;
            }
        }
        if random(120) == 0 {
            running.abort();
            let _ = running.await;
            n_kills += 1;
            // Every third one runs on a machine that has nothing, and the folder falls behind.
            let owner = format!("r{n_kills}");
            running = run(if n_kills % 3 == 0 { rig.context(&owner) } else { rig.with_folder(&owner) });
            sleep(Duration::from_millis(random(1_500))).await;
        }
    }
    assert!(n_kills > 2, "{n_kills}");
    let all_there = async {
        while n_rows(&rig.items().await).0 < ROWS {
            sleep(Duration::from_millis(100)).await;
        }
        // Labels of the last rows, and marks.
        sleep(Duration::from_millis(500)).await;
    };
    if timeout(CEILING, all_there).await.is_err() {
        unreachable!("{:?} of {ROWS} rows after {CEILING:?}", n_rows(&rig.items().await));
    }
    running.abort();
    let _ = running.await;

    let (log, audit) = (without_last_ticks(rig.items().await), without_last_ticks(rig.audit().await));
    assert_eq!(n_rows(&log).0, ROWS);
    assert_eq!(n_rows(&log), n_rows(&audit));
    for (subject, items) in &audit {
        for (place, (found, expected)) in log.get(subject).into_iter().flatten().zip(items).enumerate() {
            assert_eq!(found, expected, "{subject} item {place}");
        }
    }
    assert_eq!(log, audit);
    let n_marks = log
        .values()
        .flatten()
        .filter(|i| matches!(i, SampleItem::Mark(Mark::Spec { .. } | Mark::Routes { .. })));
    assert_eq!(n_marks.count() as u64, version + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spec_that_was_applied_first_counts_for_rows_that_come_next() {
    let mut rig = Rig::start().await;
    let context = rig.context("r0");
    let stop = context.stop.clone();
    let running = run(context);
    for i in 0..20 {
        let name = format!("loop-{i}");
        rig.control(&name, Log::Spec, spec(&name, 1, Span::minutes(1))).await;
        rig.send(&name, "prediction", None, encode_prediction(&prediction("p", clock::now()))).await;
    }
    let all_there = async {
        while rig.items().await.values().map(Vec::len).sum::<usize>() < 40 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(CEILING, all_there).await.is_ok(), "{:?}", rig.items().await);
    assert_eq!(n_rows(&rig.items().await), (20, 0));
    stop.cancel();
    assert!(timeout(CEILING, running).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_passes_without_rows() {
    let mut rig = Rig::start().await;
    rig.control("a", Log::Spec, spec("a", 1, Span::millis(300))).await;
    rig.send("a", "prediction", None, encode_prediction(&prediction("p", clock::now()))).await;
    let running = run(rig.context("r0"));
    let expired = async {
        while !rig.items().await.values().flatten().any(|i| matches!(i, SampleItem::Expired { .. })) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(CEILING, expired).await.is_ok(), "{:?}", rig.items().await);
    running.abort();
}

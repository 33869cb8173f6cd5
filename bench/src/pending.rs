//! A million predictions that await labels for a week: what ingest holds in memory, and how soon it is back after a kill.
//!
//! Ingest runs in a process of its own (this program again), so that what is measured is ingest. Its peer is ingest without
//! its folder, which makes everything anew from the log.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures::StreamExt;
use tempfile::TempDir;
use tidemill_bus::{Bus, BusConfig, NatsServer, Provision, clock, provision};
use tidemill_domain::{
    EventId, Feature, FeatureKind, Label, LabelSource, LoopId, LoopSpec, PredictionId, PredictionRecord,
    Schema, Span, Target, TargetKind, Value,
};
use tidemill_events::emit::Outgoing;
use tidemill_events::event::SpecApplied;
use tidemill_events::intake::encode_label;
use tidemill_events::{Event, Intake, Log, Meta, Subject, Topic};
use tidemill_proto::{PROTOBUF, encode_predictions};
use tidemill_service::{Context, PartState, process};
use tidemill_store::Store;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::BenchError;

/// The first argument of the process that is measured.
pub(crate) const INGEST: &str = "pending-ingest";

const ROWS: usize = 1_000_000;
const FEATURES: usize = 8;
/// Rows a message.
const BATCH: usize = 500;
/// Messages that may wait for their acknowledgement.
const UNDER_WAY: usize = 32;
/// Labels that come after the restart.
const LABELS: usize = 1_000;
const HORIZON: Span = Span::days(7);
const MAX_MIB: u64 = 200;
const MAX_READY: Duration = Duration::from_secs(30);
/// Whatever takes longer has failed.
const CEILING: Duration = Duration::from_secs(600);
const SAID_EVERY: Duration = Duration::from_millis(100);

/// What the process that is measured says of itself.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    is_live: bool,
    pending: u64,
    matured: u64,
    rss: u64,
    peak: u64,
}

/// The process that is measured.
struct Ingest {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    since: Instant,
}

pub(crate) async fn main() -> Result<String, BenchError> {
    let dir = TempDir::new()?;
    let other = |e: &dyn std::error::Error| BenchError::Other(tidemill_bus::chain(e));
    let server = NatsServer::start(dir.path().join("nats")).await.map_err(|e| other(&e))?;
    let bus = connect(server.url()).await?;
    provision(&bus, &Provision::default()).await?;
    let loop_id = LoopId::new("bench").map_err(|e| other(&e))?;
    bus.unfenced(&spec(&loop_id), None).await?;

    let folder = dir.path().join("local");
    let mut first = Ingest::start(server.url(), &folder)?;
    first.until(|said| said.is_live).await?;
    let began = Instant::now();
    send(&bus, &loop_id).await?;
    let (filled, _) = first.until(|said| said.pending >= ROWS as u64).await?;
    let rate = ROWS as f64 / began.elapsed().as_secs_f64();
    // What is remembered goes to the disk every second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    first.kill().await?;

    let mut second = Ingest::start(server.url(), &folder)?;
    let (back, ready) = second.until(|said| said.is_live && said.pending >= ROWS as u64).await?;
    label(&bus, &loop_id).await?;
    let (found, _) = second.until(|said| said.matured >= LABELS as u64).await?;
    second.kill().await?;

    std::fs::remove_dir_all(&folder)?;
    let mut third = Ingest::start(server.url(), &folder)?;
    let (anew, rebuilt) = third.until(|said| said.is_live && said.matured >= LABELS as u64).await?;
    third.kill().await?;
    server.stop().await;

    let peak = [filled.peak, back.peak, found.peak].into_iter().max().unwrap_or(0);
    let text = format!(
        "  {ROWS} predictions await labels for {HORIZON}, taken at {rate:.0} rows/s\n  \
         {:>10} MiB resident when all are there, {} MiB after a restart; {} MiB at most (limit {MAX_MIB})\n  \
         {:>10.1} s until ready after a kill, ten of them until the lease is free (limit {} s); {LABELS} labels found \
         their predictions\n  \
         {:>10.1} s until ready without its folder, from the log alone; {} MiB at most\n",
        mib(filled.rss),
        mib(back.rss),
        mib(peak),
        ready.as_secs_f64(),
        MAX_READY.as_secs(),
        rebuilt.as_secs_f64(),
        mib(anew.peak),
    );
    if mib(peak) > MAX_MIB || ready > MAX_READY {
        return Err(BenchError::Other(format!("a limit is exceeded:\n{text}")));
    }
    Ok(text)
}

/// The process that is measured: ingest, until it is killed.
pub(crate) async fn ingest(url: &str, folder: &str) -> Result<(), BenchError> {
    let store = Store::open("memory:").map_err(|e| BenchError::Other(e.to_string()))?;
    let context = Context::new(connect(url).await?, store, 1, format!("bench-{}", std::process::id()));
    let context = Context { local: Some(folder.into()), ..context };
    let running = tokio::spawn(tidemill_ingest::run_all(context.clone()));
    while !running.is_finished() {
        let text = context.metrics.text();
        let is_live = context.health.get("ingest-0") == Some(PartState::Live);
        let (pending, matured) = (metric(&text, "ingest_pending"), metric(&text, "ingest_matured_total"));
        let line = format!(
            "{} {pending} {matured} {} {}\n",
            u8::from(is_live),
            process::rss_bytes(),
            process::peak_rss_bytes()
        );
        std::io::stdout().write_all(line.as_bytes())?;
        tokio::time::sleep(SAID_EVERY).await;
    }
    Err(BenchError::Other("ingest ended by itself".to_owned()))
}

/// The number of the only loop.
fn metric(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|l| l.starts_with(&format!("tidemill_{name}{{")));
    line.and_then(|l| l.rsplit_once(' ')?.1.parse().ok()).unwrap_or(0)
}

impl Ingest {
    fn start(url: &str, folder: &Path) -> Result<Self, BenchError> {
        let since = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .arg(INGEST)
            .arg(url)
            .arg(folder)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| BenchError::Other("the process says nothing".to_owned()))?;
        Ok(Self { child, lines: BufReader::new(stdout).lines(), since })
    }

    /// Waits until it says so; how long after its start that was.
    async fn until(&mut self, is_so: impl Fn(&Said) -> bool) -> Result<(Said, Duration), BenchError> {
        let mut said = Said::default();
        let waiting = async {
            while let Some(line) = self.lines.next_line().await? {
                let numbers: Vec<u64> = line.split(' ').filter_map(|n| n.parse().ok()).collect();
                let [live, pending, matured, rss, peak] = numbers[..] else { continue };
                said = Said { is_live: live == 1, pending, matured, rss, peak };
                if is_so(&said) {
                    return Ok(());
                }
            }
            Err(BenchError::Other("ingest ended by itself".to_owned()))
        };
        match tokio::time::timeout(CEILING, waiting).await {
            Ok(Ok(())) => Ok((said, self.since.elapsed())),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(BenchError::Other(format!("after {CEILING:?}: {said:?}"))),
        }
    }

    async fn kill(mut self) -> Result<(), BenchError> {
        Ok(self.child.kill().await?)
    }
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

async fn connect(url: &str) -> Result<Bus, BenchError> {
    let config = BusConfig { url: url.to_owned(), credentials: None, name: "bench".to_owned() };
    Ok(Bus::connect(config).await?)
}

fn spec(loop_id: &LoopId) -> Outgoing {
    let kind = || FeatureKind::Numeric { min: None, max: None };
    let feature = |n: usize| Feature { name: format!("feature-{n}"), kind: kind(), required: true };
    let schema = Schema {
        features: (0..FEATURES).map(feature).collect(),
        target: Target { name: "outcome".to_owned(), kind: TargetKind::Numeric },
        entity: None,
        slices: vec![],
    };
    let mut spec = LoopSpec::with_defaults(loop_id.clone(), schema);
    spec.labels.horizon = HORIZON;
    let applied = SpecApplied { version: 1, hash: spec.hash(), spec, by: "bench".to_owned() };
    Outgoing {
        subject: Subject::log(loop_id.clone(), Log::Spec),
        meta: Meta {
            id: EventId::new("spec"),
            source: "bench".to_owned(),
            causation: None,
            correlation: None,
            upto: None,
        },
        event: Event::Spec(Box::new(applied)),
        content: None,
    }
}

/// Ids in no order, as producers make them.
fn id(row: usize) -> PredictionId {
    PredictionId::new(format!("{:016x}", (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

fn record(row: usize) -> PredictionRecord {
    let cell = |n: usize| Value::Number((row * (2 * n + 1)) as f64 / 1e6);
    PredictionRecord {
        prediction_id: id(row),
        entity: Some(format!("customer-{}", row % 50_000)),
        time: clock::now(),
        features: (0..FEATURES).map(|n| (format!("feature-{n}"), cell(n))).collect(),
        scored: vec![],
    }
}

async fn send(bus: &Bus, loop_id: &LoopId) -> Result<(), BenchError> {
    let subject = Subject::new(loop_id.clone(), Topic::Intake(Intake::Prediction)).to_string();
    let subject = &subject;
    let sending = (0..ROWS / BATCH).map(|n| {
        let payload = encode_predictions((n * BATCH..(n + 1) * BATCH).map(record));
        async move { bus.publish_raw(subject, None, &[("content-type", PROTOBUF)], payload.into()).await }
    });
    let mut sending = futures::stream::iter(sending).buffered(UNDER_WAY);
    while let Some(stored) = sending.next().await {
        stored?;
    }
    Ok(())
}

async fn label(bus: &Bus, loop_id: &LoopId) -> Result<(), BenchError> {
    let subject = Subject::new(loop_id.clone(), Topic::Intake(Intake::Label)).to_string();
    let label = |n: usize| {
        let (source, time) = (LabelSource::Application, clock::now());
        encode_label(&Label {
            prediction_id: id(n * (ROWS / LABELS)),
            label: Value::Number(1.0),
            source,
            time,
        })
    };
    let lines: Vec<_> = (0..LABELS).map(label).collect();
    bus.publish_raw(&subject, None, &[], lines.join(&b'\n').into()).await?;
    Ok(())
}

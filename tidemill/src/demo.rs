//! `tidemill demo`: the whole system, a generated stream, and a story with three moments at which the world changes.

mod parcels;
mod table;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use tidemill_domain::{LoopId, Output, Value};
use tidemill_learn::Model;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use self::parcels::{Parcel, ROWS};
use self::table::Hits;
use self::watch::Shared;
use crate::producer::{Answer, Producer, ProducerError};
use crate::say;
use crate::system::{Options, System, SystemError};

/// The loop of the story.
const LOOP: &str = include_str!("../../examples/parcels/loop.yaml");
/// How many rows later a label comes.
const LABEL_DELAY: usize = 150;
/// Requests under way at once.
const MAX_UNDER_WAY: usize = 32;
/// How long the last rows may take to be joined.
const LAST_ROWS: Duration = Duration::from_secs(20);

/// How to tell the story.
#[derive(Debug, ClapArgs)]
#[command(after_help = "EXAMPLES:\n  tidemill demo\n  tidemill demo --keep\n\n\
    Exit codes: 0 the story is complete, 1 it is not, 2 nats-server is not installed.")]
pub(crate) struct Args {
    /// Rows a second
    #[arg(long, default_value_t = 120.0)]
    rate: f64,
    /// Varies the stream
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Leave everything running at the end, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Where everything is kept; without it a folder that goes at the end
    #[arg(long)]
    data: Option<PathBuf>,
    /// Only write the rows of the story, their label last, for `tidemill replay` and for a system that runs elsewhere
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keep", "data", "rate"])]
    stream: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("the loop file was not taken: {0}")]
    Apply(String),
    #[error("the console does not answer")]
    Console(#[source] reqwest::Error),
    #[error("there is no folder for the demo")]
    Folder(#[source] std::io::Error),
    #[error("the story is not complete: {0}")]
    Incomplete(String),
    #[error("the first model cannot be loaded: {0}")]
    Model(String),
    #[error("--rate is a number of rows a second above 0")]
    Rate,
    #[error("row {row} could not be sent")]
    Send { row: usize, source: ProducerError },
    #[error("{} cannot be written", path.display())]
    Stream { path: PathBuf, source: csv::Error },
    #[error(transparent)]
    System(Box<SystemError>),
}

impl From<SystemError> for DemoError {
    fn from(error: SystemError) -> Self {
        Self::System(Box::new(error))
    }
}

/// Runs the command.
pub(crate) async fn main(args: Args) -> ExitCode {
    if let Err(error) = tidemill_service::start_telemetry("error", tidemill_service::LogFormat::Text) {
        return say::failure(say::REFUSED, &error);
    }
    match tell(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ DemoError::Rate) => say::failure(say::REFUSED, &error),
        Err(DemoError::System(error)) if error.is_missing_server() => say::failure(say::REFUSED, &*error),
        Err(error) => say::failure(say::FAILED, &error),
    }
}

async fn tell(args: &Args) -> Result<(), DemoError> {
    if !(args.rate.is_finite() && args.rate > 0.0) {
        return Err(DemoError::Rate);
    }
    if let Some(path) = &args.stream {
        let failed = |source| DemoError::Stream { path: path.clone(), source };
        return parcels::write(&parcels::parcels(args.seed), path).map_err(failed);
    }
    let folder = Folder::new(args.data.clone())?;
    say::line("starting nats-server and all services");
    let mut system = System::start(Options::on_free_ports(folder.path.clone())).await?;
    let told = story(args, &mut system).await;
    if args.keep && told.is_ok() {
        say::line(format!(
            "everything is left running: console {}, predictor {}, bus {}; Ctrl-C stops it",
            system.console_url(),
            system.grpc_url(),
            system.nats_url()
        ));
        crate::up::stop_signal().await;
    }
    system.stop().await;
    told
}

async fn story(args: &Args, system: &mut System) -> Result<(), DemoError> {
    system.ready(Duration::from_secs(60)).await?;
    say::line(format!("ready: console {}, predictor {}", system.console_url(), system.grpc_url()));
    apply(&system.console_url()).await?;
    let shared = Shared::default();
    let bar = progress(ROWS);
    let following = {
        let (bus, shared, bar) = (system.context().bus.clone(), shared.clone(), bar.clone());
        let sent = Arc::clone(&shared.sent);
        tokio::spawn(watch::follow(bus, shared, move |line| {
            let row = sent.load(Ordering::Relaxed);
            bar.suspend(|| say::line(format!("  row {row:>5}  {line}")));
        }))
    };
    let story = Arc::new(parcels::parcels(args.seed));
    let sent = send(args, system, &story, &shared, &bar).await;
    bar.finish_and_clear();
    let (answers, sent_at) = sent?;
    let lost = settle(&story, &shared).await;
    following.abort();
    system.check().await?;
    report(system, &story, &answers, &sent_at, &shared, lost).await
}

async fn apply(console: &str) -> Result<(), DemoError> {
    let answer = reqwest::Client::new().put(format!("{console}/v1/loops")).body(LOOP).send().await;
    let answer = answer.map_err(DemoError::Console)?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(DemoError::Apply(answer.text().await.map_err(DemoError::Console)?))
}

type Sent = (Vec<Option<Answer>>, Vec<Instant>);

async fn send(
    args: &Args,
    system: &System,
    story: &Arc<Vec<Parcel>>,
    shared: &Shared,
    bar: &ProgressBar,
) -> Result<Sent, DemoError> {
    let wrap = |row| move |source| DemoError::Send { row, source };
    let loop_id = LoopId::new("parcels").map_err(|e| DemoError::Apply(e.to_string()))?;
    let bus = system.context().bus.clone();
    let producer = Producer::with_bus(bus, &system.grpc_url(), loop_id).map_err(wrap(0))?;
    let room = Arc::new(Semaphore::new(MAX_UNDER_WAY));
    let mut clock = interval(Duration::from_secs_f64(1.0 / args.rate));
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way: JoinSet<Result<(usize, Option<Answer>), DemoError>> = JoinSet::new();
    let mut answers = vec![None; story.len()];
    let mut sent_at = Vec::with_capacity(story.len());
    for (index, parcel) in story.iter().enumerate() {
        clock.tick().await;
        sent_at.push(Instant::now());
        if let Some(moment) = parcels::MOMENTS.iter().find(|m| m.row == index) {
            bar.suspend(|| say::line(format!("  row {index:>5}  ---------   {} begins", moment.name)));
        }
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let (producer, row, story) = (producer.clone(), parcel.row.clone(), Arc::clone(story));
        under_way.spawn(async move {
            let _permit = permit;
            let answer = producer.predict(&row).await.map_err(wrap(index))?;
            if let Some(known) = index.checked_sub(LABEL_DELAY).and_then(|i| story.get(i)) {
                producer.label(&known.row.id, known.label.clone()).await.map_err(wrap(index))?;
            }
            Ok((index, answer))
        });
        while let Some(done) = under_way.try_join_next() {
            note_answer(done, &mut answers)?;
        }
        shared.sent.store(index + 1, Ordering::Relaxed);
        bar.set_position(index as u64 + 1);
        if bar.is_hidden() && (index + 1) % 1_000 == 0 {
            say::line(format!("  row {:>5}  sent", index + 1));
        }
    }
    while let Some(done) = under_way.join_next().await {
        note_answer(done, &mut answers)?;
    }
    for (index, parcel) in story.iter().enumerate().skip(story.len() - LABEL_DELAY) {
        producer.label(&parcel.row.id, parcel.label.clone()).await.map_err(wrap(index))?;
    }
    Ok((answers, sent_at))
}

fn note_answer(
    done: Result<Result<(usize, Option<Answer>), DemoError>, tokio::task::JoinError>,
    answers: &mut [Option<Answer>],
) -> Result<(), DemoError> {
    let (index, answer) = done.unwrap_or_else(|e| Err(DemoError::Incomplete(e.to_string())))?;
    if let Some(place) = answers.get_mut(index) {
        *place = answer;
    }
    Ok(())
}

/// Waits until every row is accounted for; gives how many are not.
async fn settle(story: &[Parcel], shared: &Shared) -> usize {
    let lost = || {
        let known = |books: &mut watch::Books| {
            let seen =
                |p: &&Parcel| books.joined.contains(&p.row.id) || books.quarantined.contains(&p.row.id);
            story.iter().filter(seen).count()
        };
        story.len() - shared.with(known)
    };
    let until = Instant::now() + LAST_ROWS;
    while lost() > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lost()
}

async fn report(
    system: &System,
    story: &[Parcel],
    answers: &[Option<Answer>],
    sent_at: &[Instant],
    shared: &Shared,
    lost: usize,
) -> Result<(), DemoError> {
    let first = shared.with(|books| books.first_model.clone());
    let first = first.ok_or_else(|| DemoError::Incomplete("no model was promoted".to_owned()))?;
    let bytes = system.context().store.artefact(&first).await.map_err(|e| DemoError::Model(e.to_string()))?;
    let first = Model::from_bytes(&bytes).map_err(|e| DemoError::Model(e.to_string()))?;
    let hit = |output: &Output, parcel: &Parcel| output.point() == parcel.label;
    let first_alone: Hits = story
        .iter()
        .zip(answers)
        .map(|(parcel, answer)| {
            let cells: Vec<Value> = parcel.row.features.iter().map(|(_, value)| value.clone()).collect();
            answer.as_ref().map(|_| hit(&first.predict(&cells), parcel))
        })
        .collect();
    let with_loop: Hits =
        story.iter().zip(answers).map(|(p, a)| a.as_ref().map(|a| hit(&a.output, p))).collect();
    let answered = answers.iter().flatten().count();
    let text = shared.with(|books| table::render(&first_alone, &with_loop, sent_at, books, answered, lost));
    say::line(text);
    let (promotions, turns) = shared.with(|books| (books.promotions.len(), books.turns_closed));
    if lost > 0 {
        return Err(DemoError::Incomplete(format!("{lost} rows are lost")));
    }
    if promotions < 2 || turns < 2 {
        return Err(DemoError::Incomplete(format!(
            "{turns} turns ended and {promotions} models were promoted, two of each are expected"
        )));
    }
    Ok(())
}

fn progress(n_rows: usize) -> ProgressBar {
    let bar = ProgressBar::new(n_rows as u64);
    if let Ok(style) = ProgressStyle::with_template("  {bar:40} {pos}/{len} rows, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// The folder of the demo; one that nobody named goes at the end.
struct Folder {
    path: PathBuf,
    goes: bool,
}

impl Folder {
    fn new(given: Option<PathBuf>) -> Result<Self, DemoError> {
        let goes = given.is_none();
        let usual = || std::env::temp_dir().join(format!("tidemill-demo-{}", std::process::id()));
        let path = given.unwrap_or_else(usual);
        std::fs::create_dir_all(&path).map_err(DemoError::Folder)?;
        Ok(Self { path, goes })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.goes {
            // What cannot be removed stays in the system's folder for such things.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

//! `tidemill replay`: a CSV file as live traffic: each row asked of the predictor at a rate, its label sent later.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use tidemill_domain::{PredictionId, Value};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use crate::producer::{Producer, ProducerError, Row};
use crate::rows::{Table, TableError};
use crate::say;

/// Requests under way at once.
const MAX_UNDER_WAY: usize = 64;

/// What to send, how fast, and whereto.
#[derive(Debug, ClapArgs)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill replay stream.csv --loop electricity --rate 500 --label-delay 1000\n\n\
    The last column is the label. Rows that come before a first model serves are sent without a prediction, so that the\n\
    loop can learn from them. Exit codes: 0 everything sent, 1 failed, 2 the input is refused.")]
pub(crate) struct Args {
    /// The file: one header line, the last column is the label
    csv: PathBuf,
    /// The loop; without it the name of the file
    #[arg(long = "loop")]
    name: Option<String>,
    /// Rows a second
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// How many rows after its row a label is sent
    #[arg(long, default_value_t = 100)]
    label_delay: usize,
    /// Rows to send at most
    #[arg(long)]
    rows: Option<usize>,
    /// The column by which traffic sticks
    #[arg(long)]
    entity: Option<String>,
    /// Begins every prediction id, so that a file can be sent again
    #[arg(long, default_value = "replay")]
    id_prefix: String,
    /// The predictor
    #[arg(long, env = "TIDEMILL_PREDICTOR", default_value = "http://127.0.0.1:50051")]
    predictor: String,
    /// The NATS server
    #[arg(long, env = "TIDEMILL_NATS_URL", default_value = "nats://127.0.0.1:4222")]
    nats_url: String,
    /// Say the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error("{0}")]
    Argument(String),
    #[error("row {row} could not be sent")]
    Row { row: usize, source: ProducerError },
    #[error("cannot begin")]
    Start(#[source] ProducerError),
    #[error(transparent)]
    Table(#[from] TableError),
}

/// What was sent.
#[derive(Debug, Default)]
struct Sent {
    answered: AtomicU64,
    unanswered: AtomicU64,
    labels: AtomicU64,
}

/// Runs the command.
pub(crate) async fn main(args: Args) -> ExitCode {
    match replay(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ (ReplayError::Argument(_) | ReplayError::Table(_))) => say::failure(say::REFUSED, &error),
        Err(error) => say::failure(say::FAILED, &error),
    }
}

async fn replay(args: &Args) -> Result<(), ReplayError> {
    let table = Table::read(&args.csv)?;
    let loop_id = crate::import::loop_name(args.name.as_deref(), &args.csv).map_err(ReplayError::Argument)?;
    if !(args.rate.is_finite() && args.rate > 0.0) {
        return Err(ReplayError::Argument("--rate is a number of rows a second above 0".to_owned()));
    }
    let entity = match &args.entity {
        None => None,
        Some(name) => Some(table.names.iter().position(|n| n == name).ok_or_else(|| {
            ReplayError::Argument(format!(
                "--entity {name}: there is no such column in {}",
                args.csv.display()
            ))
        })?),
    };
    let producer =
        Producer::connect(&args.nats_url, &args.predictor, loop_id).await.map_err(ReplayError::Start)?;
    let n_rows = args.rows.unwrap_or(usize::MAX).min(table.rows.len());
    let bar = ProgressBar::new(n_rows as u64);
    if let Ok(style) =
        ProgressStyle::with_template("  {bar:40} {pos}/{len} rows, {per_sec}, {eta} left {msg}")
    {
        bar.set_style(style);
    }
    let sent = Arc::new(Sent::default());
    let room = Arc::new(Semaphore::new(MAX_UNDER_WAY));
    let mut clock = interval(Duration::from_secs_f64(1.0 / args.rate));
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = tokio::task::JoinSet::new();
    for (index, cells) in table.rows.iter().take(n_rows).enumerate() {
        clock.tick().await;
        let row = row(&table.names, cells, entity, id(args, index));
        let labelled = index.checked_sub(args.label_delay);
        let label = labelled.and_then(|i| Some((id(args, i), table.rows[i].last()?.clone())));
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let (producer, sent) = (producer.clone(), Arc::clone(&sent));
        under_way.spawn(async move {
            let _permit = permit;
            send(&producer, &row, label, &sent)
                .await
                .map_err(|source| ReplayError::Row { row: index, source })
        });
        while let Some(done) = under_way.try_join_next() {
            joined(done)?;
        }
        bar.set_position(index as u64 + 1);
    }
    while let Some(done) = under_way.join_next().await {
        joined(done)?;
    }
    for (index, cells) in
        table.rows.iter().enumerate().take(n_rows).skip(n_rows.saturating_sub(args.label_delay))
    {
        let Some(label) = cells.last() else { continue };
        let wrap = |source| ReplayError::Row { row: index, source };
        producer.label(&id(args, index), label.clone()).await.map_err(wrap)?;
        sent.labels.fetch_add(1, Ordering::Relaxed);
    }
    bar.finish_and_clear();
    report(args, &sent, n_rows);
    Ok(())
}

fn joined(done: Result<Result<(), ReplayError>, tokio::task::JoinError>) -> Result<(), ReplayError> {
    done.unwrap_or_else(|e| Err(ReplayError::Argument(e.to_string())))
}

fn id(args: &Args, index: usize) -> PredictionId {
    PredictionId::new(format!("{}-{index}", args.id_prefix))
}

fn row(names: &[String], cells: &[Value], entity: Option<usize>, id: PredictionId) -> Row {
    let features = names.len() - 1;
    let features = names[..features].iter().cloned().zip(cells.iter().cloned()).collect();
    Row { id, entity: entity.and_then(|i| cells[i].category()), features }
}

async fn send(
    producer: &Producer,
    row: &Row,
    label: Option<(PredictionId, Value)>,
    sent: &Sent,
) -> Result<(), ProducerError> {
    let counter = if producer.predict(row).await?.is_some() { &sent.answered } else { &sent.unanswered };
    counter.fetch_add(1, Ordering::Relaxed);
    if let Some((id, label)) = label {
        producer.label(&id, label).await?;
        sent.labels.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn report(args: &Args, sent: &Sent, n_rows: usize) {
    let count = |c: &AtomicU64| c.load(Ordering::Relaxed);
    let (answered, before, labels) = (count(&sent.answered), count(&sent.unanswered), count(&sent.labels));
    if args.json {
        let result = serde_json::json!({ "rows": n_rows, "answered": answered, "before_a_model": before, "labels": labels });
        say::line(result.to_string());
    } else {
        say::line(format!(
            "{n_rows} rows sent: {answered} answered, {before} before a model served; {labels} labels"
        ));
    }
}

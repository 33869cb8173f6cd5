//! `tidemill import`: history becomes the first dataset of a loop, and a turn begins on it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args as ClapArgs;
use futures::StreamExt;
use indicatif::ProgressBar;
use tidemill_domain::{LoopId, PredictionId};

use crate::producer::{Producer, ProducerError, Row};
use crate::rows::{Table, TableError};
use crate::say;

/// Messages under way at once.
const UNDER_WAY: usize = 256;
/// How long the system may take to make a dataset of what was sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to import, and whereto.
#[derive(Debug, ClapArgs)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill import history.csv --loop electricity\n\n\
    The last column is the label. Exit codes: 0 imported, 1 failed, 2 the input is refused.")]
pub(crate) struct Args {
    /// The file: one header line, the last column is the label
    csv: PathBuf,
    /// The loop; without it the name of the file
    #[arg(long = "loop")]
    name: Option<String>,
    /// Begins every prediction id; importing the same file twice changes nothing
    #[arg(long, default_value = "import")]
    id_prefix: String,
    /// Only import: start no turn
    #[arg(long)]
    no_turn: bool,
    /// The NATS server
    #[arg(long, env = "TIDEMILL_NATS_URL", default_value = "nats://127.0.0.1:4222")]
    nats_url: String,
    /// The console
    #[arg(long, env = "TIDEMILL_CONSOLE", default_value = "http://127.0.0.1:7411")]
    console: String,
}

#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error("{0}")]
    Argument(String),
    #[error("the console at {url} does not answer: start the system with `tidemill up`")]
    Console { url: String, source: reqwest::Error },
    #[error("no dataset was made of the rows within {PATIENCE:?}: see `tidemill quarantine list`")]
    NoDataset,
    #[error("a row could not be sent")]
    Send(#[source] ProducerError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("the console refused to start a turn: {0}")]
    Turn(String),
}

/// Runs the command.
pub(crate) async fn main(args: Args) -> ExitCode {
    match import(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ (ImportError::Argument(_) | ImportError::Table(_))) => say::failure(say::REFUSED, &error),
        Err(error @ ImportError::Console { .. }) => say::failure(crate::ask::UNREACHABLE, &error),
        Err(error) => say::failure(say::FAILED, &error),
    }
}

async fn import(args: &Args) -> Result<(), ImportError> {
    let table = Table::read(&args.csv)?;
    let loop_id = loop_name(args.name.as_deref(), &args.csv).map_err(ImportError::Argument)?;
    let before = dataset_rows(&args.console, &loop_id).await?;
    let producer = Producer::connect(&args.nats_url, "http://127.0.0.1:1", loop_id.clone()).await;
    let producer = producer.map_err(ImportError::Send)?;
    let bar = ProgressBar::new(table.rows.len() as u64);
    let n_features = table.names.len() - 1;
    let sending = table.rows.iter().enumerate().map(|(index, cells)| {
        let id = PredictionId::new(format!("{}-{index}", args.id_prefix));
        let features = table.names[..n_features].iter().cloned().zip(cells.iter().cloned()).collect();
        let (producer, row) = (producer.clone(), Row { id, entity: None, features });
        let label = cells.last().cloned();
        async move {
            producer.observe(&row).await?;
            match label {
                Some(label) => producer.label(&row.id, label).await,
                None => Ok(()),
            }
        }
    });
    let mut sending = futures::stream::iter(sending).buffered(UNDER_WAY);
    while let Some(sent) = sending.next().await {
        sent.map_err(ImportError::Send)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let rows = wait_for_rows(&args.console, &loop_id, before).await?;
    say::line(format!("{} rows sent, {rows} in the dataset so far", table.rows.len()));
    if !args.no_turn {
        start_turn(args, &loop_id).await?;
        say::line("a turn begins; watch it with `tidemill status --watch`");
    }
    Ok(())
}

/// Waits until the dataset has grown and grows no more.
async fn wait_for_rows(console: &str, loop_id: &LoopId, before: u64) -> Result<u64, ImportError> {
    let until = tokio::time::Instant::now() + PATIENCE;
    let (mut last, mut calm) = (before, 0);
    while tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let rows = dataset_rows(console, loop_id).await?;
        calm = if rows == last { calm + 1 } else { 0 };
        if rows > before && calm >= 3 {
            return Ok(rows);
        }
        last = rows;
    }
    Err(ImportError::NoDataset)
}

async fn dataset_rows(console: &str, loop_id: &LoopId) -> Result<u64, ImportError> {
    let wrap = |source| ImportError::Console { url: console.to_owned(), source };
    let answer = reqwest::get(format!("{console}/v1/loops/{loop_id}")).await.map_err(wrap)?;
    if !answer.status().is_success() {
        return Err(ImportError::Argument(format!(
            "there is no loop \"{loop_id}\": apply its loop file first, with `tidemill apply -f FILE`"
        )));
    }
    let status: serde_json::Value = answer.json().await.map_err(wrap)?;
    Ok(status["dataset"]["rows"].as_u64().unwrap_or(0))
}

async fn start_turn(args: &Args, loop_id: &LoopId) -> Result<(), ImportError> {
    let wrap = |source| ImportError::Console { url: args.console.clone(), source };
    let url = format!("{}/v1/loops/{loop_id}/commands", args.console);
    let body = serde_json::json!({ "command": "retrain", "by": "import", "reason": "history was imported" });
    let answer = reqwest::Client::new().post(url).json(&body).send().await.map_err(wrap)?;
    // A conflict says that a turn is under way already: new labels have asked for one.
    if answer.status().is_success() || answer.status() == reqwest::StatusCode::CONFLICT {
        return Ok(());
    }
    Err(ImportError::Turn(answer.text().await.unwrap_or_default()))
}

/// The loop that is meant: the given name, or that of the file.
pub(crate) fn loop_name(given: Option<&str>, csv: &Path) -> Result<LoopId, String> {
    let name = given.map_or_else(|| crate::init::name_of(csv), str::to_owned);
    LoopId::new(name).map_err(|e| e.to_string())
}

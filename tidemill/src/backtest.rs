//! `tidemill backtest`: reads a file, plays it through the simulator, shows what came of it.

mod render;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args as ClapArgs, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tidemill_domain::infer::infer;
use tidemill_domain::spec::{Problem, parse};
use tidemill_domain::{LoopId, LoopSpec, Metric, Output, Schema, Span, TargetKind, Timestamp, Value};
use tidemill_service::process;
use tidemill_sim::backtest::{Predicted, Setup, Times, run};
use tidemill_sim::result::BacktestResult;

use crate::rows::{Table, TableError};
use crate::say;

/// What to play.
#[derive(Debug, ClapArgs)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill backtest --csv stream.csv --label-delay 1000\n  \
    tidemill backtest --csv stream.csv --label-delay 1000 --loop loop.yaml --json result.json\n\n\
    Exit codes: 0 played, 1 failed, 2 the input is refused.")]
pub(crate) struct Args {
    /// The stream: one header line, rows in stream order, the last column is the target.
    #[arg(long)]
    csv: PathBuf,
    /// How many rows after its row a label comes.
    #[arg(long, default_value_t = 0)]
    label_delay: usize,
    /// The loop file; without one types are inferred and every default holds.
    #[arg(long = "loop")]
    loop_file: Option<PathBuf>,
    /// What kind of target it is, where the file leaves it open.
    #[arg(long, value_enum)]
    task: Option<Task>,
    /// Where to write the result as JSON; `-` is standard output.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where to write every prediction as CSV.
    #[arg(long)]
    predictions: Option<PathBuf>,
    /// Varies everything that is drawn by lot.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Virtual time from row to row.
    #[arg(long, default_value = "1s", conflicts_with = "time_column")]
    row_interval: Span,
    /// The column that holds each row's time (RFC 3339, or seconds since 1970); it is no feature then.
    #[arg(long)]
    time_column: Option<String>,
}

/// The kind of a target.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Task {
    /// One of two classes.
    Binary,
    /// One of many classes.
    Multiclass,
    /// A number.
    Regression,
}

#[derive(Debug, thiserror::Error)]
enum BacktestError {
    #[error("the file does not fit the loop:\n  {}", .0.join("\n  "))]
    Columns(Vec<String>),
    #[error("{}:\n  {}", path.display(), list(problems))]
    Loop { path: PathBuf, problems: Vec<Problem> },
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("the times of the rows cannot be used:\n  {}", .0.join("\n  "))]
    Times(Vec<String>),
    #[error("{} cannot be written", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

/// The result with what it cost.
#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    result: &'a BacktestResult,
    cpu_seconds: f64,
    wall_seconds: f64,
    peak_rss_bytes: u64,
}

/// Runs the command.
pub(crate) fn main(args: &Args) -> ExitCode {
    match play(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ (BacktestError::Write { .. } | BacktestError::Read { .. })) => {
            say::failure(say::FAILED, &error)
        }
        Err(error) => say::failure(say::REFUSED, &error),
    }
}

fn play(args: &Args) -> Result<(), BacktestError> {
    let mut table = Table::read(&args.csv)?;
    let times = match &args.time_column {
        Some(name) => Times::At(take_times(&mut table, name)?),
        None => Times::Every(args.row_interval),
    };
    let spec = spec_of(args, &table)?;
    let rows = table.in_order_of(&spec.schema).map_err(BacktestError::Columns)?;
    let setup = Setup { spec, rows, times, label_delay: args.label_delay, seed: args.seed };
    let mut predictions = args.predictions.clone().map(PredictionFile::create).transpose()?;
    let started = Instant::now();
    let bar = progress_bar(setup.rows.len());
    let mut failed = None;
    let result = run(&setup, |predicted| {
        if predicted.row % 100 == 0 {
            bar.set_position(predicted.row as u64);
        }
        if let (Some(file), None) = (predictions.as_mut(), &failed) {
            failed = file.write(predicted).err();
        }
    });
    bar.finish_and_clear();
    if let Some(file) = predictions {
        failed.map_or_else(|| file.finish(), Err)?;
    }
    let timed = Timed {
        result: &result,
        cpu_seconds: process::cpu_seconds(),
        wall_seconds: started.elapsed().as_secs_f64(),
        peak_rss_bytes: process::peak_rss_bytes(),
    };
    if let Some(path) = &args.json {
        write_json(path, &timed)?;
    }
    if args.json.as_ref().is_none_or(|path| path.as_os_str() != "-") {
        say::line(render::report(&result, setup.spec.training.metric, timed.cpu_seconds, timed.wall_seconds));
    }
    Ok(())
}

fn spec_of(args: &Args, table: &Table) -> Result<LoopSpec, BacktestError> {
    if let Some(path) = &args.loop_file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| BacktestError::Read { path: path.clone(), source })?;
        return parse(&text).map_err(|problems| BacktestError::Loop { path: path.clone(), problems });
    }
    let mut schema: Schema = infer(&table.names, &table.rows);
    match args.task {
        Some(Task::Regression) => schema.target.kind = TargetKind::Numeric,
        Some(Task::Binary | Task::Multiclass) => {
            schema.target.kind = TargetKind::Categorical { classes: None };
        }
        None => {}
    }
    let name = LoopId::new("backtest").map_err(|e| BacktestError::Columns(vec![e.to_string()]))?;
    Ok(LoopSpec::with_defaults(name, schema))
}

fn take_times(table: &mut Table, name: &str) -> Result<Vec<Timestamp>, BacktestError> {
    let position = table.names.iter().position(|n| n == name);
    let position =
        position.ok_or_else(|| BacktestError::Times(vec![format!("there is no column \"{name}\"")]))?;
    let mut times = Vec::with_capacity(table.rows.len());
    let mut wrong = Vec::new();
    for (index, row) in table.rows.iter_mut().enumerate() {
        let cell = row.remove(position);
        let time = match &cell {
            Value::Number(seconds) => Some(Timestamp::default() + Span::from_seconds(*seconds)),
            Value::Text(text) => text.parse().ok(),
            Value::Missing => None,
        };
        match time {
            Some(time) if times.last().is_none_or(|last| *last <= time) => times.push(time),
            Some(_) => wrong.push(format!("line {}: the time is before that of the line above", index + 2)),
            None => wrong.push(format!("line {}: no RFC 3339 time and no seconds since 1970", index + 2)),
        }
        if wrong.len() >= 20 {
            break;
        }
    }
    table.names.remove(position);
    if wrong.is_empty() { Ok(times) } else { Err(BacktestError::Times(wrong)) }
}

fn progress_bar(n_rows: usize) -> ProgressBar {
    let bar = ProgressBar::new(n_rows as u64);
    if let Ok(style) = ProgressStyle::with_template("  {bar:40} {pos}/{len} rows, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn write_json(path: &PathBuf, timed: &Timed<'_>) -> Result<(), BacktestError> {
    let wrap = |source| BacktestError::Write { path: path.clone(), source };
    let mut text = serde_json::to_string_pretty(timed).map_err(|e| wrap(e.into()))?;
    text.push('\n');
    if path.as_os_str() == "-" {
        return std::io::stdout().write_all(text.as_bytes()).map_err(wrap);
    }
    std::fs::write(path, text).map_err(wrap)
}

/// The file of predictions.
struct PredictionFile {
    path: PathBuf,
    writer: csv::Writer<std::fs::File>,
}

impl PredictionFile {
    fn create(path: PathBuf) -> Result<Self, BacktestError> {
        let file = std::fs::File::create(&path)
            .map_err(|source| BacktestError::Write { path: path.clone(), source })?;
        let mut created = Self { path, writer: csv::Writer::from_writer(file) };
        created.record(["row", "prediction", "probabilities", "model_version"])?;
        Ok(created)
    }

    fn write(&mut self, predicted: &Predicted<'_>) -> Result<(), BacktestError> {
        let probabilities = match predicted.output {
            Output::Classes(classes) => {
                let by_class: std::collections::BTreeMap<_, _> =
                    classes.iter().map(|(class, p)| (class.as_str(), *p)).collect();
                serde_json::to_string(&by_class).unwrap_or_default()
            }
            Output::Number(_) => String::new(),
        };
        let point = predicted.output.point().category().unwrap_or_default();
        let version = predicted.version.map_or("prior", |v| v.as_str());
        self.record([predicted.row.to_string().as_str(), &point, &probabilities, version])
    }

    fn record(&mut self, cells: [&str; 4]) -> Result<(), BacktestError> {
        let wrap = |e: csv::Error| BacktestError::Write { path: self.path.clone(), source: e.into() };
        self.writer.write_record(cells).map_err(wrap)
    }

    fn finish(mut self) -> Result<(), BacktestError> {
        self.writer.flush().map_err(|source| BacktestError::Write { path: self.path, source })
    }
}

/// The metric that a person looks at first.
fn headline(metric: Metric) -> &'static str {
    metric.name()
}

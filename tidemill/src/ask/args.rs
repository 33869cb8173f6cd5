//! The arguments of each command, with examples. It must not know what is done with them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tidemill_domain::LoopId;

/// Where the console is, and for whom the answer is meant.
#[derive(Args, Clone, Debug)]
pub struct To {
    /// Where the console is
    #[arg(long, env = "TIDEMILL_CONSOLE", default_value = "http://127.0.0.1:7411", value_name = "URL")]
    pub console: String,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

const CODES: &str = "Exit codes: 0 done, 1 failed, 2 refused, 3 no console, 64 wrong usage.";

/// `tidemill apply`.
#[derive(Args, Clone, Debug)]
#[command(after_help = format!("EXAMPLES:\n  \
    tidemill apply -f loop.yaml --dry-run   say what would change\n  \
    tidemill apply -f loop.yaml\n  \
    cat loop.yaml | tidemill apply -f -\n\n{CODES}"))]
pub struct ApplyArgs {
    /// The loop file; - is standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Who applies it, for the record
    #[arg(long, env = "USER", default_value = "somebody", value_name = "NAME")]
    pub by: String,
    /// Where to, and how to answer
    #[command(flatten)]
    pub to: To,
}

/// `tidemill pause`, `resume`, `rollback` and `trigger`.
#[derive(Args, Clone, Debug)]
pub struct CommandArgs {
    /// The loop
    #[arg(value_name = "LOOP", value_parser = loop_id)]
    pub name: LoopId,
    /// Why, for the record
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub reason: String,
    /// Who asks, for the record
    #[arg(long, env = "USER", default_value = "somebody", value_name = "NAME")]
    pub by: String,
    /// Where to, and how to answer
    #[command(flatten)]
    pub to: To,
}

pub(super) const PAUSE_EXAMPLES: &str = "EXAMPLES:\n  \
    tidemill pause parcels --reason \"the depot moves this weekend\"\n\n\
    While paused no turn starts and no traffic moves but back. Answers go on.";
pub(super) const RESUME_EXAMPLES: &str = "EXAMPLES:\n  tidemill resume parcels";
pub(super) const ROLLBACK_EXAMPLES: &str = "EXAMPLES:\n  \
    tidemill rollback parcels --reason \"too many complaints since noon\"";
pub(super) const TRIGGER_EXAMPLES: &str = "EXAMPLES:\n  \
    tidemill trigger parcels --reason \"new vehicles since Monday\"\n\n\
    A turn by hand need not wait for the cool-down, but for labelled rows and for a turn under way.";

/// `tidemill status`.
#[derive(Args, Clone, Debug)]
#[command(after_help = format!("EXAMPLES:\n  \
    tidemill status                     every loop in a line\n  \
    tidemill status parcels --watch     live, drawn again each second\n  \
    tidemill status parcels --json | jq '.models[0].version'\n\n{CODES}"))]
pub struct StatusArgs {
    /// The loop; all of them in short without it
    #[arg(value_name = "LOOP", value_parser = loop_id)]
    pub name: Option<LoopId>,
    /// Draw again each second, until interrupted
    #[arg(long)]
    pub watch: bool,
    /// Where to, and how to answer
    #[command(flatten)]
    pub to: To,
}

/// `tidemill turns`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "EXAMPLES:\n  tidemill turns parcels\n  tidemill turns parcels --limit 3 --json")]
pub struct TurnsArgs {
    /// The loop
    #[arg(value_name = "LOOP", value_parser = loop_id)]
    pub name: LoopId,
    /// At most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// Where to, and how to answer
    #[command(flatten)]
    pub to: To,
}

/// The order of trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// The dearest first, by processor time
    Cost,
    /// The newest first
    Newest,
    /// The best first
    Score,
}

/// A family of learners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Family {
    /// Gradient boosted trees
    Boosting,
    /// Logistic or ridge regression
    Linear,
    /// A multi-layer perceptron
    Mlp,
}

/// `tidemill trials`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill trials parcels --turn 4 --sort score\n  \
    tidemill trials parcels --algorithm boosting --sort cost --limit 5\n\n\
    Scores compare within a turn: each turn has its own rows.")]
pub struct TrialsArgs {
    /// The loop
    #[arg(value_name = "LOOP", value_parser = loop_id)]
    pub name: LoopId,
    /// Only of this turn: its number or its name
    #[arg(long, value_name = "N")]
    pub turn: Option<String>,
    /// Only of this family of learners
    #[arg(long, value_enum, value_name = "A")]
    pub algorithm: Option<Family>,
    /// In this order
    #[arg(long, value_enum, default_value_t = SortBy::Newest, value_name = "ORDER")]
    pub sort: SortBy,
    /// At most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// Where to, and how to answer
    #[command(flatten)]
    pub to: To,
}

/// `tidemill quarantine`.
#[derive(Clone, Debug, Subcommand)]
pub enum QuarantineArgs {
    /// Show how many rows were refused for which reasons, and the newest of them
    List(QuarantineListArgs),
    /// Show one refused row with everything that is wrong with it
    Show(QuarantineShowArgs),
}

/// `tidemill quarantine list`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "EXAMPLES:\n  tidemill quarantine list parcels\n  tidemill quarantine list parcels --limit 100 --json"
)]
pub struct QuarantineListArgs {
    /// The loop
    #[arg(value_name = "LOOP", value_parser = loop_id)]
    pub name: LoopId,
    /// At most so many rows
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub limit: usize,
    /// Where to, and how to answer
    #[command(flatten)]
    pub to: To,
}

/// `tidemill quarantine show`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "EXAMPLES:\n  tidemill quarantine show parcels 48213\n  tidemill quarantine show parcels order-77-b"
)]
pub struct QuarantineShowArgs {
    /// The loop
    #[arg(value_name = "LOOP", value_parser = loop_id)]
    pub name: LoopId,
    /// The row: its number in the list, or the id of its prediction
    #[arg(value_name = "ROW")]
    pub row: String,
    /// Where to, and how to answer
    #[command(flatten)]
    pub to: To,
}

/// `tidemill why`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill why parcels                 the model that answers now\n  \
    tidemill why parcels m-3f2a --detail every figure on the way\n  \
    tidemill why parcels --json")]
pub struct WhyArgs {
    /// The loop
    #[arg(value_name = "LOOP", value_parser = loop_id)]
    pub name: LoopId,
    /// The model version, or its beginning
    #[arg(value_name = "VERSION", default_value = "live")]
    pub version: String,
    /// Show hashes, seeds and the ids of events too
    #[arg(long)]
    pub detail: bool,
    /// Where to, and how to answer
    #[command(flatten)]
    pub to: To,
}

fn loop_id(text: &str) -> Result<LoopId, tidemill_domain::ids::BadLoopId> {
    LoopId::new(text)
}

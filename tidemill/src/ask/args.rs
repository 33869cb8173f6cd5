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

/// `tidemill approve` and `reject`.
#[derive(Args, Clone, Debug)]
pub struct VersionArgs {
    /// What every command has
    #[command(flatten)]
    pub command: CommandArgs,
    /// The candidate
    #[arg(value_name = "VERSION")]
    pub version: String,
}

/// `tidemill pin`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill pin parcels                 the champion stays, whatever happens\n  \
    tidemill pin parcels m-0123456789ab  this model takes all traffic and stays\n  \
    tidemill pin --all --reason \"incident 42\"   every loop stays with its champion: the kill switch\n\n\
    While pinned no turn starts and nothing moves by itself. `tidemill unpin` ends it.")]
pub struct PinArgs {
    /// The loop
    #[arg(value_name = "LOOP", value_parser = loop_id, required_unless_present = "all")]
    pub name: Option<LoopId>,
    /// The model; the champion without it
    #[arg(value_name = "VERSION")]
    pub version: Option<String>,
    /// Every loop, each to its champion
    #[arg(long, conflicts_with_all = ["name", "version"])]
    pub all: bool,
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

pub(super) const APPROVE_EXAMPLES: &str = "EXAMPLES:\n  \
    tidemill approve parcels m-0123456789ab\n\n\
    With training.approval: manual a candidate that passed waits until a person approves or rejects it.";
pub(super) const FREEZE_EXAMPLES: &str = "EXAMPLES:\n  \
    tidemill freeze parcels --reason \"audit\"\n\n\
    While frozen no turn starts and no traffic moves, also not back. `tidemill resume` ends it.";
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

/// How far a trial is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HowFar {
    /// It failed
    Failed,
    /// It gave a result
    Finished,
    /// It waits or runs
    Planned,
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
    /// Only those that are so far
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Option<HowFar>,
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
    /// Send refused rows into the stream again, after the loop file was put right
    Replay(QuarantineReplayArgs),
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

/// `tidemill quarantine replay`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill apply -f loop.yaml && tidemill quarantine replay parcels\n  \
    tidemill quarantine replay parcels 48213\n\n\
    Rows get new ids, which end in the version of the spec: doing it twice changes nothing.")]
pub struct QuarantineReplayArgs {
    /// The loop
    #[arg(value_name = "LOOP", value_parser = loop_id)]
    pub name: LoopId,
    /// One row: its number in the list, or the id of its prediction; all of them without it
    #[arg(value_name = "ROW")]
    pub row: Option<String>,
    /// At most so many rows, the newest
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub limit: usize,
    /// The NATS server
    #[arg(long, env = "TIDEMILL_NATS_URL", default_value = "nats://127.0.0.1:4222")]
    pub nats_url: String,
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

//! The commands that ask the console: what is going on, why, and what shall be done.
//!
//! They speak HTTP and render answers; they must not know of NATS, nor decide anything about a loop.

mod apply;
mod args;
mod client;
mod command;
mod lists;
mod quarantine;
mod requeue;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod watch;
mod words;

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidemill_console::api::{ErrorKind, Failure};
use tidemill_events::CommandKind;

use self::args::{
    ApplyArgs, CommandArgs, PinArgs, QuarantineArgs, StatusArgs, TrialsArgs, TurnsArgs, VersionArgs, WhyArgs,
};
use self::client::{AskError, Client};

/// The exit code when the console cannot be reached, or is not ready.
pub const UNREACHABLE: u8 = 3;
/// The exit code for a command line that cannot be.
pub const USAGE: u8 = 64;
const FAILED: u8 = 1;
const REFUSED: u8 = 2;

/// The commands that ask the console.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put a loop file in force, or say what it would change
    Apply(ApplyArgs),
    /// Take a candidate that waits for approval
    #[command(after_help = args::APPROVE_EXAMPLES)]
    Approve(VersionArgs),
    /// Leave a loop exactly as it is
    #[command(after_help = args::FREEZE_EXAMPLES)]
    Freeze(CommandArgs),
    /// Stop the automatic actions of a loop
    #[command(after_help = args::PAUSE_EXAMPLES)]
    Pause(CommandArgs),
    /// Give one model all traffic and keep it there; with --all, every loop's champion
    Pin(PinArgs),
    /// Look at the rows that were refused, and why
    #[command(subcommand)]
    Quarantine(QuarantineArgs),
    /// Decline a candidate that waits for approval, or end its rollout
    Reject(VersionArgs),
    /// Let a paused or frozen loop go on
    #[command(after_help = args::RESUME_EXAMPLES)]
    Resume(CommandArgs),
    /// Give the previous champion its traffic back
    #[command(after_help = args::ROLLBACK_EXAMPLES)]
    Rollback(CommandArgs),
    /// Show how loops are: models, alerts, the turn under way
    Status(StatusArgs),
    /// Show what was tried, with scores and costs
    Trials(TrialsArgs),
    /// Ask for a turn: search for a better model now
    #[command(after_help = args::TRIGGER_EXAMPLES)]
    Trigger(CommandArgs),
    /// Show the turns of a loop, newest first
    Turns(TurnsArgs),
    /// Let the loop move again after a pin
    Unpin(CommandArgs),
    /// Explain a model: its rollout, verdict, trials, trigger and rows
    Why(WhyArgs),
}

impl Command {
    /// Asks, shows the answer, and gives the exit code: 0 done, 1 failed, 2 refused, 3 no console, 64 wrong usage.
    pub async fn run(self) -> ExitCode {
        let json = self.is_json();
        let ended = match self {
            Self::Apply(args) => apply::run(args).await,
            Self::Approve(args) => {
                let version = tidemill_domain::ModelVersion::new(args.version);
                command::run(args.command, CommandKind::Approve { version }).await
            }
            Self::Freeze(args) => command::run(args, CommandKind::Freeze).await,
            Self::Pin(args) => command::pin(args).await,
            Self::Reject(args) => {
                let version = tidemill_domain::ModelVersion::new(args.version);
                command::run(args.command, CommandKind::Reject { version }).await
            }
            Self::Unpin(args) => command::run(args, CommandKind::Unpin).await,
            Self::Pause(args) => command::run(args, CommandKind::Pause).await,
            Self::Quarantine(args) => quarantine::run(args).await,
            Self::Resume(args) => command::run(args, CommandKind::Resume).await,
            Self::Rollback(args) => command::run(args, CommandKind::Rollback).await,
            Self::Status(args) => status::run(args).await,
            Self::Trials(args) => lists::trials(args).await,
            Self::Trigger(args) => command::run(args, CommandKind::Retrain).await,
            Self::Turns(args) => lists::turns(args).await,
            Self::Why(args) => tree::run(args).await,
        };
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            // A reader who went away has seen enough.
            Err(AskError::Written(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Err(error) => {
                report(&error, json);
                ExitCode::from(exit_code(&error))
            }
        }
    }

    fn is_json(&self) -> bool {
        match self {
            Self::Apply(args) => args.to.json,
            Self::Approve(args) | Self::Reject(args) => args.command.to.json,
            Self::Freeze(args)
            | Self::Pause(args)
            | Self::Resume(args)
            | Self::Rollback(args)
            | Self::Trigger(args)
            | Self::Unpin(args) => args.to.json,
            Self::Pin(args) => args.to.json,
            Self::Quarantine(QuarantineArgs::List(args)) => args.to.json,
            Self::Quarantine(QuarantineArgs::Replay(args)) => args.to.json,
            Self::Quarantine(QuarantineArgs::Show(args)) => args.to.json,
            Self::Status(args) => args.to.json,
            Self::Trials(args) => args.to.json,
            Self::Turns(args) => args.to.json,
            Self::Why(args) => args.to.json,
        }
    }
}

/// What the exit says of an error.
fn exit_code(error: &AskError) -> u8 {
    match error {
        AskError::Address { .. } => USAGE,
        AskError::Bus(_) | AskError::Unreachable { .. } => UNREACHABLE,
        AskError::Answer { .. } | AskError::Read { .. } | AskError::Written(_) => FAILED,
        AskError::Refused { failure, .. } => match failure.error {
            ErrorKind::Conflict | ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::TooLarge => REFUSED,
            ErrorKind::Internal => FAILED,
            ErrorKind::Unavailable => UNREACHABLE,
        },
    }
}

/// Tells an error: to a program as one JSON object on standard output, to a person on standard error.
fn report(error: &AskError, json: bool) {
    // Whoever went away cannot be told, and the exit code says enough.
    let _ = if json {
        let failure = match error {
            AskError::Refused { failure, .. } => failure.as_ref().clone(),
            other => Failure {
                error: ErrorKind::Internal,
                code: None,
                what: other.to_string(),
                remedy: other.remedy().to_owned(),
                problems: Vec::new(),
            },
        };
        writeln!(std::io::stdout(), "{}", pretty(&failure))
    } else {
        writeln!(std::io::stderr(), "{}", in_words(error))
    };
}

/// An error for a person: what is wrong, and on the next line what to do.
fn in_words(error: &AskError) -> String {
    match error {
        AskError::Refused { failure, file: Some(file) } if !failure.problems.is_empty() => {
            apply::problems(file, &failure.problems)
        }
        AskError::Refused { failure, .. } => format!("error: {}\n  {}", failure.what, failure.remedy),
        other => {
            let mut text = format!("error: {other}");
            let mut source = std::error::Error::source(other);
            while let Some(inner) = source {
                text.push_str(&format!("\n  because: {inner}"));
                source = inner.source();
            }
            text + "\n  " + other.remedy()
        }
    }
}

/// Shows an answer: as JSON, or as `render` puts it for people.
fn show<T: DeserializeOwned>(
    answer: Value,
    json: bool,
    render: impl FnOnce(&T) -> String,
) -> Result<(), AskError> {
    if json {
        return print(&pretty(&answer));
    }
    let read = serde_json::from_value(answer).map_err(|source| AskError::Answer { source: source.into() })?;
    print(render(&read).trim_end())
}

fn pretty(value: &impl serde::Serialize) -> String {
    // Plain data can be written to memory.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Prints a text and a line break; a reader who went away is told apart, so that a watch ends.
fn print(text: &str) -> Result<(), AskError> {
    writeln!(std::io::stdout(), "{text}").map_err(AskError::Written)
}

/// A client for the console that the arguments name.
fn client(to: &args::To) -> Result<Client, AskError> {
    Client::new(&to.console)
}

//! What can be asked for on the command line, and who does it.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{ask, backtest, demo, import, init, provision, replay, say, up};

/// Closes the machine-learning loop: watches a stream, retrains, proves, rolls out and takes back.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, about, max_term_width = 110)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Ask(ask::Command),
    /// Play a recorded stream through the loop, on virtual time, and say what it would have done
    Backtest(backtest::Args),
    /// Show a whole story of the loop on a generated stream: drift, alert, retraining, rollout
    Demo(demo::Args),
    /// Start a loop from history: its rows become the first dataset, and a turn begins
    Import(import::Args),
    /// Write a commented loop file for the columns of a CSV file
    Init(init::Args),
    /// Create the streams and buckets on a NATS server
    Provision(provision::Args),
    /// Send the rows of a CSV file to the predictor at a rate, and their labels later
    Replay(replay::Args),
    /// Run everything in one process, against a nats-server that is started or given
    Up(up::Args),
}

/// What the command line takes, for those who check what they say of it.
#[must_use]
pub fn command() -> clap::Command {
    Args::command()
}

/// Runs the command line; the result is the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { ask::USAGE } else { 0 });
        }
    };
    match args.command {
        Command::Backtest(args) => backtest::main(&args),
        Command::Init(args) => init::main(&args),
        Command::Ask(command) => run(command.run()),
        Command::Demo(args) => run(demo::main(args)),
        Command::Import(args) => run(import::main(args)),
        Command::Provision(args) => run(provision::main(args)),
        Command::Replay(args) => run(replay::main(args)),
        Command::Up(args) => run(up::main(args)),
    }
}

fn run(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => say::failure(say::FAILED, &error),
    }
}

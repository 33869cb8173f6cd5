//! The command line of Tidemill.

mod backtest;
mod rows;
mod say;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Closes the machine-learning loop: watches a stream, retrains, proves, rolls out and takes back.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, about, max_term_width = 110)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a recorded stream through the loop, on virtual time, and say what it would have done.
    Backtest(backtest::Args),
}

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Backtest(args) => backtest::main(&args),
    }
}

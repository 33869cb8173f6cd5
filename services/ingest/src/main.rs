//! The service of its own; `tidemill up` runs the same in one process with the others.

use std::process::ExitCode;

use clap::Parser;
use tidemill_service::Common;

/// Joins predictions and labels, and puts control among the rows
#[derive(Parser)]
#[command(name = "tidemill-ingest", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    tidemill_service::main(
        "ingest",
        |a: &Arguments| &a.common,
        |context, _| tidemill_ingest::run_all(context),
    )
}

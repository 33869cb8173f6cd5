//! The service of its own; `tidemill up` runs the same in one process with the others.

use std::process::ExitCode;

use clap::Parser;
use tidemill_service::Common;

/// Judges candidates
#[derive(Parser)]
#[command(name = "tidemill-evaluator", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    tidemill_service::main(
        "evaluator",
        |a: &Arguments| &a.common,
        |context, _| tidemill_evaluator::run(context),
    )
}

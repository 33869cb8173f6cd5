//! The service of its own; `tidemill up` runs the same in one process with the others.

use std::process::ExitCode;

use clap::Parser;
use tidemill_automl_trainer::Options;
use tidemill_service::Common;

/// Decides when to retrain, leads the search, and runs trials
#[derive(Parser)]
#[command(name = "tidemill-automl-trainer", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    tidemill_service::main(
        "automl-trainer",
        |a: &Arguments| &a.common,
        |context, a| tidemill_automl_trainer::run(context, a.options),
    )
}

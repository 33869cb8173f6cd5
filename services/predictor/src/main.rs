//! The service of its own; `tidemill up` runs the same in one process with the others.

use std::process::ExitCode;

use clap::Parser;
use tidemill_predictor::Options;
use tidemill_service::Common;

/// Answers rows with the models that the loops have put in service
#[derive(Parser)]
#[command(name = "tidemill-predictor", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    tidemill_service::main_without_bus(
        "predictor",
        |a: &Arguments| &a.common,
        |context, a| tidemill_predictor::run(context, a.options),
    )
}

//! The service of its own; `tidemill up` runs the same in one process with the others.

use std::process::ExitCode;

use clap::Parser;
use tidemill_service::Common;

/// Checks rows, quarantines what is wrong with its reasons, seals segments and makes dataset versions
#[derive(Parser)]
#[command(name = "tidemill-validator", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    tidemill_service::main(
        "validator",
        |a: &Arguments| &a.common,
        |context, _| tidemill_validator::run(context),
    )
}

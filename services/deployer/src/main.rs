//! The service of its own; `tidemill up` runs the same in one process with the others.

use std::process::ExitCode;

use clap::Parser;
use tidemill_service::Common;

/// Moves traffic between models, and takes it back
#[derive(Parser)]
#[command(name = "tidemill-deployer", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    tidemill_service::main(
        "deployer",
        |a: &Arguments| &a.common,
        |context, _| tidemill_deployer::run(context),
    )
}

//! The service of its own; `tidemill up` runs the same in one process with the others.

use std::process::ExitCode;

use clap::Parser;
use tidemill_service::Common;

/// Measures windows of the stream and raises alerts
#[derive(Parser)]
#[command(name = "tidemill-monitor", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    tidemill_service::main("monitor", |a: &Arguments| &a.common, |context, _| tidemill_monitor::run(context))
}

//! The console as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use tidemill_console::Options;
use tidemill_service::Common;

/// Answers what people ask about loops and takes what they want, over HTTP with JSON.
#[derive(Debug, Parser)]
#[command(name = "tidemill-console", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    tidemill_service::main(
        "console",
        |arguments: &Arguments| &arguments.common,
        |context, arguments| tidemill_console::run(arguments.options, context),
    )
}

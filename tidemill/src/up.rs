//! `tidemill up`: everything in one process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::say;
use crate::system::{Options, System, SystemError};

/// How to run.
#[derive(Debug, ClapArgs)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill up\n  \
    tidemill up --data /var/lib/tidemill --nats-url nats://127.0.0.1:4222\n\n\
    Exit codes: 0 stopped by a signal, 1 failed, 2 nats-server is not installed.")]
pub(crate) struct Args {
    /// Where everything is kept
    #[arg(long, env = "TIDEMILL_DATA", default_value = "tidemill-data")]
    data: PathBuf,
    /// A NATS server that runs already; without it one is started
    #[arg(long, env = "TIDEMILL_NATS_URL")]
    nats_url: Option<String>,
    /// The port of the NATS server that is started
    #[arg(long, default_value_t = 4222)]
    nats_port: u16,
    /// Where the console answers HTTP
    #[arg(long, env = "TIDEMILL_CONSOLE_ADDRESS", default_value = "127.0.0.1:7411")]
    console: SocketAddr,
    /// Where the view of the log in SQL is: a path, memory: or postgres://...; by default a file among the data
    #[arg(long, env = "TIDEMILL_VIEW_URL", hide_env_values = true, value_name = "URL")]
    view_url: Option<String>,
    /// Where the predictor answers gRPC
    #[arg(long, env = "TIDEMILL_GRPC_LISTEN", default_value = "127.0.0.1:50051")]
    grpc_listen: SocketAddr,
    /// Trials at the same time
    #[arg(long, env = "TIDEMILL_WORKERS", default_value_t = 2)]
    workers: u16,
    /// Into how many partitions rows are split
    #[arg(long, env = "TIDEMILL_PARTITIONS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    partitions: u16,
    /// What is logged: a level, or levels by module
    #[arg(long, env = "TIDEMILL_LOG", default_value = "warn")]
    log: String,
}

/// Runs until a signal comes or a service cannot go on.
pub(crate) async fn main(args: Args) -> ExitCode {
    if let Err(error) = tidemill_service::start_telemetry(&args.log, tidemill_service::LogFormat::Text) {
        return say::failure(say::REFUSED, &error);
    }
    let options = Options {
        data: args.data,
        nats_url: args.nats_url,
        nats_port: Some(args.nats_port),
        console: args.console,
        view_url: args.view_url,
        grpc: args.grpc_listen,
        workers: args.workers,
        partitions: args.partitions,
    };
    match serve(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_missing_server() => say::failure(say::REFUSED, &error),
        Err(error) => say::failure(say::FAILED, &error),
    }
}

async fn serve(options: Options) -> Result<(), SystemError> {
    let mut system = System::start(options).await?;
    if let Err(error) = system.ready(Duration::from_secs(60)).await {
        system.stop().await;
        return Err(error);
    }
    say::line(format!("console    {}", system.console_url()));
    say::line(format!("predictor  {} (gRPC)", system.grpc_url()));
    say::line(format!("bus        {}", system.nats_url()));
    say::line("ready; Ctrl-C stops everything");
    let ended = loop {
        tokio::select! {
            _ = stop_signal() => break Ok(()),
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                if let Err(error) = system.check().await {
                    break Err(error);
                }
            }
        }
    };
    system.stop().await;
    ended
}

/// Comes back when the process is asked to stop.
pub(crate) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

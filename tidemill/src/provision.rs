//! `tidemill provision`: sees that a NATS server has the streams and buckets that the services use, and prints the
//! permissions that they need.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use tidemill_bus::{Bus, BusConfig, Provision, authorization, provision};
use tidemill_domain::Span;

use crate::say;

/// Where and how.
#[derive(Debug, ClapArgs)]
#[command(after_help = "EXAMPLES:\n  \
    tidemill provision --nats-url nats://nats.example.org:4222 --replicas 3 --horizon 30d\n\n\
    tidemill provision --permissions > tidemill-auth.conf

\
    Running it again changes only what differs. Exit codes: 0 done, 1 failed.")]
pub(crate) struct Args {
    /// The server
    #[arg(long, env = "TIDEMILL_NATS_URL", default_value = "nats://127.0.0.1:4222")]
    nats_url: String,
    /// A file of NATS credentials
    #[arg(long, env = "TIDEMILL_NATS_CREDENTIALS")]
    nats_credentials: Option<PathBuf>,
    /// Copies of everything in a cluster
    #[arg(long, default_value_t = 1)]
    replicas: usize,
    /// The longest time that a label may take, over all loops: what producers sent is kept two days longer
    #[arg(long, default_value = "30d")]
    horizon: Span,
    /// Only print what each service may do, as a part of the configuration of nats-server
    #[arg(long)]
    permissions: bool,
    /// Into how many partitions the rows of a loop are split: permissions name each
    #[arg(long, env = "TIDEMILL_PARTITIONS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    partitions: u16,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn main(args: Args) -> ExitCode {
    if args.permissions {
        for line in authorization(args.partitions).lines() {
            say::line(line.to_owned());
        }
        return ExitCode::SUCCESS;
    }
    let config = BusConfig {
        url: args.nats_url,
        credentials: args.nats_credentials,
        name: "tidemill-provision".to_owned(),
    };
    let wanted = Provision { horizon: args.horizon, replicas: args.replicas, ..Provision::default() };
    let done = match Bus::connect(config).await {
        Ok(bus) => provision(&bus, &wanted).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(things) => {
            for thing in things {
                if args.json {
                    say::line(
                        serde_json::json!({ "name": thing.name, "change": thing.change.to_string() })
                            .to_string(),
                    );
                } else {
                    say::line(format!("{:<24} {}", thing.name, thing.change));
                }
            }
            ExitCode::SUCCESS
        }
        Err(error) => say::failure(say::FAILED, &error),
    }
}

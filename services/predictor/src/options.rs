//! What the predictor is told beside what every service is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidemill_domain::Span;

/// Options of the predictor.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where gRPC is served; port 0 takes a free one and logs it
    #[arg(long, env = "TIDEMILL_GRPC_LISTEN", default_value = "127.0.0.1:50051", value_name = "ADDRESS")]
    pub grpc_listen: SocketAddr,

    /// How many requests may be under way at once; more are turned away
    #[arg(long, env = "TIDEMILL_MAX_REQUESTS", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_requests: u32,

    /// A folder of this replica alone: what it needs to answer while everything else is down, and predictions that the bus
    /// does not have yet. It should outlive the process
    #[arg(
        long,
        env = "TIDEMILL_PREDICTOR_DATA",
        default_value = "./tidemill-data/predictor",
        value_name = "FOLDER"
    )]
    pub data: PathBuf,

    /// How many mebibytes of predictions may wait in the data folder for the bus; more are answered, but not logged, and
    /// counted
    #[arg(long, env = "TIDEMILL_LOG_SPOOL_MIB", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub log_spool_mib: u32,

    /// How many predictions may wait in memory to be written down; more are answered, but not logged, and counted
    #[arg(long, env = "TIDEMILL_LOG_QUEUE", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub log_queue: u32,

    /// How many mebibytes the predictions that wait in memory may take
    #[arg(long, env = "TIDEMILL_LOG_QUEUE_MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub log_queue_mib: u32,

    /// How long predictions that wait may take to reach the bus when the predictor stops; the next start delivers the rest
    #[arg(long, env = "TIDEMILL_LOG_DRAIN", default_value = "10s", value_parser = span, value_name = "TIME")]
    pub log_drain: Span,
}

impl Options {
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_micros(self.log_drain.0.unsigned_abs())
    }
}

impl Default for Options {
    /// What the command line has by default, on a free port. Each replica needs a folder of its own.
    fn default() -> Self {
        Self {
            grpc_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            max_requests: 1_024,
            data: PathBuf::from("./tidemill-data/predictor"),
            log_spool_mib: 1_024,
            log_queue: 100_000,
            log_queue_mib: 256,
            log_drain: Span::seconds(10),
        }
    }
}

fn span(text: &str) -> Result<Span, tidemill_domain::time::BadTime> {
    text.parse()
}

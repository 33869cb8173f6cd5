//! What the predictor is told beside what every service is told.

use std::net::SocketAddr;
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

    /// How many predictions may wait for the bus; more are answered, but not logged, and counted
    #[arg(long, env = "TIDEMILL_LOG_QUEUE", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub log_queue: u32,

    /// How many mebibytes the predictions that wait may take
    #[arg(long, env = "TIDEMILL_LOG_QUEUE_MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub log_queue_mib: u32,

    /// How long predictions that wait may take to reach the bus when the predictor stops
    #[arg(long, env = "TIDEMILL_LOG_DRAIN", default_value = "10s", value_parser = span, value_name = "TIME")]
    pub log_drain: Span,
}

impl Options {
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_micros(self.log_drain.0.unsigned_abs())
    }
}

impl Default for Options {
    /// What the command line has by default, on a free port.
    fn default() -> Self {
        Self {
            grpc_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            max_requests: 1_024,
            log_queue: 100_000,
            log_queue_mib: 256,
            log_drain: Span::seconds(10),
        }
    }
}

fn span(text: &str) -> Result<Span, tidemill_domain::time::BadTime> {
    text.parse()
}

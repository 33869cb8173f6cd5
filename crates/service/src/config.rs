//! What every service is told on its command line or by its environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tidemill_bus::BusConfig;
use tidemill_domain::Span;

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Options of every service.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Where NATS is; several addresses are separated by commas
    #[arg(long, env = "TIDEMILL_NATS_URL", default_value = "nats://127.0.0.1:4222", value_name = "URL")]
    pub nats_url: String,

    /// A file of NATS credentials
    #[arg(long, env = "TIDEMILL_NATS_CREDENTIALS", value_name = "FILE")]
    pub nats_credentials: Option<PathBuf>,

    /// Where artefacts and dataset segments are kept: a folder, or a URL
    #[arg(long, env = "TIDEMILL_STORE", default_value = "./tidemill-data/store", value_name = "URL")]
    pub store: String,

    /// The folder for what this machine keeps to start sooner; all of it can be made anew from the log
    #[arg(long, env = "TIDEMILL_LOCAL", default_value = "./tidemill-data", value_name = "FOLDER")]
    pub local: PathBuf,

    /// Into how many partitions the rows of a loop are split; the same for all services
    #[arg(long, env = "TIDEMILL_PARTITIONS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub partitions: u16,

    /// Where /livez, /readyz and /metrics are served; port 0 takes a free one and logs it
    #[arg(long, env = "TIDEMILL_LISTEN", default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// The name of this replica, different from that of every other one; by default host and process
    #[arg(long, env = "TIDEMILL_REPLICA", value_name = "NAME")]
    pub replica: Option<String>,

    /// How the log is written, to standard error
    #[arg(long, env = "TIDEMILL_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What is logged: a level, or levels by module, for example "info,tidemill_bus=debug"
    #[arg(long, env = "TIDEMILL_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,

    /// How long an orderly shutdown may take
    #[arg(long, env = "TIDEMILL_SHUTDOWN", default_value = "20s", value_parser = span, value_name = "TIME")]
    pub shutdown: Span,
}

impl Common {
    /// How to connect, for the service `name`.
    #[must_use]
    pub fn bus(&self, name: &str) -> BusConfig {
        BusConfig {
            url: self.nats_url.clone(),
            credentials: self.nats_credentials.clone(),
            name: format!("tidemill-{name} {}", self.owner()),
        }
    }

    /// The name of this replica.
    #[must_use]
    pub fn owner(&self) -> String {
        self.replica.clone().unwrap_or_else(|| format!("{}-{}", host(), std::process::id()))
    }

    /// How long an orderly shutdown may take.
    #[must_use]
    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_micros(self.shutdown.0.unsigned_abs())
    }
}

fn span(text: &str) -> Result<Span, tidemill_domain::time::BadTime> {
    text.parse()
}

fn host() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname");
    read.ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "local".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        common: Common,
    }

    #[test]
    fn defaults_are_complete() {
        let arguments = Arguments::try_parse_from(["x"]).map(|a| a.common);
        let common = arguments.unwrap_or_else(|e| unreachable!("{e}"));
        assert_eq!(common.partitions, 1);
        assert_eq!(common.shutdown_timeout(), Duration::from_secs(20));
        assert!(!common.owner().is_empty());
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            ["x", "--partitions=0"],
            ["x", "--shutdown=soon"],
            ["x", "--listen=here"],
            ["x", "--log-format=xml"],
        ] {
            assert!(Arguments::try_parse_from(bad).is_err(), "{bad:?}");
        }
    }
}

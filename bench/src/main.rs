//! Benchmarks: each figure beside its limit or a peer in the same run, because machines are noisy.
//!
//! `cargo xtask bench [backtest | predictor | intake]`; without a name all of them.

mod backtest;
mod intake;
mod predictor;
mod stream;

use std::io::Write;
use std::process::ExitCode;

/// Why a benchmark gave no figure.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error("the bus failed")]
    Bus(#[from] tidemill_bus::Error),
    #[error("the predictor cannot be asked")]
    Grpc(#[from] tonic::transport::Error),
    #[error("the console does not answer")]
    Http(#[from] reqwest::Error),
    #[error("{0}")]
    Other(String),
    #[error("a row could not be sent")]
    Producer(#[from] tidemill::producer::ProducerError),
    #[error("the system does not run")]
    System(#[source] Box<tidemill::system::SystemError>),
    #[error("the system of the machine failed")]
    Io(#[from] std::io::Error),
}

impl From<tidemill::system::SystemError> for BenchError {
    fn from(error: tidemill::system::SystemError) -> Self {
        Self::System(Box::new(error))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let name = std::env::args().nth(1);
    let wanted = |n: &str| name.as_deref().is_none_or(|name| name == n);
    let mut failed = false;
    if wanted("backtest") {
        failed |= told("backtest", backtest::main());
    }
    if wanted("predictor") {
        failed |= told("predictor", predictor::main().await);
    }
    if wanted("intake") {
        failed |= told("intake", intake::main().await);
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn told(name: &str, result: Result<String, BenchError>) -> bool {
    let mut out = std::io::stdout();
    match result {
        Ok(text) => {
            let _ = writeln!(out, "{name}\n{text}");
            false
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{name}: {}", tidemill_bus::chain(&error));
            true
        }
    }
}

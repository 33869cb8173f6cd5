//! Benchmarks: each figure beside its limit or a peer in the same run, because machines are noisy.
//!
//! `cargo xtask bench [backtest | predictor | intake | pending]`; without a name all of them. Two take long and run only by name:
//! `faults` and `soak`, with real processes.

mod backtest;
mod faults;
mod intake;
mod pending;
mod predictor;
mod soak;
mod stream;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

/// Why a benchmark gave no figure.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error("the bus failed")]
    Bus(#[from] tidemill_bus::Error),
    #[error("the predictor cannot be asked")]
    Grpc(#[from] tonic::transport::Error),
    #[error("the processes did not do what they should")]
    Harness(#[from] tidemill_integration::HarnessError),
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
    let words: Vec<String> = std::env::args().skip(1).collect();
    let name = words.first().cloned();
    let rest = words.get(1..).unwrap_or_default();
    let wanted = |n: &str| name.as_deref().is_none_or(|name| name == n);
    let mut failed = false;
    if let (Some(pending::INGEST), [url, folder]) = (name.as_deref(), rest) {
        // The process that `pending` measures.
        let ended = pending::ingest(url, folder).await.map(|()| String::new());
        return if told("ingest", ended) { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    if wanted("backtest") {
        failed |= told("backtest", backtest::main());
    }
    if wanted("predictor") {
        failed |= told("predictor", predictor::main().await);
    }
    if wanted("pending") {
        failed |= told("pending", pending::main().await);
    }
    if wanted("intake") {
        failed |= told("intake", intake::main().await);
    }
    if name.as_deref() == Some("faults") {
        let result = match faults::Arguments::read(rest) {
            Ok(arguments) => Box::pin(faults::main(arguments)).await,
            Err(error) => Err(error),
        };
        failed |= told("faults", result);
    }
    if name.as_deref() == Some("soak") {
        let result = match soak::Arguments::read(rest) {
            Ok(arguments) => Box::pin(soak::main(arguments)).await,
            Err(error) => Err(error),
        };
        failed |= told("soak", result);
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Numbers by the names before them.
fn numbers<'a>(words: &[String], names: &[&'a str]) -> Result<BTreeMap<&'a str, u64>, BenchError> {
    let mut found = BTreeMap::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let known = names.iter().find(|n| *n == word);
        let value = words.next().and_then(|v| v.parse().ok());
        match (known, value) {
            (Some(name), Some(value)) => _ = found.insert(*name, value),
            (Some(name), None) => return Err(BenchError::Other(format!("{name} needs a whole number"))),
            (None, _) => {
                return Err(BenchError::Other(format!("there is no {word}; there are {}", names.join(", "))));
            }
        }
    }
    Ok(found)
}

/// Tells how it goes, where it takes long.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
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

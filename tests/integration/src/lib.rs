//! The harness: a whole system for one test, in this process ([`TestSystem`]) or as real processes that can be killed and
//! frozen ([`cluster::Cluster`]); the books over its log ([`ledger::Ledger`]); waiting by condition.
//!
//! A system keeps everything in a folder of its own, which stays behind when a test fails.

pub mod cluster;
pub mod faults;
pub mod ledger;
pub mod load;
pub mod quick;
pub mod wait;

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;
use tidemill::producer::Producer;
use tidemill::system::{Options, System, SystemError};
use tidemill_bus::{Bus, Item, ReadFrom, Reader};
use tidemill_domain::LoopId;
use tidemill_events::stream::{Role, Stream, filter};
use tidemill_events::{Partition, Recorded, Topic};

/// How long a system may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// A running system and its folder.
#[derive(Debug)]
pub struct TestSystem {
    /// The system.
    pub system: System,
    folder: Option<TempDir>,
}

/// Why there is no system, or it does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// When the broker does not do what is asked.
    #[error("the bus failed")]
    Bus(#[source] tidemill_bus::Error),
    /// When a process ends by itself.
    #[error("{name} ended with {status}; it said last:\n{log}")]
    Ended {
        /// Which.
        name: String,
        /// How.
        status: ExitStatus,
        /// The end of its output.
        log: String,
    },
    /// When there is no room for it.
    #[error("there is no folder for the test")]
    Folder(#[source] std::io::Error),
    /// When HTTP cannot be spoken.
    #[error("HTTP failed")]
    Http(#[source] reqwest::Error),
    /// When the programs are not there.
    #[error("{} is not there: build it first, with cargo build --workspace --bins; cargo xtask test does", path.display())]
    NotBuilt {
        /// Where it should be.
        path: PathBuf,
    },
    /// When it takes too long.
    #[error("{what}; it said last:\n{log}")]
    NotReady {
        /// What does.
        what: String,
        /// The end of the output.
        log: String,
    },
    /// When something else is not as it should be.
    #[error("{0}")]
    Other(String),
    /// When a process cannot be signalled.
    #[error("{name} cannot be sent SIG{signal}")]
    Signal {
        /// Which.
        name: String,
        /// What.
        signal: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// When a program cannot be run.
    #[error("{name} cannot be run: {}", path.display())]
    Spawn {
        /// Which.
        name: String,
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// When the store fails.
    #[error("the store failed")]
    Store(#[source] tidemill_store::Error),
    /// When it does not start.
    #[error("the system does not start")]
    System(#[source] SystemError),
}

impl TestSystem {
    /// Starts everything.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start() -> Result<Self, HarnessError> {
        let folder = TempDir::new().map_err(HarnessError::Folder)?;
        let options = Options { workers: 1, ..Options::on_free_ports(folder.path()) };
        let mut system = System::start(options).await.map_err(HarnessError::System)?;
        system.ready(READY).await.map_err(HarnessError::System)?;
        Ok(Self { system, folder: Some(folder) })
    }

    /// A producer of a loop.
    ///
    /// # Errors
    /// When the address of the predictor is none.
    pub fn producer(&self, loop_id: LoopId) -> Result<Producer, tidemill::producer::ProducerError> {
        Producer::with_bus(self.bus(), &self.system.grpc_url(), loop_id)
    }

    /// The bus.
    #[must_use]
    pub fn bus(&self) -> Bus {
        self.system.context().bus.clone()
    }

    /// Everything on the loops' log so far.
    ///
    /// # Errors
    /// When the bus does not answer.
    pub async fn log(&self) -> Result<Vec<Recorded>, tidemill_bus::Error> {
        everything(&self.bus(), ReadFrom::first(Stream::Loop, Role::trainer().filter)).await
    }

    /// Every accepted row so far.
    ///
    /// # Errors
    /// When the bus does not answer.
    pub async fn clean(&self) -> Result<Vec<Recorded>, tidemill_bus::Error> {
        everything(&self.bus(), ReadFrom::first(Stream::Samples, filter(Topic::Clean(Partition(0))))).await
    }

    /// Stops everything.
    pub async fn stop(mut self) {
        if std::thread::panicking() {
            self.folder.take().map(TempDir::keep);
        }
        self.system.stop().await;
    }
}

async fn everything(bus: &Bus, from: ReadFrom) -> Result<Vec<Recorded>, tidemill_bus::Error> {
    let mut reader = Reader::open(bus, from).await?;
    let mut found = Vec::new();
    while !reader.caught_up() {
        for item in reader.next_batch(256, Duration::from_millis(200)).await? {
            if let Item::Event(received) = item {
                found.push(received.event);
            }
        }
    }
    Ok(found)
}

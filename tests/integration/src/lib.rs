//! The harness: a whole system on free ports for one test, and waiting by condition.
//!
//! The system keeps everything in a folder of its own, which stays behind when a test fails.

pub mod wait;

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

/// Why there is no system.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// When there is no room for it.
    #[error("there is no folder for the test")]
    Folder(#[source] std::io::Error),
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

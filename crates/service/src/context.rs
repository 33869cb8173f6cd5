//! What a service works with.

use std::path::PathBuf;

use tidemill_bus::Bus;
use tidemill_store::Store;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::metrics::Metrics;

/// Everything that roles and workers of a process share. Clones share it.
#[derive(Clone, Debug)]
pub struct Context {
    /// The broker.
    pub bus: Bus,
    /// Artefacts and segments.
    pub store: Store,
    /// The folder for what this machine keeps to start sooner; without one nothing is kept.
    pub local: Option<PathBuf>,
    /// Says when to stop, at the next boundary between inputs.
    pub stop: CancellationToken,
    /// What is counted.
    pub metrics: Metrics,
    /// What is told to whoever watches the process.
    pub health: Health,
    /// Partitions of the deployment.
    pub partitions: u16,
    /// The name of this replica.
    pub owner: String,
}

impl Context {
    /// A context with nothing counted yet.
    #[must_use]
    pub fn new(bus: Bus, store: Store, partitions: u16, owner: impl Into<String>) -> Self {
        let (metrics, health) = (Metrics::default(), Health::default());
        metrics.watch(&bus, &health);
        Self {
            bus,
            store,
            local: None,
            stop: CancellationToken::new(),
            metrics,
            health,
            partitions,
            owner: owner.into(),
        }
    }
}

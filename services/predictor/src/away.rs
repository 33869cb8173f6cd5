//! Tells whoever watches the process whether the bus is there, and since when not. It decides nothing by it.

use std::convert::Infallible;
use std::time::Duration;

use tidemill_bus::{Bus, clock};
use tidemill_service::{Health, PartState};
use tokio::time::sleep;

/// The part of the process that stands for the connection.
pub(crate) const BUS: &str = "bus";
/// How often it is looked.
const EVERY: Duration = Duration::from_millis(200);

/// Watches until it is dropped.
pub(crate) async fn watch(bus: Bus, health: Health) -> Infallible {
    loop {
        match (bus.is_connected(), health.get(BUS)) {
            (true, Some(PartState::Live)) | (false, Some(PartState::Away { .. })) => {}
            (true, _) => health.set(BUS, PartState::Live),
            (false, _) => health.set(BUS, PartState::Away { since: clock::now() }),
        }
        sleep(EVERY).await;
    }
}

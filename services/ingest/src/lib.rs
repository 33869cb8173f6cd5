//! The shell of ingest: two streams and the clock in, one stream of rows and marks out, per partition.
//!
//! What ingest decides is in `tidemill-ingest-core`. Here is the order in which it sees things, and how that order survives
//! a crash. Ingest is the only role that reads two streams, and the only one that tells the data what time it is; everybody
//! after it reads one stream and so needs no such care.
//!
//! # How a restart finds its place (INV-1)
//!
//! There is no state on disk: whoever takes over folds INTAKE again from its first message and writes only what lies beyond
//! the positions (`tm-upto`) that are on `sample.<p>` already. That gives the same rows if the same inputs are folded in the
//! same order, and the order has three parts:
//!
//! 1. *Messages* come in the order of their stream.
//! 2. *Control* comes at its recorded place. The mark of a spec or a rollout goes alone in a message, after everything that
//!    was held back for batching and before anything that follows; its position names the message after which it was folded.
//!    Whoever takes over reads its own subjects first, once, to collect these places.
//! 3. *Ticks* come where deadline and time stamps say, which is the same everywhere. See the module `merge`.
//!
//! Positions are given by [`tidemill_ingest_core::Order`]: the sequence of the last message, and an ordinal that goes on
//! through everything that follows until the next message. A draft that is too large for one message is cut before it gets
//! its ordinal, and joined messages bear the position of their last part, so that a crash between any two publishes leaves
//! a position from which to go on.
//!
//! Folding INTAKE again takes time in proportion to what INTAKE holds. Snapshots of the state would shorten it.

mod batch;
#[cfg(test)]
#[path = "tests/bus.rs"]
mod bus;
#[cfg(test)]
#[path = "tests/crash.rs"]
mod crash;
#[cfg(test)]
#[path = "tests/fixtures.rs"]
mod fixtures;
mod merge;
mod outlet;
mod places;
mod source;

use std::sync::Arc;

use tidemill_events::Partition;
use tidemill_events::stream::Role;
use tidemill_ingest_core::Ingest;
use tidemill_service::{Context, NoJobs, RoleError};

use crate::source::Streams;

/// Joins the predictions and labels of one partition until `context.stop`, whenever this replica is the active one.
///
/// # Errors
/// When trying again cannot help: a permission is missing.
pub async fn run(context: Context, partition: Partition) -> Result<(), RoleError> {
    let partitions = context.partitions;
    let make_core = move || Ingest::new(partition, partitions);
    let role = Role::ingest(partition);
    let running =
        tidemill_service::run_from(role, make_core, Streams { partition }, Arc::new(NoJobs), context);
    Box::pin(running).await
}

/// The same for every partition, side by side.
///
/// # Errors
/// As [`run`].
pub async fn run_all(context: Context) -> Result<(), RoleError> {
    let parts = (0..context.partitions).map(|p| {
        let part: std::pin::Pin<Box<dyn Future<Output = Result<(), RoleError>> + Send>> =
            Box::pin(run(context.clone(), Partition(p)));
        part
    });
    tidemill_service::run_all(&context, parts.collect()).await
}

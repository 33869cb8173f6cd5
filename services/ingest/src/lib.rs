//! The shell of ingest: two streams and the clock in, one stream of rows and marks out, per partition.
//!
//! What ingest decides is in `tidemill-ingest-core`. Here is the order in which it sees things, and how that order survives
//! a crash. Ingest is the only role that reads two streams, and the only one that tells the data what time it is; everybody
//! after it reads one stream and so needs no such care.
//!
//! # How a restart finds its place (INV-1)
//!
//! Whoever takes over folds INTAKE and writes only what lies beyond the positions (`tm-upto`) that are on `sample.<p>`
//! already. That gives the same rows if the same inputs are folded in the same order, and the order has three parts:
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
//! # What is kept on this machine
//!
//! What is remembered of predictions lies in a folder of this machine ([`local`]), so that memory does not grow with
//! `labels.horizon`, and a start need not fold everything again. It is an index of the log and nothing else: it may be
//! deleted at any time. Two rules keep it honest:
//!
//! - It is never ahead of the log. Changes wait in memory until everything that followed from them is written, and go to
//!   the disk in one batch with the place in both streams that they belong to, about once a second.
//! - It is used only if the log goes on from there ([`kept`]): the same streams, not shorter than what was seen of them, and
//!   with nothing missing in between. Otherwise it is deleted, and made anew as on the first start.
//!
//! When it fails while it is used, the role stops before it writes anything that followed, and begins anew; where the
//! failure is damage, with an empty folder.

mod batch;
#[cfg(test)]
#[path = "tests/bus.rs"]
mod bus;
#[cfg(test)]
#[path = "tests/crash.rs"]
mod crash;
mod disk;
#[cfg(test)]
#[path = "tests/fixtures.rs"]
mod fixtures;
mod joined;
mod kept;
mod local;
mod merge;
mod outlet;
mod places;
mod source;
mod tallies;

use std::sync::Arc;

use tidemill_events::Partition;
use tidemill_events::stream::Role;
use tidemill_service::{Context, NoJobs, RoleError};

use crate::joined::Joined;
use crate::kept::Whose;
use crate::source::Streams;
use crate::tallies::Tallies;

/// Joins the predictions and labels of every partition until `context.stop`, each whenever this replica is the active one.
///
/// # Errors
/// When trying again cannot help: a permission is missing.
pub async fn run_all(context: Context) -> Result<(), RoleError> {
    let tallies = Tallies::register(&context.metrics);
    let parts = (0..context.partitions).map(|p| {
        let running = run(context.clone(), Partition(p), tallies.clone());
        let part: std::pin::Pin<Box<dyn Future<Output = Result<(), RoleError>> + Send>> = Box::pin(running);
        part
    });
    tidemill_service::run_all(&context, parts.collect()).await
}

async fn run(context: Context, partition: Partition, tallies: Tallies) -> Result<(), RoleError> {
    let whose = Whose { partition, partitions: context.partitions };
    let core = Joined::default();
    let make_core = {
        let core = core.clone();
        move || core.clone()
    };
    let streams = Streams { whose, core, tallies, is_damaged: Arc::default() };
    let role = Role::ingest(partition);
    Box::pin(tidemill_service::run_from(role, make_core, streams, Arc::new(NoJobs), context)).await
}

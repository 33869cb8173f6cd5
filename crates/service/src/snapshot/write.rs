//! Writing a snapshot, beside the work of its role: first the object, then the pointer to it, then older ones are cleared away.

use bytes::Bytes;
use tidemill_bus::{Pointer, chain};
use tracing::{info, warn};

use super::object::{Head, Pointed};
use crate::context::Context;
use crate::metrics::RoleMetrics;

/// Writes a snapshot; the revision of the pointer from now on, as far as it is known.
pub(super) async fn write(
    context: Context,
    pointer: Pointer,
    revision: u64,
    head: Head,
    object: Vec<u8>,
    metrics: RoleMetrics,
) -> Option<u64> {
    let Head { role, fold, sequence, .. } = head;
    let failed = |error: &dyn std::error::Error| {
        metrics.snapshots_failed.inc();
        warn!(role, error = chain(error), "a snapshot is not written");
    };
    let hash = match context.store.put_snapshot(&role, fold, object).await {
        Ok(hash) => hash,
        Err(error) => {
            failed(&error);
            return None;
        }
    };
    let pointed = Pointed { fold, sequence, hash };
    let value = match serde_json::to_vec(&pointed) {
        Ok(value) => Bytes::from(value),
        Err(error) => {
            failed(&error);
            return None;
        }
    };
    match pointer.set(value, revision).await {
        Ok(Some(revision)) => {
            metrics.snapshots_written.inc();
            info!(role, sequence, "a snapshot is written");
            // Only who moved the pointer clears away: whoever lost the role cannot move it any more.
            if let Err(error) = context.store.keep_snapshot(&role, fold, &pointed.hash).await {
                warn!(role, error = chain(&error), "old snapshots are not deleted yet");
            }
            Some(revision)
        }
        // Its answer may have been lost, or another owner was there; whoever it was, the next one goes beyond it.
        Ok(None) => {
            metrics.snapshots_failed.inc();
            pointer.get().await.ok().flatten().map(|(_, revision)| revision)
        }
        Err(error) => {
            failed(&error);
            pointer.get().await.ok().flatten().map(|(_, revision)| revision)
        }
    }
}

//! The shell of monitor: a role for each partition that measures, and one that merges windows and raises alerts.

use std::sync::Arc;

use tidemill_events::Partition;
use tidemill_events::stream::Role;
use tidemill_monitor_core::{Measure, Merge};
use tidemill_service::{Context, NoJobs, RoleError, run_all};

/// Runs every role of the service until `context.stop`.
///
/// # Errors
/// When trying again cannot help: a permission is missing.
pub async fn run(context: Context) -> Result<(), RoleError> {
    let mut parts: Vec<futures::future::BoxFuture<'static, _>> = Vec::new();
    for p in (0..context.partitions).map(Partition) {
        let make = move || Measure::new(p);
        let role = tidemill_service::run(Role::monitor(p), make, Arc::new(NoJobs), context.clone());
        parts.push(Box::pin(role));
    }
    let partitions = context.partitions;
    let make = move || Merge::new(partitions);
    parts.push(Box::pin(tidemill_service::run(Role::windows(), make, Arc::new(NoJobs), context.clone())));
    run_all(&context, parts).await
}

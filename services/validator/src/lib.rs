//! The shell of validator: a role for each partition, and one that makes dataset versions for all.

use std::sync::Arc;

use tidemill_events::Partition;
use tidemill_events::stream::Role;
use tidemill_service::{Context, NoJobs, RoleError, run_all};
use tidemill_validator_core::{Datasets, Validate};

/// Runs every role of the service until `context.stop`.
///
/// # Errors
/// When trying again cannot help: a permission is missing.
pub async fn run(context: Context) -> Result<(), RoleError> {
    let mut parts: Vec<futures::future::BoxFuture<'static, _>> = Vec::new();
    for p in (0..context.partitions).map(Partition) {
        let make = move || Validate::new(p);
        let role = tidemill_service::run(Role::validator(p), make, Arc::new(NoJobs), context.clone());
        parts.push(Box::pin(role));
    }
    let datasets = tidemill_service::run(Role::datasets(), Datasets::new, Arc::new(NoJobs), context.clone());
    parts.push(Box::pin(datasets));
    run_all(&context, parts).await
}

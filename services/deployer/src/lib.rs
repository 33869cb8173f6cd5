//! The shell of deployer: one role.

use std::sync::Arc;

use tidemill_deployer_core::Deployer;
use tidemill_events::stream::Role;
use tidemill_service::{Context, NoJobs, RoleError};

/// Runs the role of the service until `context.stop`.
///
/// # Errors
/// When trying again cannot help: a permission is missing.
pub async fn run(context: Context) -> Result<(), RoleError> {
    Box::pin(tidemill_service::run(Role::deployer(), Deployer::new, Arc::new(NoJobs), context)).await
}

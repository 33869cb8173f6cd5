//! The shell of evaluator: one role, and the measuring of candidates on stored rows.

mod evaluate;

use std::sync::Arc;

use tidemill_evaluator_core::Evaluator;
use tidemill_events::stream::Role;
use tidemill_service::{Context, RoleError};

pub use evaluate::Evaluate;

/// Runs the role of the service until `context.stop`.
///
/// # Errors
/// When trying again cannot help: a permission is missing.
pub async fn run(context: Context) -> Result<(), RoleError> {
    let performer = Arc::new(Evaluate::new(context.store.clone()));
    Box::pin(tidemill_service::run(Role::evaluator(), Evaluator::new, performer, context)).await
}

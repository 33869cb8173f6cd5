//! A role from standby to standby: lease, claim, fold, and over again when it is lost.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use tidemill_bus::{Backoff, Error, Lease, chain};
use tidemill_events::Core;
use tidemill_events::stream::Role;
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::context::Context;
use crate::health::PartState;
use crate::jobs::Performer;
use crate::snapshot::Pace;
use crate::source::{Inputs, OneStream};
use crate::tenure;
use crate::trouble::Trouble;

/// An input that is being worked on when the role has to stop may take so long; it is begun again by the next owner.
const LAST_INPUT: Duration = Duration::from_secs(5);

/// What a role is and how much it may do at once.
#[derive(Clone, Debug)]
pub struct RoleSetup {
    /// Its name, input and topics.
    pub role: Role,
    /// Jobs at once.
    pub concurrency: usize,
    /// How often its state is kept, if its core can be kept.
    pub snapshots: Pace,
}

impl From<Role> for RoleSetup {
    fn from(role: Role) -> Self {
        Self { role, concurrency: 2, snapshots: Pace::default() }
    }
}

/// When a role cannot go on and trying again cannot help.
#[derive(Debug, thiserror::Error)]
#[error("the role {role} cannot go on")]
pub struct RoleError {
    /// The role.
    pub role: String,
    /// Why.
    #[source]
    pub source: Trouble,
}

/// Runs a role that reads one stream until `context.stop`.
///
/// # Errors
/// When trying again cannot help: a permission is missing, or the role writes what it may not.
pub async fn run<C: Core, P: Performer<C::Job>>(
    setup: impl Into<RoleSetup>,
    make_core: impl Fn() -> C + Send + Sync,
    performer: Arc<P>,
    context: Context,
) -> Result<(), RoleError> {
    run_from(setup, make_core, OneStream::default(), performer, context).await
}

/// The same with inputs of its own. Each time that this replica becomes active, it begins with a new core.
///
/// # Errors
/// As [`run`].
pub async fn run_from<C: Core, P: Performer<C::Job>, I: Inputs>(
    setup: impl Into<RoleSetup>,
    make_core: impl Fn() -> C + Send + Sync,
    inputs: I,
    performer: Arc<P>,
    context: Context,
) -> Result<(), RoleError> {
    let setup = setup.into();
    let name = setup.role.name.clone();
    let metrics = context.metrics.role(&name);
    let mut backoff = Backoff::default();
    context.health.set(&name, PartState::Starting);
    let ended = loop {
        match wait_for_lease(&name, &context).await {
            Err(error) if error.is_fatal() => break Err(Trouble::Bus(error)),
            Err(error) => warn!(role = name, error = chain(&error), "cannot stand by"),
            Ok(None) => break Ok(()),
            Ok(Some(lease)) => {
                metrics.lease_held.set(1);
                let performer = Arc::clone(&performer);
                let worked = tokio::select! {
                    () = lease.lost() => Err(Error::LeaseLost { role: name.clone() }.into()),
                    () = overdue(&context) => Ok(()),
                    worked = tenure::serve(&setup, &make_core, &inputs, performer, &context, &lease) => worked,
                };
                metrics.lease_held.set(0);
                metrics.jobs_running.set(0);
                if let Err(error) = lease.release().await {
                    warn!(role = name, error = chain(&error), "the lease runs out by itself");
                }
                match worked {
                    Ok(()) => break Ok(()),
                    Err(error) if error.is_fatal() => break Err(error),
                    Err(error) => {
                        if error.is_lost() {
                            metrics.fenced.inc();
                        }
                        warn!(
                            role = name,
                            error = chain(&error),
                            "not active any more, its state is dropped"
                        );
                    }
                }
            }
        }
        tokio::select! {
            () = context.stop.cancelled() => break Ok(()),
            () = sleep(backoff.pause()) => {}
        }
    };
    context.health.set(&name, PartState::Stopped);
    match ended {
        Ok(()) => {
            info!(role = name, "stopped");
            Ok(())
        }
        Err(source) => Err(RoleError { role: name, source }),
    }
}

async fn wait_for_lease(name: &str, context: &Context) -> Result<Option<Lease>, Error> {
    context.health.set(name, PartState::Standby);
    Lease::acquire(&context.bus, name, &context.owner, &context.stop).await
}

/// Comes back when the role should have stopped a while ago.
async fn overdue(context: &Context) {
    context.stop.cancelled().await;
    sleep(LAST_INPUT).await;
}

/// Runs roles and workers side by side. When one cannot go on, the others are stopped.
///
/// # Errors
/// The first error of any of them.
pub async fn run_all(
    context: &Context,
    parts: Vec<BoxFuture<'static, Result<(), RoleError>>>,
) -> Result<(), RoleError> {
    let stop = &context.stop;
    let tasks = parts.into_iter().map(|part| async move {
        let ended = match tokio::spawn(part).await {
            Ok(ended) => ended,
            Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
            Err(_) => Ok(()),
        };
        if let Err(failed) = &ended {
            error!(error = chain(failed), "stopping the others");
            stop.cancel();
        }
        ended
    });
    join_all(tasks).await.into_iter().collect()
}

//! Writes to the log: specs as their one owner, fenced and with compare-and-set; commands where anybody may write.
//!
//! A new owner first claims, then waits until it has folded everything up to its claims, and only then decides: so two
//! consoles never give two specs the same version.

use std::sync::Arc;
use std::time::Duration;

use tidemill_bus::{Backoff, Bus, Error, Lease, Published, Publisher, chain};
use tidemill_events::emit::Outgoing;
use tidemill_events::stream::{Role, is_shared};
use tidemill_service::{Context, PartState, RoleError};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::log::{Answer, Log, LogError};
use crate::shared::Shared;

/// How long a write may take before its client is told that nobody knows.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a write waits for a console that starts or takes over, and how often it looks.
const TAKING_OVER: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(20);

/// The log on the bus.
#[derive(Debug)]
pub(crate) struct BusLog {
    bus: Bus,
    /// Here while this replica is the owner.
    publisher: Mutex<Option<Publisher>>,
    /// Told when the publisher was given up.
    given_up: Notify,
}

impl BusLog {
    pub(crate) fn new(bus: Bus) -> Self {
        Self { bus, publisher: Mutex::new(None), given_up: Notify::new() }
    }

    async fn owned(&self, event: &Outgoing, tenure: Option<u64>) -> Result<Option<u64>, LogError> {
        let mut slot = self.publisher.lock().await;
        // Another console may have written between two tenures, so that what was decided before is out of date.
        let publisher = slot.as_mut().filter(|publisher| Some(publisher.epoch()) == tenure);
        let Some(publisher) = publisher else { return Err(LogError::Standby) };
        let error = match timeout(PATIENCE, publisher.publish(event, None)).await {
            Ok(Ok(Published::Stored(sequence))) => return Ok(Some(sequence)),
            Ok(Ok(Published::Known)) => return Ok(None),
            Ok(Err(error @ Error::Fenced { .. })) => {
                warn!(error = chain(&error), "another console took over");
                LogError::Standby
            }
            Ok(Err(error)) if error.is_fatal() => return Err(LogError::Refused(chain(&error))),
            Ok(Err(error)) => LogError::Unknown(chain(&error)),
            Err(_) => LogError::Unknown("the broker does not answer".to_owned()),
        };
        // What it knows of the subject's tail may be wrong now.
        *slot = None;
        self.given_up.notify_one();
        Err(error)
    }

    async fn shared(&self, event: &Outgoing) -> Result<Option<u64>, LogError> {
        let mut backoff = Backoff::default();
        let mut last = "the broker does not answer".to_owned();
        let stored = timeout(PATIENCE, async {
            loop {
                match self.bus.unfenced(event, None).await {
                    Ok(stored) => return Ok(Some(stored.sequence)),
                    Err(error) if error.is_fatal() => return Err(LogError::Refused(chain(&error))),
                    Err(error) => last = chain(&error),
                }
                sleep(backoff.pause()).await;
            }
        });
        match stored.await {
            Ok(stored) => stored,
            Err(_) => Err(LogError::Unknown(last)),
        }
    }
}

impl Log for BusLog {
    fn tenure(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let until = Instant::now() + TAKING_OVER;
            loop {
                if let Some(publisher) = &*self.publisher.lock().await {
                    return Ok(publisher.epoch());
                }
                if Instant::now() >= until {
                    return Err(LogError::Standby);
                }
                sleep(POLL).await;
            }
        })
    }

    fn publish(&self, event: Outgoing, tenure: Option<u64>) -> Answer<'_, Option<u64>> {
        Box::pin(async move {
            if is_shared(event.subject.topic) {
                self.shared(&event).await
            } else {
                self.owned(&event, tenure).await
            }
        })
    }
}

/// Holds the ownership of specs whenever it is to be had, until the process stops.
pub(crate) async fn hold(log: Arc<BusLog>, shared: Arc<Shared>, context: Context) -> Result<(), RoleError> {
    let role = Role::console();
    let metrics = context.metrics.role(&role.name);
    let mut backoff = Backoff::default();
    let ended = loop {
        context.health.set(&role.name, PartState::Standby);
        let lease = match Lease::acquire(&context.bus, &role.name, &context.owner, &context.stop).await {
            Ok(Some(lease)) => lease,
            Ok(None) => break Ok(()),
            Err(error) if error.is_fatal() => break Err(error),
            Err(error) => {
                warn!(role = role.name, error = chain(&error), "cannot stand by");
                if pause(&mut backoff, &context).await { continue } else { break Ok(()) }
            }
        };
        metrics.lease_held.set(1);
        let held = tokio::select! {
            () = context.stop.cancelled() => Ok(()),
            () = lease.lost() => Err(Error::LeaseLost { role: role.name.clone() }),
            held = own(&role, &lease, &log, &shared, &context) => held,
        };
        *log.publisher.lock().await = None;
        metrics.lease_held.set(0);
        if let Err(error) = lease.release().await {
            warn!(role = role.name, error = chain(&error), "the lease runs out by itself");
        }
        match held {
            Ok(()) if context.stop.is_cancelled() => break Ok(()),
            Ok(()) => {}
            Err(error) if error.is_fatal() => break Err(error),
            Err(error) => {
                warn!(role = role.name, error = chain(&error), "this console does not write any more")
            }
        }
        if !pause(&mut backoff, &context).await {
            break Ok(());
        }
    };
    context.health.set(&role.name, PartState::Stopped);
    ended.map_err(|error| RoleError { role: role.name, source: error.into() })
}

/// Claims, catches up and lets writes through, until a write goes wrong.
async fn own(
    role: &Role,
    lease: &Lease,
    log: &BusLog,
    shared: &Shared,
    context: &Context,
) -> Result<(), Error> {
    context.health.set(&role.name, PartState::CatchingUp);
    let publisher = Publisher::claim(context.bus.clone(), role, lease).await?;
    let mut newest = 0;
    for topic in &role.owns {
        for subject in context.bus.subjects(*topic).await? {
            newest = newest.max(context.bus.tail(&subject).await?.map_or(0, |tail| tail.sequence));
        }
    }
    while !(shared.is_ready() && shared.seen(newest, Duration::from_millis(100)).await) {
        sleep(POLL).await;
    }
    *log.publisher.lock().await = Some(publisher);
    context.health.set(&role.name, PartState::Live);
    info!(role = role.name, "this console writes");
    log.given_up.notified().await;
    Ok(())
}

/// Waits a little; false if the process stops.
async fn pause(backoff: &mut Backoff, context: &Context) -> bool {
    tokio::select! {
        () = context.stop.cancelled() => false,
        () = sleep(backoff.pause()) => true,
    }
}

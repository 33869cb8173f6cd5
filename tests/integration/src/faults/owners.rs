//! Faults of ownership: an owner that sleeps through the end of its lease, and two owners at once.

use std::time::Duration;

use bytes::Bytes;
use tidemill_events::stream::LEASES;
use tokio::time::{Instant, sleep};

use super::{CEILING, ROWS, Trial};
use crate::cluster::Service;
use crate::{HarnessError, wait};

/// Rows a second while there are two owners.
const RATE: u32 = 300;

/// How an owner was replaced.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// From the freeze until another replica was live.
    pub taken_over_after: Duration,
    /// From the thaw until the old owner stood by.
    pub gave_up_after: Duration,
    /// What made it give up, in its own words.
    pub reason: String,
}

impl Trial {
    /// A turn during which the owner of a control service is frozen until another replica has completed the turn.
    ///
    /// # Errors
    /// When nobody takes over, or the old owner does not give up.
    pub async fn freeze_owner(&mut self, service: Service) -> Result<Replaced, HarnessError> {
        let part = service.name();
        let turns = self.auditor.ledger.turns();
        let nobody = || HarnessError::Other(format!("nobody is active as {part}"));
        let owner = self.cluster.owner(service, part).await.ok_or_else(nobody)?;
        let load = self.load(ROWS, None)?;
        while load.sent() < ROWS / 2 {
            sleep(Duration::from_millis(2)).await;
        }
        self.cluster.replicas[owner].process.freeze()?;
        let frozen = Instant::now();
        self.is_joined(service, owner).await?;
        let taken_over_after = frozen.elapsed();
        let sent = load.finish().await?;
        self.settle(sent, turns + 1).await?;

        self.cluster.replicas[owner].process.thaw()?;
        let thawed = Instant::now();
        let reason = self.gives_up(service, owner).await?;
        let gave_up_after = thawed.elapsed();
        // What it wrote, if anything, is not on the log.
        self.auditor.exact(CEILING, |_| Vec::new()).await.map_err(HarnessError::Other)?;
        Ok(Replaced { taken_over_after, gave_up_after, reason })
    }

    /// The leases of every control service are taken away from owners who do not know it yet: the other replicas become
    /// active, and the old owners go on writing. What each of them gave up for, by service.
    ///
    /// # Errors
    /// When nobody takes over, or an old owner does not give up.
    pub async fn two_owners(&mut self) -> Result<Vec<(Service, String)>, HarnessError> {
        let turns = self.auditor.ledger.turns();
        let mut owners = Vec::new();
        for service in Service::CONTROL {
            let nobody = || HarnessError::Other(format!("nobody is active as {}", service.name()));
            owners.push((service, self.cluster.owner(service, service.name()).await.ok_or_else(nobody)?));
        }
        for (service, _) in &owners {
            // As the client of the bucket deletes a key.
            let subject = format!("$KV.{LEASES}.{}", service.name());
            let (bus, delete) = (self.cluster.bus(), [("KV-Operation", "DEL")]);
            bus.publish_raw(&subject, None, &delete, Bytes::new()).await.map_err(HarnessError::Bus)?;
        }
        for (service, old) in &owners {
            self.is_joined(*service, *old).await?;
        }
        // Turns enough that whoever believes to be active has something to write.
        let load = self.load(4 * ROWS, Some(RATE))?;
        let mut given_up = Vec::new();
        for (service, old) in owners {
            given_up.push((service, self.gives_up(service, old).await?));
        }
        let sent = load.finish().await?;
        self.settle(sent, turns + 1).await?;
        Ok(given_up)
    }

    /// Waits until a replica beside the old owner is active.
    async fn is_joined(&self, service: Service, old: usize) -> Result<(), HarnessError> {
        let part = service.name();
        let joined = || async {
            let replicas = self.cluster.replicas.iter().enumerate();
            for (_, replica) in replicas.filter(|(i, r)| r.service == service && *i != old) {
                if self.cluster.state(replica, part).await.as_deref() == Some("live") {
                    return Ok(());
                }
            }
            Err(format!("nobody took the lease of {part}"))
        };
        wait::until(CEILING, joined).await.map_err(HarnessError::Other)
    }

    /// Waits until an old owner stands by, and gives its reason.
    async fn gives_up(&self, service: Service, owner: usize) -> Result<String, HarnessError> {
        let part = service.name();
        let old = &self.cluster.replicas[owner];
        let label = format!("role=\"{part}\"");
        let given_up = || async {
            let fenced = self.cluster.counter(old, "tidemill_fenced_total", &label).await;
            let state = self.cluster.state(old, part).await;
            if fenced.unwrap_or(0.0) >= 1.0 && state.as_deref() == Some("standby") {
                Ok(())
            } else {
                Err(format!("the old owner of {part} is {state:?}, fenced {fenced:?} times"))
            }
        };
        wait::until(CEILING, given_up).await.map_err(HarnessError::Other)?;
        let log = old.process.log();
        let said = log.lines().rfind(|l| l.contains("not active any more")).unwrap_or_default();
        Ok(said.split_once("error=").map_or(said, |(_, reason)| reason).to_owned())
    }
}

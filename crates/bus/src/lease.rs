//! Leases: of the replicas of a role one is active, the others stand by.
//!
//! A lease is a key that grows old. Its bucket says how long it lasts; it is renewed three times within that, counted from
//! *sending* the renewal, and given up before the broker lets it go. Expiry raises no event, so standbys ask again and again.
//! A lease only saves work: what keeps two owners apart are the claims of the publisher.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use bytes::Bytes;
use tidemill_events::stream::LEASES;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::backoff::Backoff;
use crate::connect::Bus;
use crate::error::{Cause, Error, chain};

/// When to do what with a lease, in parts of its life: 10 s are renewed every 3 s, given up at 8 s, asked for every 1 s.
#[derive(Clone, Copy, Debug)]
struct Pace {
    renew: Duration,
    give_up: Duration,
    poll: Duration,
}

impl Pace {
    fn of(life: Duration) -> Self {
        Self { renew: life * 3 / 10, give_up: life * 8 / 10, poll: life / 10 }
    }
}

/// The right to be the active replica of a role. Dropped without [`Lease::release`], it runs out.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    role: String,
    owner: String,
    value: Bytes,
    epoch: u64,
    state: Arc<State>,
    renewing: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    lost: CancellationToken,
    held: Mutex<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    revision: u64,
    until: Instant,
}

impl State {
    fn held(&self) -> Held {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

impl Lease {
    /// Waits until the role is free and takes it, or until `stop`, which gives nothing.
    ///
    /// # Errors
    /// When the bucket does not exist or must not be used. What may pass by itself is waited for.
    pub async fn acquire(
        bus: &Bus,
        role: &str,
        owner: &str,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, Error> {
        let store = open(bus, role).await?;
        let pace = Pace::of(store.stream.cached_info().config.max_age);
        // Nobody else writes this value, so that we know our own renewals, also those that were never confirmed.
        let value = Bytes::from(format!("{owner} {}", bus.unique()));
        let mut backoff = Backoff::default();
        loop {
            let asked = Instant::now();
            let pause = match store.create(role, value.clone()).await {
                Ok(epoch) => {
                    info!(role, owner, epoch, "lease taken");
                    let held = Held { revision: epoch, until: asked + pace.give_up };
                    let state = Arc::new(State { lost: CancellationToken::new(), held: Mutex::new(held) });
                    let renewal =
                        renew(store.clone(), role.to_owned(), value.clone(), pace, Arc::clone(&state));
                    let renewing = tokio::spawn(renewal);
                    return Ok(Some(Self {
                        store,
                        role: role.to_owned(),
                        owner: owner.to_owned(),
                        value,
                        epoch,
                        state,
                        renewing,
                    }));
                }
                Err(e) if e.kind() == CreateErrorKind::AlreadyExists => {
                    debug!(role, owner, "standing by");
                    backoff.reset();
                    pace.poll
                }
                Err(e) => {
                    let subject = format!("{}{role}", store.prefix);
                    let error = bus.explain(&subject, failed(role, "take", e.into()));
                    if error.is_fatal() {
                        return Err(error);
                    }
                    warn!(error = chain(&error), "cannot take the lease yet");
                    backoff.pause()
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = sleep(pause) => {}
            }
        }
    }

    /// Counts the owners of the role: whoever takes the lease later has a greater one.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The replica that holds it.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether it is ours right now.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        !self.state.lost.is_cancelled() && Instant::now() < self.state.held().until
    }

    /// Comes back once it is lost.
    pub async fn lost(&self) {
        self.state.lost.cancelled().await;
    }

    /// Gives it back, so that a standby need not wait until it runs out.
    ///
    /// # Errors
    /// When the broker does not say that it is gone; it will run out.
    pub async fn release(mut self) -> Result<(), Error> {
        let was_valid = self.is_valid();
        self.renewing.abort();
        // A renewal that is under way reaches the broker before what is asked next.
        let _ = (&mut self.renewing).await;
        if !was_valid {
            return Ok(());
        }
        let entry = self.store.entry(&self.role).await;
        let Some(entry) = entry.map_err(|e| failed(&self.role, "look at", e.into()))? else { return Ok(()) };
        if entry.value != self.value {
            return Ok(());
        }
        self.store
            .delete_expect_revision(&self.role, Some(entry.revision))
            .await
            .map_err(|e| failed(&self.role, "give back", e.into()))?;
        info!(role = self.role, owner = self.owner, "lease given back");
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn open(bus: &Bus, role: &str) -> Result<Store, Error> {
    // The bucket is a stream; asking for it first tells what is wrong with it.
    bus.stream(&format!("KV_{LEASES}")).await?;
    bus.js.get_key_value(LEASES).await.map_err(|e| failed(role, "look for", e.into()))
}

fn failed(role: &str, doing: &'static str, source: Cause) -> Error {
    Error::Lease { role: role.to_owned(), doing, source }
}

/// Renews until the lease is lost.
async fn renew(store: Store, role: String, value: Bytes, pace: Pace, state: Arc<State>) {
    let _lost = state.lost.clone().drop_guard();
    let mut sent = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        sleep_until((sent + pace.renew).min(state.held().until)).await;
        loop {
            let held = state.held();
            sent = Instant::now();
            match timeout_at(held.until, once(&store, &role, &value, held.revision)).await {
                Err(_) => {
                    warn!(role, "the lease could not be renewed in time");
                    return;
                }
                Ok(Ok(Some(revision))) => {
                    state.hold(Held { revision, until: sent + pace.give_up });
                    backoff.reset();
                    break;
                }
                Ok(Ok(None)) => {
                    warn!(role, "somebody else has the lease");
                    return;
                }
                Ok(Err(error)) => {
                    warn!(role, error = chain(&*error), "cannot renew the lease yet");
                    sleep(backoff.pause()).await;
                }
            }
        }
    }
}

/// Renews once: the new revision, or nothing if the lease is not ours any more.
async fn once(store: &Store, role: &str, value: &Bytes, revision: u64) -> Result<Option<u64>, Cause> {
    match store.update(role, value.clone(), revision).await {
        Ok(revision) => return Ok(Some(revision)),
        Err(e) if e.kind() == UpdateErrorKind::WrongLastRevision => {}
        Err(e) => return Err(e.into()),
    }
    // Perhaps a renewal of ours was stored and its answer lost.
    match store.entry(role).await? {
        Some(entry) if entry.value == *value => {
            Ok(store.update(role, value.clone(), entry.revision).await.ok())
        }
        Some(_) | None => Ok(None),
    }
}

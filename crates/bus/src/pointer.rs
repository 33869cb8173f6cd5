//! A small value under a name, changed only by who knows the value before it: where the newest snapshot of a role is.
//!
//! It must not know what the value says.

use async_nats::jetstream::kv::{Store, UpdateErrorKind};
use bytes::Bytes;
use tidemill_events::stream::SNAPSHOTS;

use crate::connect::Bus;
use crate::error::{Cause, Error};

/// The value of one name.
#[derive(Clone, Debug)]
pub struct Pointer {
    bus: Bus,
    store: Store,
    name: String,
}

impl Pointer {
    /// Opens the bucket of snapshots for the value of `name`.
    ///
    /// # Errors
    /// When it does not exist or the broker does not answer.
    pub async fn open(bus: &Bus, name: &str) -> Result<Self, Error> {
        // The bucket is a stream; asking for it first tells what is wrong with it.
        bus.stream(&format!("KV_{SNAPSHOTS}")).await?;
        let store = bus.js.get_key_value(SNAPSHOTS).await.map_err(|e| failed(name, "look for", e.into()))?;
        Ok(Self { bus: bus.clone(), store, name: name.to_owned() })
    }

    /// The value and its revision; none if it was never set.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn get(&self) -> Result<Option<(Bytes, u64)>, Error> {
        let entry = self.store.entry(&self.name).await.map_err(|e| failed(&self.name, "read", e.into()))?;
        Ok(entry.map(|entry| (entry.value, entry.revision)))
    }

    /// Sets the value if its revision is still `revision`, 0 for none; the new revision, or nothing if it is another.
    ///
    /// # Errors
    /// When the broker did not say that it is set.
    pub async fn set(&self, value: Bytes, revision: u64) -> Result<Option<u64>, Error> {
        match self.store.update(&self.name, value, revision).await {
            Ok(revision) => Ok(Some(revision)),
            Err(e) if e.kind() == UpdateErrorKind::WrongLastRevision => Ok(None),
            Err(e) => {
                let subject = format!("{}{}", self.store.prefix, self.name);
                Err(self.bus.explain(&subject, failed(&self.name, "set", e.into())))
            }
        }
    }
}

fn failed(name: &str, doing: &'static str, source: Cause) -> Error {
    Error::Pointer { name: name.to_owned(), doing, source }
}

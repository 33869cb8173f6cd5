//! Artefacts in the data folder: read from there if they are there and whole, otherwise from the store and kept.

use std::sync::Arc;
use std::{fs, io};

use bytes::Bytes;
use tidemill_bus::error::Cause;
use tidemill_domain::ContentHash;
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::counted::{Counted, Damage};
use crate::data::Data;
use crate::load::Artefacts;

/// The data folder before the store.
pub(crate) struct Shelf<A> {
    pub(crate) kept: OnDisk,
    pub(crate) store: A,
}

impl<A: Artefacts> Artefacts for Shelf<A> {
    async fn artefact(&self, hash: &ContentHash) -> Result<Bytes, Cause> {
        match self.kept.read(hash).await? {
            Some(bytes) => Ok(bytes),
            None => {
                let bytes = self.store.artefact(hash).await?;
                self.kept.write(hash, bytes.clone()).await?;
                Ok(bytes)
            }
        }
    }
}

/// The data folder alone. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct OnDisk {
    pub(crate) data: Arc<Data>,
    pub(crate) counted: Counted,
}

impl Artefacts for OnDisk {
    async fn artefact(&self, hash: &ContentHash) -> Result<Bytes, Cause> {
        self.read(hash).await?.ok_or_else(|| "it is not in the data folder".into())
    }
}

impl OnDisk {
    /// What is there under a name, if it is what the name says. Anything else is counted and goes.
    async fn read(&self, hash: &ContentHash) -> Result<Option<Bytes>, Cause> {
        let Some(path) = self.data.artefact(hash) else { return Ok(None) };
        let (hash, counted) = (hash.clone(), self.counted.clone());
        let found = spawn_blocking(move || {
            let trouble = match fs::read(&path) {
                Ok(bytes) if ContentHash::of(&bytes) == hash => return Some(bytes),
                Ok(bytes) => format!("it has {} bytes that hash to something else", bytes.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
                Err(error) => error.to_string(),
            };
            counted.damaged(Damage::Artefact);
            warn!(file = %path.display(), trouble, "a kept artefact is damaged, it is passed over");
            // If it cannot be removed, it is replaced when the artefact is kept again.
            let _ = fs::remove_file(&path);
            None
        });
        Ok(found.await?.map(Bytes::from))
    }

    /// Keeps an artefact; a disk that does not take it hinders nobody now.
    async fn write(&self, hash: &ContentHash, bytes: Bytes) -> Result<(), Cause> {
        let Some(path) = self.data.artefact(hash) else { return Ok(()) };
        let (hash, data, counted) = (hash.clone(), Arc::clone(&self.data), self.counted.clone());
        let written = spawn_blocking(move || {
            if ContentHash::of(&bytes) != hash {
                // Whoever asked will see, and say so.
                return;
            }
            if let Err(error) = data.write(&path, &bytes) {
                counted.disk_failures.inc();
                warn!(file = %path.display(), %error, "an artefact cannot be kept");
            }
        });
        Ok(written.await?)
    }

    /// Whether something is there under this name.
    pub(crate) fn has(&self, hash: &ContentHash) -> bool {
        self.data.artefact(hash).is_some_and(|path| path.exists())
    }
}

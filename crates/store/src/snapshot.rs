//! Snapshots of states: each owner has one that counts, named by owner, version and hash. It must not know what they say.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tidemill_domain::ContentHash;

use crate::error::{Error, Result};
use crate::{Object, Snapshot, Store};

impl Store {
    /// Stores the bytes of a snapshot and returns the hash in its name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_snapshot(&self, owner: &str, fold: u32, bytes: Vec<u8>) -> Result<ContentHash> {
        let hash = ContentHash::of(&bytes);
        self.put(Object::Snapshot(Snapshot { owner, fold, hash: &hash }), bytes.into()).await?;
        Ok(hash)
    }

    /// The bytes of a snapshot.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is damaged.
    pub async fn snapshot(&self, owner: &str, fold: u32, hash: &ContentHash) -> Result<Bytes> {
        let object = Object::Snapshot(Snapshot { owner, fold, hash });
        let bytes = self.get(object).await?;
        let found = ContentHash::of(&bytes);
        if found == *hash {
            Ok(bytes)
        } else {
            Err(Error::WrongContent { object: object.to_string(), found })
        }
    }

    /// Deletes every snapshot of the owner but this one, and says how many there were.
    ///
    /// # Errors
    /// When that cannot be found out, or one cannot be deleted.
    pub async fn keep_snapshot(&self, owner: &str, fold: u32, hash: &ContentHash) -> Result<u64> {
        let kept = Snapshot { owner, fold, hash };
        let failed = |source| Error::Io {
            operation: "clear away others than",
            object: Object::Snapshot(kept).to_string(),
            source,
        };
        let path = path(kept)?;
        let folder = Path::from(format!("{FOLDER}/{owner}"));
        let found: Vec<_> = self.objects.list(Some(&folder)).try_collect().await.map_err(failed)?;
        let mut n_deleted = 0;
        for other in found.into_iter().filter(|object| object.location != path) {
            match self.objects.delete(&other.location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => n_deleted += 1,
                Err(source) => return Err(failed(source)),
            }
        }
        Ok(n_deleted)
    }
}

const FOLDER: &str = "snapshots";

/// Where a snapshot lies. Owners are names of roles, but nothing may lead elsewhere.
pub(crate) fn path(snapshot: Snapshot<'_>) -> Result<Path> {
    let Snapshot { owner, fold, hash } = snapshot;
    let plain = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'-'));
    let hash = hash.as_str();
    if owner.is_empty() || !plain(owner) || hash.len() != 64 || !plain(hash) {
        return Err(Error::BadName(Object::Snapshot(snapshot).to_string()));
    }
    Ok(Path::from(format!("{FOLDER}/{owner}/v{fold}/{hash}")))
}

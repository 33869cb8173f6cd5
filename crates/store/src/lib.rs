//! Where bytes lie that are too large for the log: artefacts of models, segments of datasets, snapshots of states. Everything is named by the
//! hash of its content, so it never changes, may be stored again at any time, and shows when it is damaged.
//!
//! This crate must not know what a model is, which rows a dataset has, or when something may be deleted.

mod cache;
mod error;
mod place;
mod segment;
mod snapshot;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tidemill_domain::{CleanRow, ContentHash, Schema};
use tidemill_events::dataset::{Located, RowRange, segment_hash};

use cache::Cache;

pub use error::{Error, Result};
pub use segment::Unreadable;

/// The greatest object that is read, in bytes: more can only be a mistake.
const MAX_OBJECT: u64 = 1 << 30;
/// How much memory decoded segments may take until old ones are forgotten, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// Something that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// The bytes of a model.
    Artefact(&'a ContentHash),
    /// The rows of a segment.
    Segment(&'a ContentHash),
    /// The state of a core.
    Snapshot(Snapshot<'a>),
}

/// A snapshot: of whom, in which version of what its owner makes of the log, and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// Its owner: letters, digits and dashes.
    pub owner: &'a str,
    /// The version of its owner's fold.
    pub fold: u32,
    /// The hash of its bytes.
    pub hash: &'a ContentHash,
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artefact(hash) => write!(f, "artefact {hash}"),
            Self::Segment(hash) => write!(f, "segment {hash}"),
            Self::Snapshot(Snapshot { owner, fold, hash }) => {
                write!(f, "snapshot {hash} of {owner} in version {fold}")
            }
        }
    }
}

/// Artefacts and segments in one place. Clones share the place and the cache.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    cache: Arc<Cache>,
}

impl Store {
    /// Opens the place that `url` names: `file:///path` or a plain path for a folder, which is made if it is not there, or
    /// `memory:` for one that is gone with the last clone.
    ///
    /// # Errors
    /// When nothing can be stored in such a place.
    pub fn open(url: &str) -> Result<Self> {
        Ok(Self { objects: place::open(url)?, cache: Arc::new(Cache::new(CACHE_BYTES)) })
    }

    /// Stores an artefact and returns its name. Storing it again changes nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_artefact(&self, bytes: &[u8]) -> Result<ContentHash> {
        let hash = ContentHash::of(bytes);
        self.put(Object::Artefact(&hash), Bytes::copy_from_slice(bytes)).await?;
        Ok(hash)
    }

    /// The bytes of an artefact.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is damaged.
    pub async fn artefact(&self, hash: &ContentHash) -> Result<Bytes> {
        let object = Object::Artefact(hash);
        let bytes = self.get(object).await?;
        let found = ContentHash::of(&bytes);
        if found == *hash {
            Ok(bytes)
        } else {
            Err(Error::WrongContent { object: object.to_string(), found })
        }
    }

    /// Stores rows of this shape as the segment of that name: see [`segment_hash`]. Storing it again changes nothing.
    ///
    /// # Errors
    /// When the name is not that of the rows, or they cannot be written.
    pub async fn put_segment(&self, hash: &ContentHash, schema: &Schema, rows: &[CleanRow]) -> Result<()> {
        let object = Object::Segment(hash);
        let found = segment_hash(rows);
        if found != *hash {
            return Err(Error::WrongContent { object: object.to_string(), found });
        }
        let file = segment::encode(hash, schema, rows)
            .map_err(|source| Error::NotWritable { object: object.to_string(), source })?;
        self.put(object, file.into()).await
    }

    /// The rows of a segment, in order.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is damaged.
    pub async fn segment(&self, hash: &ContentHash) -> Result<Arc<Vec<CleanRow>>> {
        if let Some(rows) = self.cache.get(hash) {
            return Ok(rows);
        }
        let object = Object::Segment(hash);
        let file = self.get(object).await?;
        // Decoding takes its time, and a file that is damaged in just the right way makes the decoder panic: on a thread of
        // its own it hurts nobody.
        let decoded = tokio::task::spawn_blocking(move || {
            segment::decode(file).map(|rows| (segment_hash(&rows), rows))
        });
        let decoded = decoded.await.unwrap_or(Err(Unreadable::Decoder));
        let (found, rows) =
            decoded.map_err(|source| Error::Damaged { object: object.to_string(), source })?;
        if found != *hash {
            return Err(Error::WrongContent { object: object.to_string(), found });
        }
        let rows = Arc::new(rows);
        self.cache.put(hash, &rows);
        Ok(rows)
    }

    /// Exactly the rows of `range`, counted in dataset order. Only segments that hold some of them are read.
    ///
    /// # Errors
    /// When a segment cannot be read or is not as large as `located` says, or when `located` does not hold all of the range.
    pub async fn rows(&self, located: &Located, range: RowRange) -> Result<Vec<CleanRow>> {
        let mut rows = Vec::new();
        self.visit(located, range, |_, row| rows.push(row.clone())).await?;
        Ok(rows)
    }

    /// Shows exactly the rows of `range` to `see`, each with its number in dataset order, one segment in memory at a time
    /// beside the cache.
    ///
    /// # Errors
    /// As [`Store::rows`]; some of the rows may have been shown by then.
    pub async fn visit(
        &self,
        located: &Located,
        range: RowRange,
        mut see: impl FnMut(u64, &CleanRow) + Send,
    ) -> Result<()> {
        let mut found = 0;
        let mut start = located.start;
        for segment in &located.segments {
            let end = start.saturating_add(segment.rows);
            let (from, to) = (range.from.max(start), range.to.min(end));
            if from < to {
                let rows = self.segment(&segment.hash).await?;
                if rows.len() as u64 != segment.rows {
                    let object = Object::Segment(&segment.hash).to_string();
                    return Err(Error::Length { object, said: segment.rows, found: rows.len() as u64 });
                }
                // Both lie within the segment, whose length is that of a vector.
                let bounds = |row: u64| usize::try_from(row - start).unwrap_or(usize::MAX);
                for (number, row) in (from..to).zip(rows.get(bounds(from)..bounds(to)).unwrap_or_default()) {
                    see(number, row);
                    found += 1;
                }
            }
            start = end;
        }
        if found != range.rows() {
            return Err(Error::Range { from: range.from, to: range.to, found });
        }
        Ok(())
    }

    /// Whether it is stored; whether it is whole shows when it is read.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub async fn exists(&self, object: Object<'_>) -> Result<bool> {
        match self.objects.head(&path(object)?).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(Error::Io { operation: "look for", object: object.to_string(), source }),
        }
    }

    /// Deletes it; what is not there counts as deleted.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete(&self, object: Object<'_>) -> Result<()> {
        if let Object::Segment(hash) = object {
            self.cache.forget(hash);
        }
        match self.objects.delete(&path(object)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(Error::Io { operation: "delete", object: object.to_string(), source }),
        }
    }

    async fn put(&self, object: Object<'_>, bytes: Bytes) -> Result<()> {
        // Always written, whole or not at all, even if something is there: that may be damaged.
        let put = self.objects.put(&path(object)?, PutPayload::from_bytes(bytes)).await;
        put.map(|_| ()).map_err(|source| Error::Io { operation: "write", object: object.to_string(), source })
    }

    async fn get(&self, object: Object<'_>) -> Result<Bytes> {
        let failed = |source| match source {
            object_store::Error::NotFound { .. } => Error::Missing { object: object.to_string() },
            source => Error::Io { operation: "read", object: object.to_string(), source },
        };
        let found = self.objects.get(&path(object)?).await.map_err(failed)?;
        if found.meta.size > MAX_OBJECT {
            return Err(Error::TooLarge { object: object.to_string(), bytes: found.meta.size });
        }
        found.bytes().await.map_err(failed)
    }
}

/// Where an object lies. A hash that came with an event is any text until it is checked: it must not lead elsewhere.
fn path(object: Object<'_>) -> Result<Path> {
    let (folder, hash, ending) = match object {
        Object::Artefact(hash) => ("artefacts", hash, ""),
        Object::Segment(hash) => ("segments", hash, ".parquet"),
        Object::Snapshot(snapshot) => return snapshot::path(snapshot),
    };
    let text = hash.as_str();
    let is_hash = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let first = text.get(..2).filter(|_| is_hash).ok_or_else(|| Error::BadName(object.to_string()))?;
    Ok(Path::from(format!("{folder}/{first}/{text}{ending}")))
}

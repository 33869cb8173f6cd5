//! The folder of the local index: three tables that change together, in one batch, or not at all.
//!
//! It is a cache of the log. Nothing is synced to the disk, because what a crash of the machine takes is read again; and
//! whatever is wrong with the folder, it may be deleted. It must not know what its entries mean.

use std::path::{Path, PathBuf};

use fjall::config::BlockSizePolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch};

/// How much of the files is held in memory.
const CACHE_BYTES: u64 = 8 << 20;
/// How much is collected before it becomes a file; up to four such lots wait for that.
const LOT_BYTES: u64 = 2 << 20;
/// Journals at most; the least that there may be.
const JOURNAL_BYTES: u64 = 64 << 20;
const BLOCK_BYTES: u32 = 8 << 10;
/// Every table says under this key which batch it saw last. No loop's name begins so, and no deadline is so short.
const BATCH: [u8; 1] = [0xff];
const NAMES: [&str; 3] = ["known", "due", "about"];

/// Why the local index cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    /// When somebody else has it open.
    #[error("{} is open already, in this process or another", .0.display())]
    Busy(PathBuf),
    /// When an entry is not what was written.
    #[error("an entry of the local index is damaged")]
    Entry(#[source] serde_json::Error),
    /// When the folder cannot be made or deleted.
    #[error("the folder {} cannot be made or deleted", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// When an entry has no key that was ever written.
    #[error("a key of the local index is damaged")]
    Key,
    /// When its files cannot be opened.
    #[error("the local index cannot be opened")]
    Open(#[source] fjall::Error),
    /// When its files cannot be read.
    #[error("the local index cannot be read")]
    Read(#[source] fjall::Error),
    /// When its tables do not belong together.
    #[error("the tables of the local index do not belong together")]
    Torn,
    /// When its files cannot be written.
    #[error("the local index cannot be written")]
    Write(#[source] fjall::Error),
}

impl LocalError {
    /// Whether reading it again cannot help, so that it has to be made anew.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Entry(_) | Self::Key | Self::Open(_) | Self::Read(_) | Self::Torn => true,
            Self::Busy(_) | Self::Folder { .. } | Self::Write(_) => false,
        }
    }
}

/// An open folder.
pub(crate) struct Disk {
    database: Database,
    /// What is known of each id.
    pub(crate) known: Keyspace,
    /// What is due when.
    pub(crate) due: Keyspace,
    /// Everything else.
    pub(crate) about: Keyspace,
    n_batches: u64,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("n_batches", &self.n_batches).finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens the folder, and makes it where there is none. Nobody else can open it as long as this lives.
    pub(crate) fn open(folder: &Path) -> Result<Self, LocalError> {
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .open()
            .map_err(|error| match error {
                fjall::Error::Locked => LocalError::Busy(folder.to_owned()),
                error => LocalError::Open(error),
            })?;
        let n_found = NAMES.iter().filter(|name| database.keyspace_exists(name)).count();
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(LOT_BYTES)
                .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
        };
        let open = |name| database.keyspace(name, options).map_err(LocalError::Open);
        let [known, due, about] = NAMES;
        let (known, due, about) = (open(known)?, open(due)?, open(about)?);
        let mut disk = Self { database, known, due, about, n_batches: 0 };
        let seen =
            [disk.last_batch(&disk.known)?, disk.last_batch(&disk.due)?, disk.last_batch(&disk.about)?];
        if seen.iter().any(|batch| *batch != seen[0]) || (seen[0].is_some() && n_found != NAMES.len()) {
            return Err(LocalError::Torn);
        }
        disk.n_batches = seen[0].unwrap_or(0);
        Ok(disk)
    }

    fn last_batch(&self, table: &Keyspace) -> Result<Option<u64>, LocalError> {
        let Some(value) = self.get(table, &BATCH)? else { return Ok(None) };
        let bytes = value.as_slice().try_into().map_err(|_| LocalError::Torn)?;
        Ok(Some(u64::from_be_bytes(bytes)))
    }

    /// Whether anything was ever written.
    pub(crate) fn is_new(&self) -> bool {
        self.n_batches == 0
    }

    /// The value of a key.
    pub(crate) fn get(&self, table: &Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, LocalError> {
        Ok(table.get(key).map_err(LocalError::Read)?.map(|value| value.to_vec()))
    }

    /// At most `n` entries from `from` on, in the order of their keys.
    pub(crate) fn some(
        &self,
        table: &Keyspace,
        from: &[u8],
        n: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, LocalError> {
        let mut found = Vec::new();
        for entry in table.range(from..).take(n) {
            let (key, value) = entry.into_inner().map_err(LocalError::Read)?;
            if *key != BATCH {
                found.push((key.to_vec(), value.to_vec()));
            }
        }
        Ok(found)
    }

    /// Changes to be made together.
    pub(crate) fn batch(&self) -> OwnedWriteBatch {
        self.database.batch()
    }

    /// Makes them.
    pub(crate) fn commit(&mut self, mut batch: OwnedWriteBatch) -> Result<(), LocalError> {
        let n_batches = self.n_batches + 1;
        for table in [&self.known, &self.due, &self.about] {
            batch.insert(table, BATCH, n_batches.to_be_bytes());
        }
        batch.commit().map_err(LocalError::Write)?;
        self.n_batches = n_batches;
        Ok(())
    }
}

//! The folder in which a predictor keeps what it needs to answer while everything else is down (INV-7).
//!
//! `loops/<loop>.json` holds a loop's route table and schemas, `artefacts/<hash>` the models that are routed, `spool/` the
//! predictions that the bus does not have yet. A file is whole or not there, and shows when it is damaged. The folder
//! belongs to one process at a time. This module must not know what is in the files.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tidemill_domain::{Code, ContentHash, LoopId};

const LOOPS: &str = "loops";
const ARTEFACTS: &str = "artefacts";
const SPOOL: &str = "spool";
/// The ending of files that are being written.
const UNFINISHED: &str = "tmp";
/// How long the last owner may take to end.
const HANDOVER: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(20);

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// When another process uses it.
    #[error(
        "{code} the data folder {0} is used by another predictor: give each replica a folder of its own (--data)", code = Code::PredictorData
    )]
    InUse(PathBuf),
    /// When it cannot be read or written.
    #[error("{code} the data folder {path} cannot be used", code = Code::PredictorData)]
    Io {
        /// What was tried.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The folder, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Data {
    root: PathBuf,
    written: AtomicU64,
    /// The lock goes when the file is closed, however the process ends.
    _lock: File,
}

impl Data {
    /// Makes the folder if it is not there, and takes it. Blocks, for a moment also while its last owner ends.
    pub(crate) fn open(root: &Path) -> Result<Self, DataError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DataError::Io { path, source }
        };
        for part in [LOOPS, ARTEFACTS, SPOOL] {
            let path = root.join(part);
            fs::create_dir_all(&path).map_err(failed(&path))?;
        }
        let path = root.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(failed(&path))?;
        let until = Instant::now() + HANDOVER;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(POLL),
                Err(TryLockError::WouldBlock) => return Err(DataError::InUse(root.to_owned())),
                Err(TryLockError::Error(source)) => return Err(DataError::Io { path, source }),
            }
        }
        let data = Self { root: root.to_owned(), written: AtomicU64::new(0), _lock: lock };
        for part in [LOOPS, ARTEFACTS] {
            let path = root.join(part);
            for file in files(&path).map_err(failed(&path))? {
                if file.extension() == Some(OsStr::new(UNFINISHED)) {
                    fs::remove_file(&file).map_err(failed(&file))?;
                }
            }
        }
        Ok(data)
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.root.join(SPOOL)
    }

    pub(crate) fn loop_file(&self, loop_id: &LoopId) -> PathBuf {
        self.root.join(LOOPS).join(format!("{loop_id}.json"))
    }

    pub(crate) fn loop_files(&self) -> io::Result<Vec<PathBuf>> {
        files(&self.root.join(LOOPS))
    }

    /// Where an artefact lies. A hash that came with an event is any text until it is checked: it must not lead elsewhere.
    pub(crate) fn artefact(&self, hash: &ContentHash) -> Option<PathBuf> {
        let text = hash.as_str();
        let is_hash = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| self.root.join(ARTEFACTS).join(text))
    }

    pub(crate) fn artefacts(&self) -> io::Result<Vec<PathBuf>> {
        files(&self.root.join(ARTEFACTS))
    }

    /// Writes a file that is there whole, also after a power cut, or as it was before.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // Two may write the same artefact at once.
        let unfinished =
            path.with_extension(format!("{}.{UNFINISHED}", self.written.fetch_add(1, Ordering::Relaxed)));
        let written = write_and_sync(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            // What is left is removed at the next start if not now.
            let _ = fs::remove_file(&unfinished);
        }
        written?;
        path.parent().map_or(Ok(()), sync_folder)
    }
}

fn write_and_sync(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Sees that names in a folder outlive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The paths of a folder, in order.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

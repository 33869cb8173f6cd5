//! Predictions on disk until the bus has them.
//!
//! Every prediction is appended to a file before it is published, so there is one way for good and bad times. Files are
//! named by the number of their first row and closed at a size; one goes when the bus has all of its rows, and a mark says up
//! to which row that is. Beyond the bound new rows are shed and counted; those that wait already stay.
//!
//! What survives: a killed process loses what it had not appended yet, which are the rows of its last moment (a batch is held
//! for 10 ms). A power cut loses what the operating system had not written: files are synced once a second while rows older than
//! that wait, never for each request. A row may be delivered twice, its prediction id tells.
//!
//! This module must not know what a row says, or of any bus.

pub(crate) mod line;
mod mark;
mod read;

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_bus::chain;
use tokio::sync::Notify;
use tracing::{error, warn};

use crate::counted::{Counted, Damage, Shed};
use crate::data::{files, sync_folder};
use line::Row;
use mark::Mark;
pub(crate) use read::{Batch, Cursor};

/// Where a file is closed at the latest, unless a batch goes beyond it.
const MAX_SEGMENT: u64 = 16 << 20;
/// Into how many files the bound is split at least: space comes back file by file.
const SEGMENTS: u64 = 16;
/// Closed files that may wait to be synced.
const MAX_UNSYNCED: usize = 16;
const ENDING: &str = "log";
const MARK: &str = "delivered";

#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    state: Mutex<State>,
    /// There is something to read.
    pub(crate) news: Notify,
    counted: Counted,
}

#[derive(Debug)]
struct State {
    /// Oldest first. Rows are appended to the last one, if it is open.
    segments: VecDeque<Segment>,
    out: Option<File>,
    mark: Mark,
    /// The number of the next row.
    next: u64,
    /// All rows below are on the bus.
    delivered: u64,
    /// `next` when it was last looked whether rows wait.
    seen: u64,
    unsynced: Vec<File>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    first: u64,
    bytes: u64,
}

impl Spool {
    /// Opens the spool of a folder with whatever waits there.
    pub(crate) fn open(folder: PathBuf, max_bytes: u64, counted: Counted) -> io::Result<Self> {
        let (mark, said) = Mark::open(&folder.join(MARK))?;
        if said.is_none() {
            counted.damaged(Damage::SpoolMark);
            warn!("the mark of the spool is damaged: what is there is delivered again");
        }
        let mut segments = VecDeque::new();
        for path in files(&folder)? {
            if let Some(first) = number(&path) {
                segments.push_back(Segment { first, bytes: fs::metadata(&path)?.len() });
            }
        }
        let mut end = 0;
        if let Some(last) = segments.back_mut() {
            // Its last line may be torn; nothing is appended to it any more.
            let text = fs::read(folder.join(name(last.first)))?;
            last.bytes = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at as u64 + 1);
            end = last.first + text.iter().filter(|b| **b == b'\n').count() as u64;
        }
        let oldest = segments.front().map_or(0, |s| s.first);
        let delivered = said.unwrap_or(oldest).max(oldest);
        let next = end.max(delivered);
        let state = State { segments, out: None, mark, next, delivered, seen: next, unsynced: Vec::new() };
        let spool = Self { folder, max_bytes, state: Mutex::new(state), news: Notify::new(), counted };
        spool.show(&spool.state());
        Ok(spool)
    }

    /// Appends rows in order. What does not fit, or cannot be written, is shed and counted. Blocks.
    pub(crate) fn append(&self, rows: &[Row]) {
        let mut text = Vec::new();
        let mut ends = Vec::with_capacity(rows.len());
        for row in rows {
            row.write(&mut text);
            ends.push(text.len());
        }
        let mut state = self.state();
        let room = usize::try_from(self.max_bytes.saturating_sub(state.bytes())).unwrap_or(usize::MAX);
        let n_fitting = ends.partition_point(|end| *end <= room);
        text.truncate(n_fitting.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0));
        if n_fitting < rows.len() {
            self.counted.shed(Shed::SpoolFull, (rows.len() - n_fitting) as u64);
        }
        if n_fitting > 0
            && let Err(failed) = state.write(&self.folder, self.segment_bytes(), &text, n_fitting as u64)
        {
            error!(
                rows = n_fitting,
                error = chain(&failed),
                "predictions cannot be written down, they are shed"
            );
            self.counted.disk_failures.inc();
            self.counted.shed(Shed::SpoolFailed, n_fitting as u64);
        }
        self.show(&state);
        drop(state);
        self.news.notify_one();
    }

    /// All rows below this number are on the bus. Blocks.
    pub(crate) fn delivered(&self, upto: u64) {
        let mut state = self.state();
        state.delivered = state.delivered.max(upto);
        let delivered = state.delivered;
        if let Err(error) = state.mark.set(delivered) {
            self.counted.disk_failures.inc();
            warn!(%error, "the mark of the spool cannot be written: a restart would deliver rows again");
        }
        while state.segments.get(1).is_some_and(|second| second.first <= delivered) {
            let Some(done) = state.segments.pop_front() else { break };
            if let Err(error) = fs::remove_file(self.folder.join(name(done.first))) {
                self.counted.disk_failures.inc();
                warn!(%error, "a part of the spool that was delivered cannot be removed");
            }
        }
        self.show(&state);
    }

    /// Rows that wait for the bus.
    pub(crate) fn waiting(&self) -> u64 {
        let state = self.state();
        state.next - state.delivered
    }

    /// Sees that rows which wait since the last call outlive a power cut. Blocks.
    pub(crate) fn sync(&self) {
        let mut state = self.state();
        let is_late = state.delivered < state.seen;
        state.seen = state.next;
        if state.delivered == state.next {
            state.unsynced.clear();
        }
        if !is_late && state.unsynced.len() < MAX_UNSYNCED {
            return;
        }
        let mut unsynced = mem::take(&mut state.unsynced);
        unsynced.extend(state.out.as_ref().and_then(|out| out.try_clone().ok()));
        drop(state);
        let synced = unsynced.iter().try_for_each(File::sync_data).and_then(|()| sync_folder(&self.folder));
        if let Err(error) = synced {
            self.counted.disk_failures.inc();
            warn!(%error, "the spool cannot be synced: a power cut would lose predictions");
        }
    }

    fn segment_bytes(&self) -> u64 {
        (self.max_bytes / SEGMENTS).clamp(1, MAX_SEGMENT)
    }

    fn show(&self, state: &State) {
        let shown = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.counted.spool_rows.set(shown(state.next - state.delivered));
        self.counted.spool_bytes.set(shown(state.bytes()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    fn write(&mut self, folder: &Path, segment_bytes: u64, text: &[u8], rows: u64) -> io::Result<()> {
        if self.out.is_none() || self.segments.back().is_none_or(|s| s.bytes >= segment_bytes) {
            self.roll(folder)?;
        }
        let (Some(out), Some(segment)) = (&mut self.out, self.segments.back_mut()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Err(error) = out.write_all(text) {
            // Whatever was written of it must not be read after a restart.
            let _ = out.set_len(segment.bytes);
            self.out = None;
            return Err(error);
        }
        segment.bytes += text.len() as u64;
        self.next += rows;
        Ok(())
    }

    /// Closes the last file, and begins one with the next row.
    fn roll(&mut self, folder: &Path) -> io::Result<()> {
        self.unsynced.extend(self.out.take());
        // A file without rows would have the same name.
        if self.segments.back().is_some_and(|last| last.first == self.next) {
            self.segments.pop_back();
        }
        self.out = Some(File::create(folder.join(name(self.next)))?);
        self.segments.push_back(Segment { first: self.next, bytes: 0 });
        Ok(())
    }
}

fn name(first: u64) -> String {
    format!("{first:020}.{ENDING}")
}

fn number(path: &Path) -> Option<u64> {
    (path.extension() == Some(OsStr::new(ENDING))).then_some(())?;
    path.file_stem()?.to_str()?.parse().ok()
}

#[cfg(test)]
#[path = "spool/tests.rs"]
mod tests;

//! What ingest remembers, on this machine's disk, so that memory does not grow with the horizon.
//!
//! The disk must never be ahead of what was written to the log: what a row led to is remembered there only when the log has
//! it. So changes are first kept here, over the disk, and go there together with the positions that they belong to, when
//! everything that followed from them was written. Without a disk all of them stay here.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::Serialize;
use tidemill_domain::{LoopId, PredictionId, Timestamp};
use tidemill_ingest_core::{Control, Due, Known, Memory};

use crate::disk::{Disk, LocalError};

/// Changes that wait for the disk at most, in number and in bytes; then they go there as soon as the log allows.
const MANY: usize = 10_000;
const MANY_BYTES: usize = 4 << 20;
/// What an entry takes beside its content, about.
const ENTRY: usize = 100;
/// How many deadlines are read ahead.
const AHEAD: usize = 256;
/// The key of what changes with every message.
const HEAD: &[u8] = b"head";
/// Before the name of a loop: the key of its control.
const CONTROL: &[u8] = b"loop/";

/// What is remembered: changes over what is on the disk.
#[derive(Debug, Default)]
pub(crate) struct Local {
    disk: Option<Disk>,
    /// Ids whose entry changed; none where it is to be deleted.
    known: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Deadlines that are not on the disk yet.
    noted: BTreeMap<Due, Vec<u8>>,
    /// Deadlines that are on the disk still.
    taken: Vec<Due>,
    front: Front,
    bytes: usize,
    /// Which control of each loop the disk has.
    control: HashMap<LoopId, u64>,
}

/// The earliest deadlines of the disk, read ahead.
#[derive(Debug)]
struct Front {
    read: VecDeque<(Due, Vec<u8>)>,
    /// Where to read on.
    from: Due,
    /// Nothing lies beyond.
    is_all: bool,
}

impl Default for Front {
    fn default() -> Self {
        let from = Due { at: Timestamp(i64::MIN), nth: 0 };
        Self { read: VecDeque::new(), from, is_all: false }
    }
}

impl Local {
    /// What is on a disk.
    pub(crate) fn on(disk: Disk) -> Self {
        Self { disk: Some(disk), ..Self::default() }
    }

    /// What was last given to [`Local::commit`], if anything was.
    pub(crate) fn head(&self) -> Result<Option<Vec<u8>>, LocalError> {
        match &self.disk {
            Some(disk) => disk.get(&disk.about, HEAD),
            None => Ok(None),
        }
    }

    /// The control of all loops.
    pub(crate) fn read_control(&mut self) -> Result<BTreeMap<LoopId, Control>, LocalError> {
        let mut all = BTreeMap::new();
        let Some(disk) = &self.disk else { return Ok(all) };
        for (key, value) in disk.some(&disk.about, CONTROL, usize::MAX)? {
            let Some(name) = key.strip_prefix(CONTROL) else { continue };
            let control: Control = serde_json::from_slice(&value).map_err(LocalError::Entry)?;
            let loop_id = loop_id(name)?;
            self.control.insert(loop_id.clone(), control.version());
            all.insert(loop_id, control);
        }
        Ok(all)
    }

    /// Whether anything would be kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.disk.is_some()
    }

    /// Whether so much changed that it should go to the disk.
    pub(crate) fn is_much(&self) -> bool {
        self.bytes >= MANY_BYTES || self.known.len() + self.noted.len() + self.taken.len() >= MANY
    }

    /// Writes every change, together with `head` and what is new of `control`.
    pub(crate) fn commit(
        &mut self,
        head: &impl Serialize,
        control: &BTreeMap<LoopId, Control>,
    ) -> Result<(), LocalError> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let mut batch = disk.batch();
        batch.insert(&disk.about, HEAD, serde_json::to_vec(head).map_err(LocalError::Entry)?);
        let news = control.iter().filter(|(id, c)| self.control.get(*id) != Some(&c.version()));
        let news: Vec<_> = news.collect();
        for (loop_id, control) in &news {
            let key = [CONTROL, loop_id.as_str().as_bytes()].concat();
            batch.insert(&disk.about, key, serde_json::to_vec(control).map_err(LocalError::Entry)?);
        }
        for (key, value) in std::mem::take(&mut self.known) {
            match value {
                Some(value) => batch.insert(&disk.known, key, value),
                None => batch.remove(&disk.known, key),
            }
        }
        for due in std::mem::take(&mut self.taken) {
            batch.remove(&disk.due, due_key(due));
        }
        let noted = std::mem::take(&mut self.noted);
        let earliest = noted.keys().next().copied();
        for (due, key) in noted {
            batch.insert(&disk.due, due_key(due), key);
        }
        disk.commit(batch)?;
        self.control.extend(news.into_iter().map(|(id, c)| (id.clone(), c.version())));
        self.bytes = 0;
        if let Some(earliest) = earliest {
            self.front.hear(earliest);
        }
        Ok(())
    }

    fn change(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        if value.is_none() && self.disk.is_none() {
            self.known.remove(&key);
            return;
        }
        self.bytes += ENTRY + key.len() + value.as_ref().map_or(0, Vec::len);
        self.known.insert(key, value);
    }

    /// Reads ahead where nothing is left of what was read.
    fn look_ahead(&mut self) -> Result<(), LocalError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        if self.front.is_all || !self.front.read.is_empty() {
            return Ok(());
        }
        let found = disk.some(&disk.due, &due_key(self.front.from), AHEAD)?;
        self.front.is_all = found.len() < AHEAD;
        for (key, value) in found {
            let due = due_of(&key)?;
            self.front.from = Due { at: due.at, nth: due.nth + 1 };
            self.front.read.push_back((due, value));
        }
        Ok(())
    }
}

impl Front {
    /// Hears that the disk has a new deadline, and none before it.
    fn hear(&mut self, earliest: Due) {
        self.is_all = false;
        if earliest < self.from {
            self.from = self.read.front().map_or(earliest, |(first, _)| earliest.min(*first));
            self.read.clear();
        }
    }
}

impl Memory for Local {
    type Error = LocalError;

    fn get(&mut self, loop_id: &LoopId, id: &PredictionId) -> Result<Option<Known>, LocalError> {
        let key = key(loop_id, id);
        let found = match (self.known.get(&key), &self.disk) {
            (Some(changed), _) => changed.as_deref().map(serde_json::from_slice),
            (None, Some(disk)) => disk.get(&disk.known, &key)?.map(|value| serde_json::from_slice(&value)),
            (None, None) => None,
        };
        found.transpose().map_err(LocalError::Entry)
    }

    fn set(&mut self, loop_id: &LoopId, id: &PredictionId, known: Known) -> Result<(), LocalError> {
        let value = serde_json::to_vec(&known).map_err(LocalError::Entry)?;
        self.change(key(loop_id, id), Some(value));
        Ok(())
    }

    fn forget(&mut self, loop_id: &LoopId, id: &PredictionId) {
        self.change(key(loop_id, id), None);
    }

    fn note(&mut self, due: Due, loop_id: &LoopId, id: &PredictionId) {
        let key = key(loop_id, id);
        self.bytes += ENTRY + key.len();
        self.noted.insert(due, key);
    }

    fn next(&mut self) -> Result<Option<Due>, LocalError> {
        self.look_ahead()?;
        let of_disk = self.front.read.front().map(|(due, _)| *due);
        Ok(of_disk.into_iter().chain(self.noted.keys().next().copied()).min())
    }

    fn take_next(&mut self) -> Result<Option<(LoopId, PredictionId)>, LocalError> {
        let Some(next) = self.next()? else { return Ok(None) };
        let key = match self.noted.remove(&next) {
            Some(key) => Some(key),
            None => {
                self.taken.push(next);
                self.bytes += ENTRY;
                self.front.read.pop_front().map(|(_, key)| key)
            }
        };
        key.map(|key| parts(&key)).transpose()
    }
}

/// Loop and id; the names of loops have no zero in them.
fn key(loop_id: &LoopId, id: &PredictionId) -> Vec<u8> {
    [loop_id.as_str().as_bytes(), &[0], id.as_str().as_bytes()].concat()
}

fn parts(key: &[u8]) -> Result<(LoopId, PredictionId), LocalError> {
    let at = key.iter().position(|b| *b == 0).ok_or(LocalError::Key)?;
    let id = std::str::from_utf8(&key[at + 1..]).map_err(|_| LocalError::Key)?;
    Ok((loop_id(&key[..at])?, PredictionId::new(id)))
}

fn loop_id(name: &[u8]) -> Result<LoopId, LocalError> {
    let name = std::str::from_utf8(name).map_err(|_| LocalError::Key)?;
    LoopId::new(name).map_err(|_| LocalError::Key)
}

/// Keys in the order of time, so that what is due stands at the beginning.
fn due_key(due: Due) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&(due.at.0.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    key[8..].copy_from_slice(&due.nth.to_be_bytes());
    key
}

fn due_of(key: &[u8]) -> Result<Due, LocalError> {
    let (at, nth) = key.split_first_chunk::<8>().ok_or(LocalError::Key)?;
    let nth = u64::from_be_bytes(nth.try_into().map_err(|_| LocalError::Key)?);
    Ok(Due { at: Timestamp((u64::from_be_bytes(*at) ^ (1 << 63)).cast_signed()), nth })
}

#[cfg(test)]
#[path = "tests/local.rs"]
mod tests;

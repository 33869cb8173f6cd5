//! What is kept on this machine to start sooner, and when it may be used.
//!
//! It is a place in the order in which everything was folded: what is remembered, and where in both streams that was. It is
//! good for a start only if the log goes on from there, so it is compared with the log first. What does not fit is deleted
//! and made anew from the log; nothing is lost by that but time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tidemill_bus::{Extent, chain};
use tidemill_domain::{LoopId, Timestamp};
use tidemill_events::emit::{Emitter, Upto};
use tidemill_events::{Partition, Subject, Topic};
use tidemill_ingest_core::{Head, Order, State};
use tracing::{info, warn};

use crate::disk::{Disk, LocalError};
use crate::local::Local;
use crate::merge::Stand;

/// The form of what is kept; another one is made anew.
const FORMAT: u32 = 1;

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whose {
    pub(crate) partition: Partition,
    pub(crate) partitions: u16,
}

/// From where to where the streams go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extents {
    pub(crate) intake: Extent,
    pub(crate) control: Extent,
    pub(crate) samples: Extent,
}

/// A place in a stream: everything up to `sequence` was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    created: Timestamp,
    sequence: u64,
}

/// Where ingest stood when it kept what it remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    format: u32,
    whose: Whose,
    intake: Seen,
    control: Seen,
    samples: Seen,
    /// The positions that were written, by loop.
    written: BTreeMap<LoopId, Upto>,
    pub(crate) merge: Stand,
    pub(crate) order: Order,
    head: Head,
}

/// Enough of any format to tell that it is another one.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Why what was found cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("it is ahead of the log: {stream} ends at {last}, and {sequence} was seen of it")]
    Ahead { stream: &'static str, last: u64, sequence: u64 },
    #[error("it was found damaged")]
    Damaged,
    #[error("it is of another log: the stream {0} was created anew")]
    OtherLog(&'static str),
    #[error("it has format {0}, and {FORMAT} is read")]
    OtherFormat(u32),
    #[error("it is of partition {} of {}", .0.partition.0, .0.partitions)]
    OtherPartition(Whose),
    #[error("it is too old: {stream} begins at {first}, and {sequence} was the last that was seen of it")]
    TooOld { stream: &'static str, first: u64, sequence: u64 },
    #[error("it cannot be read")]
    Unreadable(#[source] LocalError),
    #[error("it is ahead of the log: the loop {loop_id} was written up to {written}, the log has {found}")]
    Unwritten { loop_id: LoopId, written: Upto, found: Upto },
}

impl Kept {
    /// Where ingest stands now that everything that it gave out was written.
    pub(crate) fn new(
        whose: Whose,
        extents: &Extents,
        emitter: &Emitter,
        (merge, order): (Stand, Order),
        state: &State,
    ) -> Self {
        let seen = |extent: Extent, sequence| Seen { created: extent.created, sequence };
        let upto = |id: &LoopId| Some((id.clone(), emitter.position(&rows_of(id, whose))?));
        Self {
            format: FORMAT,
            whose,
            intake: seen(extents.intake, merge.intake),
            control: seen(extents.control, merge.control),
            samples: seen(extents.samples, extents.samples.last),
            written: state.control.keys().filter_map(upto).collect(),
            merge,
            order,
            head: state.head.clone(),
        }
    }

    /// The last message of the rows that was there.
    pub(crate) fn samples(&self) -> u64 {
        self.samples.sequence
    }

    /// Whether the log goes on from here.
    fn fits(&self, whose: Whose, log: &Extents, emitter: &Emitter) -> Result<(), Unfit> {
        if self.whose != whose {
            return Err(Unfit::OtherPartition(self.whose));
        }
        let streams = [
            ("INTAKE", self.intake, log.intake),
            ("LOOP", self.control, log.control),
            ("SAMPLES", self.samples, log.samples),
        ];
        for (stream, Seen { created, sequence }, Extent { first, last, created: now }) in streams {
            if created != now {
                return Err(Unfit::OtherLog(stream));
            }
            if sequence > last {
                return Err(Unfit::Ahead { stream, last, sequence });
            }
            if first > sequence + 1 {
                return Err(Unfit::TooOld { stream, first, sequence });
            }
        }
        for (loop_id, written) in &self.written {
            let found = emitter.position(&rows_of(loop_id, whose)).unwrap_or_default();
            if found < *written {
                return Err(Unfit::Unwritten { loop_id: loop_id.clone(), written: *written, found });
            }
        }
        Ok(())
    }
}

fn rows_of(loop_id: &LoopId, whose: Whose) -> Subject {
    Subject::new(loop_id.clone(), Topic::Sample(whose.partition))
}

/// Opens what is kept in a folder; an empty memory where nothing is, or where it does not fit.
pub(crate) fn recover(
    folder: &Path,
    is_damaged: bool,
    whose: Whose,
    log: &Extents,
    emitter: &Emitter,
) -> Result<(Local, Option<(Kept, State)>), LocalError> {
    let found = if is_damaged { Err(Unfit::Damaged) } else { read(folder, whose, log, emitter) };
    let unfit = match found {
        Ok((local, Some(found))) => {
            info!(folder = %folder.display(), intake = found.0.intake.sequence, "the local index is used");
            return Ok((local, Some(found)));
        }
        Ok((local, None)) => {
            info!(folder = %folder.display(), "the local index is made from the log");
            return Ok((local, None));
        }
        // It may be good: whoever has it open is asked again.
        Err(Unfit::Unreadable(busy @ LocalError::Busy(_))) => return Err(busy),
        Err(unfit) => unfit,
    };
    warn!(
        folder = %folder.display(),
        reason = chain(&unfit),
        "the local index is deleted and made anew from the log"
    );
    let failed = |source| LocalError::Folder { path: folder.to_owned(), source };
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    Ok((Local::on(open(folder)?), None))
}

fn open(folder: &Path) -> Result<Disk, LocalError> {
    fs::create_dir_all(folder).map_err(|source| LocalError::Folder { path: folder.to_owned(), source })?;
    Disk::open(folder)
}

fn read(
    folder: &Path,
    whose: Whose,
    log: &Extents,
    emitter: &Emitter,
) -> Result<(Local, Option<(Kept, State)>), Unfit> {
    let disk = open(folder).map_err(Unfit::Unreadable)?;
    let is_new = disk.is_new();
    let mut local = Local::on(disk);
    let Some(head) = local.head().map_err(Unfit::Unreadable)? else {
        return if is_new { Ok((local, None)) } else { Err(Unfit::Damaged) };
    };
    let entry = |error| Unfit::Unreadable(LocalError::Entry(error));
    let Format { format } = serde_json::from_slice(&head).map_err(entry)?;
    if format != FORMAT {
        return Err(Unfit::OtherFormat(format));
    }
    let kept: Kept = serde_json::from_slice(&head).map_err(entry)?;
    kept.fits(whose, log, emitter)?;
    let control = local.read_control().map_err(Unfit::Unreadable)?;
    let state = State { head: kept.head.clone(), control };
    Ok((local, Some((kept, state))))
}

#[cfg(test)]
#[path = "tests/kept.rs"]
mod tests;

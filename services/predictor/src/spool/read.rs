//! Reading the spool from the first row that the bus does not have.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::line::Row;
use super::{Segment, Spool, State, name};

/// How much is read at once, unless one line is longer.
const CHUNK: u64 = 256 << 10;

/// Where reading goes on.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The file, named by its first row.
    first: u64,
    offset: u64,
    /// The number of the next row.
    row: u64,
    file: Option<File>,
}

impl Cursor {
    fn at(first: u64) -> Self {
        Self { first, offset: 0, row: first, file: None }
    }
}

/// Rows in order, and what could not be read between them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) rows: Vec<Row>,
    pub(crate) damaged: u64,
    /// When these rows are on the bus, all below this number are.
    pub(crate) upto: u64,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.damaged == 0
    }
}

impl Spool {
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor::at(self.state().segments.front().map_or(0, |s| s.first))
    }

    /// The next rows; none if all were read. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read; [`Spool::pass_over`] leaves it behind.
    pub(crate) fn read(&self, cursor: &mut Cursor) -> io::Result<Batch> {
        loop {
            let (segment, next, delivered) = {
                let state = self.state();
                match state.place(cursor) {
                    Some((segment, next)) => (segment, next, state.delivered),
                    None => return Ok(Batch::default()),
                }
            };
            if cursor.first != segment.first {
                *cursor = Cursor::at(segment.first);
            }
            if segment.bytes <= cursor.offset {
                let Some(next) = next else { return Ok(Batch::default()) };
                // Rows that should have been in between are gone.
                let damaged = next.saturating_sub(cursor.row.max(delivered));
                *cursor = Cursor::at(next);
                if damaged > 0 {
                    return Ok(Batch { rows: Vec::new(), damaged, upto: next });
                }
                continue;
            }
            let text = self.lines(cursor, segment)?;
            let mut batch = Batch::default();
            for line in text.split_inclusive(|b| *b == b'\n') {
                if cursor.row >= delivered {
                    match Row::read(line.strip_suffix(b"\n").unwrap_or(line)) {
                        Some(row) => batch.rows.push(row),
                        None => batch.damaged += 1,
                    }
                }
                cursor.row += 1;
            }
            cursor.offset += text.len() as u64;
            // Damage may look like the end of a line.
            batch.upto = cursor.row.min(next.unwrap_or(u64::MAX));
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
    }

    /// Leaves the file of the cursor behind; gives how many rows are lost with it. Blocks.
    ///
    /// # Errors
    /// When no new file can be begun.
    pub(crate) fn pass_over(&self, cursor: &mut Cursor) -> io::Result<Batch> {
        let mut state = self.state();
        if state.place(cursor).is_none_or(|(_, next)| next.is_none()) {
            state.roll(&self.folder)?;
        }
        let next = state.place(cursor).and_then(|(_, next)| next).unwrap_or(state.next);
        let damaged = next.saturating_sub(cursor.row.max(state.delivered));
        *cursor = Cursor::at(next);
        Ok(Batch { rows: Vec::new(), damaged, upto: next })
    }

    /// Whole lines from the cursor on; up to the end of the file if there is no whole one.
    fn lines(&self, cursor: &mut Cursor, segment: Segment) -> io::Result<Vec<u8>> {
        if cursor.file.is_none() {
            cursor.file = Some(File::open(self.folder.join(name(segment.first)))?);
        }
        let Some(file) = &mut cursor.file else { return Err(io::ErrorKind::NotFound.into()) };
        let left = segment.bytes - cursor.offset;
        for wanted in [CHUNK.min(left), left] {
            let mut text = vec![0; usize::try_from(wanted).unwrap_or(usize::MAX)];
            file.seek(SeekFrom::Start(cursor.offset))?;
            file.read_exact(&mut text)?;
            if let Some(end) = text.iter().rposition(|b| *b == b'\n') {
                text.truncate(end + 1);
                return Ok(text);
            }
            if wanted == left {
                return Ok(text);
            }
        }
        Ok(Vec::new())
    }
}

impl State {
    /// The file in which reading goes on, and the first row of the one after it.
    fn place(&self, cursor: &Cursor) -> Option<(Segment, Option<u64>)> {
        let at = self.segments.iter().position(|s| s.first >= cursor.first)?;
        let next = self.segments.get(at + 1).map(|s| s.first);
        self.segments.get(at).map(|segment| (*segment, next))
    }
}

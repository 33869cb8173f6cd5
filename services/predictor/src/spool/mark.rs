//! Up to where the bus has everything: a small file that is written in place. Without it, or with a damaged one, everything
//! that is still on disk is delivered again, which harms nobody.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::line::check;

#[derive(Debug)]
pub(super) struct Mark(File);

impl Mark {
    /// Opens it, and says what it said; `None` for a damaged one.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Option<u64>)> {
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let said = if text.is_empty() { Some(0) } else { read(&text) };
        Ok((Self(file), said))
    }

    pub(super) fn set(&mut self, delivered: u64) -> io::Result<()> {
        let number = format!("{delivered:020}");
        let text = format!("{number} {}\n", check(number.as_bytes(), b"delivered"));
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(text.as_bytes())
    }
}

fn read(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let (number, found) = text.trim_end().split_once(' ')?;
    let is_whole = check(number.as_bytes(), b"delivered") == found;
    number.parse().ok().filter(|_| is_whole)
}

//! A prediction as a line of the spool: `<check> <loop> <record as JSON>`. The check is a hash of the rest, so that a line that
//! was torn or damaged shows, and hurts no other one.

use tidemill_domain::LoopId;
use tidemill_domain::hash::hash_parts;

/// Digits of the check: a torn line passes by chance once in 2^64 times.
const CHECK: usize = 16;

/// A prediction that waits for the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) loop_id: LoopId,
    /// The record as JSON, on one line.
    pub(crate) json: Vec<u8>,
}

impl Row {
    /// Appends the line of the row.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        let loop_id = self.loop_id.as_str().as_bytes();
        to.extend(check(loop_id, &self.json).as_bytes());
        to.push(b' ');
        to.extend(loop_id);
        to.push(b' ');
        to.extend(&self.json);
        to.push(b'\n');
    }

    /// The row of a line without its end; `None` for a damaged one.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        let (found, rest) = line.split_at_checked(CHECK)?;
        let rest = rest.strip_prefix(b" ")?;
        let end = rest.iter().position(|b| *b == b' ')?;
        let (loop_id, json) = (rest.get(..end)?, rest.get(end + 1..)?);
        if check(loop_id, json).as_bytes() != found {
            return None;
        }
        let loop_id = LoopId::new(std::str::from_utf8(loop_id).ok()?).ok()?;
        Some(Self { loop_id, json: json.to_vec() })
    }
}

pub(super) fn check(a: &[u8], b: &[u8]) -> String {
    hash_parts([a, b]).as_str().get(..CHECK).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written_and_damage_shows() {
        let loop_id = LoopId::new("parcels").unwrap_or_else(|e| unreachable!("{e}"));
        let row = Row { loop_id, json: br#"{"prediction_id":"a b"}"#.to_vec() };
        let mut line = Vec::new();
        row.write(&mut line);
        assert_eq!(line.pop(), Some(b'\n'));
        assert_eq!(Row::read(&line), Some(row));
        for at in 0..line.len() {
            let mut damaged = line.clone();
            damaged[at] ^= 1;
            assert_eq!(Row::read(&damaged), None, "byte {at}");
            assert_eq!(Row::read(&line[..at]), None, "cut at {at}");
        }
    }
}

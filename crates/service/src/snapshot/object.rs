//! How a snapshot looks: a line of JSON that says what it is of, and after it the core's own bytes. It must not know what those
//! say.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidemill_domain::ContentHash;

use crate::ticker::Ticked;

/// What the pointer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pointed {
    /// The version of the core's fold.
    pub(super) fold: u32,
    /// The last input that is in the state.
    pub(super) sequence: u64,
    /// The name of the object.
    pub(super) hash: ContentHash,
}

/// The first line of the object; the core's own bytes follow.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) role: String,
    pub(super) fold: u32,
    pub(super) sequence: u64,
    pub(super) ticked: Ticked,
}

/// The object of a state; none if its head cannot be written, which is a defect.
pub(super) fn frame(head: &Head, state: &[u8]) -> Option<Vec<u8>> {
    let mut object = serde_json::to_vec(head).ok()?;
    object.push(b'\n');
    object.extend_from_slice(state);
    Some(object)
}

/// The head and the state of an object; none if it is no snapshot.
pub(super) fn unframe(object: &Bytes) -> Option<(Head, Bytes)> {
    let end = object.iter().position(|byte| *byte == b'\n')?;
    let head = serde_json::from_slice(&object[..end]).ok()?;
    Some((head, object.slice(end + 1..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_it_was_written_and_other_bytes_are_none() {
        let head = Head { role: "deployer".into(), fold: 1, sequence: 7, ticked: Ticked::default() };
        let object = Bytes::from(frame(&head, b"\n{}\n").unwrap_or_default());
        let read = unframe(&object).map(|(head, state)| (head.role, head.sequence, state));
        assert_eq!(read, Some(("deployer".to_owned(), 7, Bytes::from_static(b"\n{}\n"))));
        for other in ["", "\n", "{}\n", "nonsense"] {
            assert!(unframe(&Bytes::from_static(other.as_bytes())).is_none(), "{other}");
        }
    }
}

//! A message of JSON records: one object, a list, or lines of objects. One bad record does not hurt the others, and nothing
//! that was sent is dropped: what cannot be read is handed on with the reasons. It must not know what records mean.

use serde::de::IgnoredAny;
use tidemill_domain::{LabelSource, Timestamp};

use super::limits::{MAX_REASONS, MAX_RECORDS, MAX_SHOWN};
use super::node::Node;
use super::{IntakeBatch, IntakeItem, Refused, label, prediction};
use crate::subject::Intake;
use crate::wire::MAX_MESSAGE;

/// What a message should be.
const EXPECTED: &str = "a JSON object, a list of objects, or lines with an object each is expected";

/// The records of a message on an intake subject that was received at the given time.
#[must_use]
pub fn decode_json(kind: Intake, payload: &[u8], received: Timestamp) -> IntakeBatch {
    if payload.len() > MAX_MESSAGE {
        return too_large(payload);
    }
    let text = payload.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(payload).trim_ascii();
    if text.is_empty() {
        return whole(payload, format!("the message is empty; {EXPECTED}"));
    }
    let (records, left_over) = if text.starts_with(b"[") { elements(text) } else { (lines(text), None) };
    if records.len() > MAX_RECORDS {
        return whole(
            payload,
            format!("the message has {} records; at most {MAX_RECORDS} are allowed", records.len()),
        );
    }
    let mut items: Vec<_> = records.into_iter().map(|record| item(kind, record, received)).collect();
    items.extend(left_over);
    IntakeBatch { items }
}

/// Something that is refused for these reasons: its text and the list are cut to what is kept.
#[must_use]
pub fn refused(payload: &[u8], mut reasons: Vec<String>) -> IntakeItem {
    let more = reasons.len().saturating_sub(MAX_REASONS);
    if more > 0 {
        reasons.truncate(MAX_REASONS);
        reasons.push(format!("and {more} more problems"));
    }
    // A few bytes more than are shown, so that a character at the edge is whole.
    let head = payload.get(..MAX_SHOWN + 4).unwrap_or(payload);
    let mut payload = String::from_utf8_lossy(head).into_owned();
    payload.truncate(payload.floor_char_boundary(MAX_SHOWN));
    IntakeItem::Unreadable(Refused { payload, reasons })
}

/// A message that is refused unread, because of its size.
pub(crate) fn too_large(payload: &[u8]) -> IntakeBatch {
    whole(payload, format!("the message has {} bytes; at most {MAX_MESSAGE} are allowed", payload.len()))
}

fn whole(payload: &[u8], reason: String) -> IntakeBatch {
    IntakeBatch { items: vec![refused(payload, vec![reason])] }
}

fn item(kind: Intake, record: &[u8], received: Timestamp) -> IntakeItem {
    let object = match serde_json::from_slice(record) {
        Ok(Node::Object(object)) => object,
        Ok(other) => return refused(record, vec![format!("it is {}; {EXPECTED}", other.describe())]),
        Err(error) => return refused(record, vec![syntax(&error)]),
    };
    let decoded = match kind {
        Intake::Prediction => prediction::decode(&object, received).map(IntakeItem::Prediction),
        Intake::Label => label::decode(&object, received, LabelSource::Application).map(IntakeItem::Label),
        Intake::Feedback => label::decode(&object, received, LabelSource::Feedback).map(IntakeItem::Label),
    };
    decoded.unwrap_or_else(|reasons| refused(record, reasons))
}

fn syntax(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.contains("number out of range") {
        return format!("a number is too big, at column {}; at most 1.8e308 is expected", error.column());
    }
    format!("it is no JSON: {text}; {EXPECTED}")
}

/// The lines of a text, or the whole text if it is one value, however it is laid out.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let lines = || text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty());
    // An object that is laid out over lines has one that begins with a brace; of records in lines there are more.
    let is_one = lines().filter(|line| line.starts_with(b"{")).nth(1).is_none();
    if is_one || serde_json::from_slice::<IgnoredAny>(text).is_ok() {
        return vec![text];
    }
    lines().map(<[u8]>::trim_ascii_start).filter(|line| !line.is_empty()).collect()
}

/// The elements of a list, found by brackets and quotes alone so that a bad one does not hide the next, and what is wrong
/// with the list itself.
fn elements(text: &[u8]) -> (Vec<&[u8]>, Option<IntakeItem>) {
    let mut elements = Vec::new();
    let (mut depth, mut start, mut in_text, mut escaped) = (0_usize, 1, false, false);
    for (at, byte) in text.iter().enumerate() {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => depth += 1,
            b',' if depth == 1 => {
                elements.push(piece(text, start, at));
                start = at + 1;
            }
            b']' if depth == 1 => {
                let last = piece(text, start, at);
                if !(elements.is_empty() && last.is_empty()) {
                    elements.push(last);
                }
                let after = piece(text, at + 1, text.len());
                let reason = "it follows the end of the list; nothing is expected there".to_owned();
                return (elements, (!after.is_empty()).then(|| refused(after, vec![reason])));
            }
            b']' | b'}' if depth > 1 => depth -= 1,
            _ => {}
        }
    }
    let last = piece(text, start, text.len());
    elements.push(last);
    (
        elements,
        Some(refused(
            last,
            vec!["the list does not end: records may be missing; \"]\" is expected".to_owned()],
        )),
    )
}

fn piece(text: &[u8], from: usize, to: usize) -> &[u8] {
    text.get(from..to).unwrap_or_default().trim_ascii()
}

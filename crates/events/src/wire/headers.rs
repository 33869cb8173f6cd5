//! Attributes of events as headers. Values are percent-encoded as CloudEvents asks, so that any text survives; it must not
//! know what events say.

use tidemill_domain::hash::hash_parts;
use tidemill_domain::{EventId, Timestamp, TurnId};

use super::{Incoming, WireError};
use crate::emit::Upto;
use crate::envelope::{Meta, header};

/// The version of CloudEvents that is spoken.
const SPEC_VERSION: &str = "1.0";
/// The source of messages that name none.
const PRODUCER: &str = "producer";
/// The longest id, in bytes, that is taken from a producer.
const MAX_ID: usize = 256;

/// The headers of an event.
pub(super) fn write(
    meta: &Meta,
    type_name: &str,
    content_type: &str,
    now: Timestamp,
    traceparent: Option<&str>,
) -> Result<Vec<(&'static str, String)>, WireError> {
    if meta.id.as_str().is_empty() {
        return Err(WireError::Header { name: header::ID, value: String::new() });
    }
    let id = escaped(meta.id.as_str());
    let mut headers = vec![
        (header::SPEC_VERSION, SPEC_VERSION.to_owned()),
        (header::ID, id.clone()),
        (header::SOURCE, escaped(&meta.source)),
        (header::TYPE, escaped(type_name)),
        (header::TIME, escaped(&now.to_string())),
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::MESSAGE_ID, id),
    ];
    if let Some(causation) = &meta.causation {
        headers.push((header::CAUSATION, escaped(causation.as_str())));
    }
    if let Some(turn) = &meta.correlation {
        headers.push((header::CORRELATION, escaped(turn.as_str())));
    }
    if let Some(upto) = meta.upto {
        headers.push((header::UPTO, upto.to_string()));
    }
    // A trace context is a help to people; a broken one must not stop an event.
    if let Some(trace) = traceparent.filter(|t| t.len() <= MAX_ID && t.bytes().all(|b| b.is_ascii_graphic()))
    {
        headers.push((header::TRACEPARENT, trace.to_owned()));
    }
    Ok(headers)
}

/// The value of a header.
pub(super) fn find(incoming: &Incoming<'_>, name: &str) -> Option<String> {
    let value = incoming.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?.1;
    Some(unescaped(value))
}

/// What the headers of an event of ours say.
pub(super) fn read(incoming: &Incoming<'_>) -> Result<Meta, WireError> {
    let need = |name| find(incoming, name).ok_or(WireError::MissingHeader(name));
    let id = need(header::ID)?;
    if id.is_empty() {
        return Err(WireError::Header { name: header::ID, value: id });
    }
    let upto = match find(incoming, header::UPTO) {
        Some(text) => {
            let upto: Upto =
                text.parse().map_err(|_| WireError::Header { name: header::UPTO, value: text.clone() })?;
            Some(upto)
        }
        None => None,
    };
    Ok(Meta {
        id: EventId::new(id),
        source: need(header::SOURCE)?,
        causation: find(incoming, header::CAUSATION).map(EventId::new),
        correlation: find(incoming, header::CORRELATION).map(TurnId::new),
        upto,
    })
}

/// What the headers of a message of anybody say. Only id and source count: a producer has no say in causes, turns and
/// positions. Without an id of its own the message is named by its place in the stream.
pub(super) fn read_intake(incoming: &Incoming<'_>) -> Meta {
    let good = |id: &String| (1..=MAX_ID).contains(&id.len()) && !id.chars().any(char::is_control);
    let given =
        [header::MESSAGE_ID, header::ID].into_iter().find_map(|name| find(incoming, name).filter(good));
    let id = given.map(EventId::new).unwrap_or_else(|| {
        let sequence = incoming.sequence.to_le_bytes();
        let hash = hash_parts([b"intake".as_slice(), incoming.subject.as_bytes(), &sequence]);
        EventId::new(hash.as_str().get(..32).unwrap_or(hash.as_str()))
    });
    let source = find(incoming, header::SOURCE).filter(good).unwrap_or_else(|| PRODUCER.to_owned());
    Meta { id, source, causation: None, correlation: None, upto: None }
}

/// Percent-encodes space, quote, percent and everything outside of printable ASCII.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'%' => out.push_str(&format!("%{byte:02X}")),
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Undoes [`escaped`]; a text that is not percent-encoded UTF-8 is taken as it is.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let pair = after.get(..2).filter(|_| *first == b'%').and_then(|pair| {
            let digits =
                std::str::from_utf8(pair).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u8::from_str_radix(digits, 16).ok()
        });
        if let Some(byte) = pair {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn texts_survive_and_are_printable(text in ".*") {
            let header = escaped(&text);
            proptest::prop_assert!(header.bytes().all(|b| b.is_ascii_graphic()));
            proptest::prop_assert_eq!(unescaped(&header), text);
        }

        #[test]
        fn any_header_is_read(text in ".*") {
            let _ = unescaped(&text);
        }
    }

    #[test]
    fn what_is_not_encoded_is_taken_as_it_is() {
        assert_eq!(unescaped("100%"), "100%");
        assert_eq!(unescaped("%zz%4"), "%zz%4");
        assert_eq!(unescaped("%FF"), "%FF");
        assert_eq!(unescaped("%C3%A9"), "é");
    }
}

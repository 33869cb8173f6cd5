//! Events as messages: subject, headers and payload, and back.
//!
//! Attributes are CloudEvents in binary mode; the payload is JSON, or for batches of rows one Arrow IPC stream. It must not
//! know of any client of a broker: the bus crate carries what is made here, and the simulator need not use it at all.
//!
//! A message that comes from outside is never trusted: whatever its bytes, reading it ends in an event or in an error, in
//! memory proportional to its size.

mod cells;
mod clean;
mod columns;
mod control;
mod frame;
mod headers;
mod rows;
mod sample;
mod split;

use tidemill_domain::Timestamp;

use crate::emit::Outgoing;
use crate::envelope::{Recorded, header};
use crate::event::Event;
use crate::intake::{self, IntakeBatch};
use crate::subject::{BadSubject, Intake, Subject, Topic};

pub use columns::ColumnError;
pub use rows::{rows_from_batch, rows_to_batch};
pub use split::{BATCH_BYTES, Weigh, split};

/// The greatest message, headers and payload together: what nats-server takes unless it is told otherwise.
pub const MAX_MESSAGE: usize = 1 << 20;

/// How much the weight of rows may overestimate their size. Beyond it no time is spent on encoding.
const EXPANSION: usize = 16;

/// The content type of control events.
pub const JSON: &str = "application/json";
/// The content type of batches of rows.
pub const ARROW: &str = "application/vnd.apache.arrow.stream";

/// A message, ready for the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Where it goes.
    pub subject: String,
    /// Its headers, each name once.
    pub headers: Vec<(&'static str, String)>,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Wire {
    /// The message as a reader meets it at `sequence` of its stream.
    #[must_use]
    pub fn incoming(&self, sequence: u64, time: Timestamp) -> Incoming<'_> {
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Incoming { subject: &self.subject, sequence, time, headers, payload: &self.payload }
    }
}

/// A message as it came from the bus.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// Where it was written.
    pub subject: &'a str,
    /// Its place in its stream.
    pub sequence: u64,
    /// When the stream took it.
    pub time: Timestamp,
    /// Its headers; names in any case, the first of equal names counts.
    pub headers: Vec<(&'a str, &'a str)>,
    /// Its payload.
    pub payload: &'a [u8],
}

/// Decodes a payload of an intake subject that came at the given time.
pub type IntakeDecoder = fn(Intake, &[u8], Timestamp) -> IntakeBatch;

/// Why an event cannot become a message, or a message no event.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A column of a batch of rows is not as it should be.
    #[error("a batch of rows of type {type_name} is malformed")]
    Columns {
        /// The event type.
        type_name: String,
        /// What is wrong.
        source: ColumnError,
    },
    /// A header has a value that cannot be.
    #[error("the header {name} says \"{value}\", which it cannot")]
    Header {
        /// The header.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// The payload is no JSON of its type.
    #[error("the payload is no JSON of type {type_name}")]
    Json {
        /// The event type.
        type_name: String,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A header is missing.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// The type has no place on the subject.
    #[error("events of type {type_name} do not belong on {subject}")]
    Misplaced {
        /// The event type.
        type_name: String,
        /// The subject.
        subject: Subject,
    },
    /// The event would come back as another one, for example because a number in it is not finite.
    #[error("an event of type {0} would not be read back as it is: is a number in it not finite?")]
    NotExact(String),
    /// Nobody can write an event of a type that is not known.
    #[error("an event of the unknown type {0} cannot be written")]
    NotWritable(String),
    /// The subject is none of ours.
    #[error("the subject cannot be read")]
    Subject(#[from] BadSubject),
    /// The message is too large.
    #[error("the message has {bytes} bytes, at most {MAX_MESSAGE} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// The message of an event that is written at `now`.
///
/// # Errors
/// When the event does not belong on its subject, is too large, or could not be read back as it is.
pub fn encode(out: &Outgoing, now: Timestamp, traceparent: Option<&str>) -> Result<Wire, WireError> {
    let type_name = out.event.type_name();
    if !out.event.belongs_on(out.subject.topic) {
        return Err(misplaced(&out.event, &out.subject));
    }
    let columns = |source| WireError::Columns { type_name: type_name.to_owned(), source };
    check_size(split::weight_of(&out.event) / EXPANSION)?;
    let (content_type, payload) = match (&out.event, out.subject.topic) {
        (Event::Sample(items), _) => (ARROW, sample::encode(items).map_err(columns)?),
        (Event::Clean(items), _) => (ARROW, clean::encode(items).map_err(columns)?),
        (Event::Intake(batch), Topic::Intake(kind)) => {
            let payload = intake::encode_batch(kind, batch);
            (JSON, payload.ok_or_else(|| WireError::NotExact(type_name.to_owned()))?)
        }
        (event, _) => (JSON, control::encode(event)?),
    };
    let headers = headers::write(&out.meta, type_name, content_type, now, traceparent)?;
    let bytes =
        payload.len() + headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>();
    check_size(bytes)?;
    Ok(Wire { subject: out.subject.to_string(), headers, payload })
}

/// The event of a message. On intake subjects anybody may write, with or without headers: there every message is an event,
/// and what cannot be read is part of it.
///
/// # Errors
/// When a message of a subject that Tidemill owns is not as Tidemill writes it.
pub fn decode(incoming: &Incoming<'_>) -> Result<Recorded, WireError> {
    decode_with(incoming, None)
}

/// The same, with a decoder for protobuf on intake subjects.
///
/// # Errors
/// As [`decode`].
pub fn decode_with(incoming: &Incoming<'_>, protobuf: Option<IntakeDecoder>) -> Result<Recorded, WireError> {
    let subject: Subject = incoming.subject.parse()?;
    if let Topic::Intake(kind) = subject.topic {
        let event = Event::Intake(intake_batch(incoming, kind, protobuf));
        let meta = headers::read_intake(incoming);
        return Ok(Recorded { sequence: incoming.sequence, time: incoming.time, subject, meta, event });
    }
    check_size(incoming.payload.len())?;
    let type_name = headers::find(incoming, header::TYPE).ok_or(WireError::MissingHeader(header::TYPE))?;
    let event = event(&type_name, incoming.payload)?;
    if !event.belongs_on(subject.topic) {
        return Err(misplaced(&event, &subject));
    }
    let meta = match event {
        // Its writer is of ours, but newer: what can be read of its headers counts.
        Event::Unknown { .. } => headers::read(incoming).unwrap_or_else(|_| headers::read_intake(incoming)),
        _ => headers::read(incoming)?,
    };
    Ok(Recorded { sequence: incoming.sequence, time: incoming.time, subject, meta, event })
}

fn event(type_name: &str, payload: &[u8]) -> Result<Event, WireError> {
    let columns = |source| WireError::Columns { type_name: type_name.to_owned(), source };
    match type_name {
        "dev.tidemill.rows.joined.v1" => Ok(Event::Sample(sample::decode(payload).map_err(columns)?)),
        "dev.tidemill.rows.accepted.v1" => Ok(Event::Clean(clean::decode(payload).map_err(columns)?)),
        // Only to be found in the wrong place: on its own subjects it is read without regard to its type.
        "dev.tidemill.intake.received.v1" => Ok(Event::Intake(IntakeBatch::default())),
        _ => control::decode(type_name, payload),
    }
}

fn intake_batch(incoming: &Incoming<'_>, kind: Intake, protobuf: Option<IntakeDecoder>) -> IntakeBatch {
    let content_type = headers::find(incoming, header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let is_protobuf = ["application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf"]
        .iter()
        .any(|known| content_type.starts_with(known));
    match protobuf {
        _ if incoming.payload.len() > MAX_MESSAGE => intake::too_large(incoming.payload),
        Some(decoder) if is_protobuf => decoder(kind, incoming.payload, incoming.time),
        None if is_protobuf => {
            let reason = format!("the content type is {content_type}; {JSON} is expected here");
            IntakeBatch { items: vec![intake::refused(incoming.payload, vec![reason])] }
        }
        _ => intake::decode_json(kind, incoming.payload, incoming.time),
    }
}

fn check_size(bytes: usize) -> Result<(), WireError> {
    if bytes > MAX_MESSAGE { Err(WireError::TooLarge { bytes }) } else { Ok(()) }
}

fn misplaced(event: &Event, subject: &Subject) -> WireError {
    WireError::Misplaced { type_name: event.type_name().to_owned(), subject: subject.clone() }
}

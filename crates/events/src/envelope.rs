//! What travels with an event: who wrote it, why, to which turn it belongs and which input it covers.
//!
//! The names follow CloudEvents 1.0 in binary mode: each attribute is a header `ce-<attribute>` beside NATS' own.

use serde::{Deserialize, Serialize};
use tidemill_domain::{EventId, Timestamp, TurnId};

use crate::emit::Upto;
use crate::event::Event;
use crate::subject::Subject;

/// Header names.
pub mod header {
    /// CloudEvents version.
    pub const SPEC_VERSION: &str = "ce-specversion";
    /// Event id.
    pub const ID: &str = "ce-id";
    /// Writer.
    pub const SOURCE: &str = "ce-source";
    /// Event type with its version.
    pub const TYPE: &str = "ce-type";
    /// When the writer wrote it.
    pub const TIME: &str = "ce-time";
    /// The event that caused it.
    pub const CAUSATION: &str = "ce-causationid";
    /// The turn of the loop.
    pub const CORRELATION: &str = "ce-correlationid";
    /// What the payload is.
    pub const CONTENT_TYPE: &str = "content-type";
    /// The broker's own duplicate detection.
    pub const MESSAGE_ID: &str = "Nats-Msg-Id";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// The input that is covered.
    pub const UPTO: &str = "tm-upto";
    /// The epoch of the writer's claim.
    pub const EPOCH: &str = "tm-epoch";
}

/// What is known of an event beside its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Its id.
    pub id: EventId,
    /// Who wrote it: a service, or a producer.
    pub source: String,
    /// The event that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<EventId>,
    /// The turn that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<TurnId>,
    /// The input of its writer that is covered by it and everything before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<Upto>,
}

/// An event as it lies on the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its place in its stream.
    pub sequence: u64,
    /// When the log took it.
    pub time: Timestamp,
    /// Where it was written.
    #[serde(with = "as_text")]
    pub subject: Subject,
    /// Who, why, for which turn.
    pub meta: Meta,
    /// What happened.
    pub event: Event,
}

/// Subjects as text in JSON.
pub mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::subject::Subject;

    /// Writes the subject.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(subject: &Subject, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(subject)
    }

    /// Reads a subject.
    ///
    /// # Errors
    /// When the text is no subject.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Subject, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

//! Dead letters: a message that is no event is told on a subject of its own before whoever met it goes on (INV-6).
//!
//! The subject is named for the place of the message, and a letter expects that nothing is there: so any number of readers
//! may tell it any number of times, and it is there once, for as long as letters are kept.

use tidemill_domain::{Code, EventId};
use tidemill_events::emit::Outgoing;
use tidemill_events::event::DeadLetter;
use tidemill_events::{Event, Meta, Subject};
use tracing::warn;

use crate::connect::Bus;
use crate::error::Error;
use crate::message::{Message, headers};
use crate::read::Poison;
use crate::send::Unsent;

impl Bus {
    /// Tells that `reader` met a message that is no event, and says whether nobody had told it before. May be repeated.
    ///
    /// # Errors
    /// When the broker did not say that the letter is stored. Then the reader must not go on: it would be lost.
    pub async fn dead_letter(&self, reader: &str, poison: &Poison) -> Result<bool, Error> {
        let Some(subject) = Subject::dead_letter(&poison.subject, poison.stream, poison.sequence) else {
            return Ok(false);
        };
        let letter = DeadLetter {
            stream: poison.stream.name().to_owned(),
            sequence: poison.sequence,
            subject: poison.subject.clone(),
            reader: reader.to_owned(),
            reason: poison.reason.clone(),
            bytes: poison.bytes,
            head: poison.head.clone(),
        };
        let event = Outgoing {
            meta: Meta {
                id: EventId::new(subject.to_string()),
                source: reader.to_owned(),
                causation: None,
                correlation: None,
                upto: None,
            },
            subject,
            event: Event::Dead(letter),
            content: None,
        };
        let mut message = Message::of(&event, None)?;
        let first = [(async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE.as_ref(), "0")];
        let id = event.meta.id.to_string();
        let encode = |source| Error::Encode { id, subject: event.subject.to_string(), source };
        for (name, values) in headers(first).map_err(encode)?.iter() {
            for value in values {
                message.headers.insert(name.clone(), value.clone());
            }
        }
        match self.send(message).await {
            Ok(stored) => {
                warn!(reader, letter = %event.subject, reason = poison.reason, "{} a message is no event", Code::NoEvent);
                Ok(!stored.duplicate)
            }
            Err(Unsent::WrongLast) => Ok(false),
            Err(Unsent::Unknown(error) | Unsent::Refused(error)) => Err(error),
        }
    }
}

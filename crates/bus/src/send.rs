//! Publishing, one message at a time, with the broker's answer; and publishing where anybody may write.

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use tidemill_events::emit::Outgoing;
use tidemill_events::envelope::header;

use crate::connect::Bus;
use crate::error::{Error, chain};
use crate::message::{Message, headers};
use crate::trace::TraceParent;
use crate::{clock, spans};

/// Where a message was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in its stream.
    pub sequence: u64,
    /// Whether the broker had it already.
    pub duplicate: bool,
}

/// Why a message was not stored, as far as one knows.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Something else was written to the subject.
    WrongLast,
    /// No answer: it may be stored or not.
    Unknown(Error),
    /// It was not taken.
    Refused(Error),
}

impl Bus {
    /// Publishes where anybody may write, once: trying again with the same id is safe within the broker's duplicate window
    /// and beyond it where readers take the first event of an id.
    ///
    /// # Errors
    /// When the event cannot be encoded, or the broker did not say that it is stored.
    pub async fn unfenced(&self, event: &Outgoing, trace: Option<&TraceParent>) -> Result<Stored, Error> {
        let message = Message::of(event, trace)?;
        let began = clock::now();
        let stored = self.send(message).await.map_err(Unsent::into_error)?;
        if !stored.duplicate {
            spans::published(event, trace, began);
        }
        Ok(stored)
    }

    /// Publishes bytes as a producer does, with `id` for the broker's duplicate detection.
    ///
    /// # Errors
    /// When a header has a line break, or the broker did not say that the message is stored.
    pub async fn publish_raw(
        &self,
        subject: &str,
        id: Option<&str>,
        extra_headers: &[(&str, &str)],
        payload: Bytes,
    ) -> Result<Stored, Error> {
        let pairs = extra_headers.iter().copied().chain(id.map(|id| (header::MESSAGE_ID, id)));
        let headers = headers(pairs).map_err(|source| Error::Encode {
            id: id.unwrap_or_default().to_owned(),
            subject: subject.to_owned(),
            source,
        })?;
        let message = Message { subject: subject.to_owned(), headers, payload };
        self.send(message).await.map_err(Unsent::into_error)
    }

    pub(crate) async fn send(&self, message: Message) -> Result<Stored, Unsent> {
        let Message { subject, headers, payload } = message;
        let id = headers.get(header::MESSAGE_ID).map(|id| id.as_str().to_owned()).unwrap_or_default();
        let publish = PublishMessage::build().headers(headers).payload(payload);
        let answer = match self.js.send_publish(subject.clone(), publish).await {
            Ok(answer) => answer.await,
            Err(e) => Err(e),
        };
        let error = match answer {
            Ok(ack) => return Ok(Stored { sequence: ack.sequence, duplicate: ack.duplicate }),
            Err(error) => error,
        };
        let kind = error.kind();
        let failed = Error::Publish { subject: subject.clone(), source: error.into() };
        Err(match kind {
            PublishErrorKind::WrongLastSequence => Unsent::WrongLast,
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
                Unsent::Unknown(self.explain(&subject, failed))
            }
            PublishErrorKind::MaxPayloadExceeded => Unsent::Refused(Error::TooLarge { id, subject }),
            PublishErrorKind::Other if is_full(&failed) => Unsent::Refused(Error::Full { subject }),
            PublishErrorKind::StreamNotFound => {
                Unsent::Refused(Error::NotProvisioned { name: format!("a stream for {subject}") })
            }
            PublishErrorKind::WrongLastMessageId
            | PublishErrorKind::MaxAckPending
            | PublishErrorKind::Other => Unsent::Refused(failed),
        })
    }
}

/// Whether the stream has reached a bound of its own; only the text of the broker says so.
fn is_full(error: &Error) -> bool {
    let text = chain(error);
    text.contains("maximum bytes exceeded") || text.contains("maximum messages exceeded")
}

impl Unsent {
    fn into_error(self) -> Error {
        match self {
            Self::Unknown(error) | Self::Refused(error) => error,
            // Only who expects a sequence is told that it is wrong.
            Self::WrongLast => {
                Error::Publish { subject: String::new(), source: "wrong last sequence".into() }
            }
        }
    }
}

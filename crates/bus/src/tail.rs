//! The last message of a subject, read from the stream itself: never from a consumer, which may lag.

use async_nats::jetstream::stream::LastRawMessageErrorKind;
use futures::TryStreamExt;
use tidemill_domain::{EventId, Timestamp};
use tidemill_events::emit::Upto;
use tidemill_events::stream::{Stream, filter};
use tidemill_events::{Event, Subject, Topic};

use crate::connect::Bus;
use crate::error::Error;
use crate::message::{Stored, timestamp};

/// What the last message of a subject says of its writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Its place in the stream.
    pub sequence: u64,
    /// Its id.
    pub id: Option<EventId>,
    /// The epoch of its writer; 0 for a writer without one.
    pub epoch: u64,
    /// The input of its writer that it covers.
    pub upto: Option<Upto>,
    /// Who claimed the subject with it, if it is a claim.
    pub claimed_by: Option<String>,
}

/// From where to where a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first sequence that is kept.
    pub first: u64,
    /// The last sequence that was given.
    pub last: u64,
    /// When the stream was created: sequences of another one mean nothing.
    pub created: Timestamp,
}

impl Extent {
    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.last < self.first || self.last == 0
    }
}

impl Bus {
    /// From where to where a stream goes right now.
    ///
    /// # Errors
    /// When the broker does not answer, or the stream does not exist.
    pub async fn extent(&self, stream: Stream) -> Result<Extent, Error> {
        let stream = self.stream(stream.name()).await?;
        let info = stream.cached_info();
        let (first, last) = (info.state.first_sequence, info.state.last_sequence);
        Ok(Extent { first, last, created: timestamp(info.created) })
    }

    /// The last message of a subject.
    ///
    /// # Errors
    /// When the broker does not answer, or the stream does not exist.
    pub async fn tail(&self, subject: &Subject) -> Result<Option<Tail>, Error> {
        let stream_name = Stream::of(subject.topic).name();
        let api = format!("$JS.API.STREAM.MSG.GET.{stream_name}");
        let failed = |source| self.explain(&api, Error::Look { stream: stream_name.to_owned(), source });
        let stream = self.js.get_stream_no_info(stream_name).await.map_err(|e| failed(e.into()))?;
        let text = subject.to_string();
        let message = match stream.get_last_raw_message_by_subject(&text).await {
            Ok(message) => message,
            Err(e) if e.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(None),
            Err(e) => return Err(failed(e.into())),
        };
        let stored = Stored {
            subject: &text,
            sequence: message.sequence,
            time: timestamp(message.time),
            headers: Some(&message.headers),
            payload: &message.payload,
        };
        let claimed_by = match stored.decode(None).map(|recorded| recorded.event) {
            Ok(Event::Claimed(claim)) => Some(claim.owner),
            Ok(_) | Err(_) => None,
        };
        Ok(Some(Tail {
            sequence: stored.sequence,
            id: stored.id(),
            epoch: stored.epoch().unwrap_or(0),
            upto: stored.upto(),
            claimed_by,
        }))
    }

    /// The subjects of a topic on which there is anything.
    ///
    /// # Errors
    /// When the broker does not answer, or the stream does not exist.
    pub async fn subjects(&self, topic: Topic) -> Result<Vec<Subject>, Error> {
        let stream_name = Stream::of(topic).name();
        let stream = self.stream(stream_name).await?;
        let api = format!("$JS.API.STREAM.INFO.{stream_name}");
        let failed = |source| self.explain(&api, Error::Look { stream: stream_name.to_owned(), source });
        let mut info = stream.info_with_subjects(filter(topic)).await.map_err(|e| failed(e.into()))?;
        let mut subjects = Vec::new();
        while let Some((subject, _)) = info.try_next().await.map_err(|e| failed(e.into()))? {
            // The stream takes nothing but our subjects; what were no subject could not be owned.
            subjects.extend(subject.parse::<Subject>().ok());
        }
        subjects.sort();
        Ok(subjects)
    }
}

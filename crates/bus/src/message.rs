//! From events to the broker's messages and back.

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use tidemill_domain::{EventId, Timestamp};
use tidemill_events::Recorded;
use tidemill_events::emit::{Outgoing, Upto};
use tidemill_events::envelope::header;
use tidemill_events::wire::{self, Incoming, IntakeDecoder};

use crate::clock;
use crate::error::{Cause, Error};
use crate::trace::TraceParent;

/// A message on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

impl Message {
    /// The message that carries `event`.
    pub(crate) fn of(event: &Outgoing, trace: Option<&TraceParent>) -> Result<Self, Error> {
        let subject = event.subject.to_string();
        let failed =
            |source| Error::Encode { id: event.meta.id.to_string(), subject: subject.clone(), source };
        let span = TraceParent::of_event(trace, &event.meta.id);
        let wire =
            wire::encode(event, clock::now(), Some(&span.to_string())).map_err(|e| failed(e.into()))?;
        let headers = headers(wire.headers.iter().map(|(n, v)| (*n, v.as_str()))).map_err(failed)?;
        Ok(Self { subject: subject.clone(), headers, payload: wire.payload.into() })
    }
}

/// Headers out of names and values; async-nats panics at line breaks unless they are parsed.
pub(crate) fn headers<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, Cause> {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse()?;
        let value: HeaderValue = value.parse()?;
        map.insert(name, value);
    }
    Ok(map)
}

/// What the broker tells of a stored message beside its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a> {
    pub(crate) subject: &'a str,
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
    pub(crate) headers: Option<&'a HeaderMap>,
    pub(crate) payload: &'a [u8],
}

impl Stored<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.and_then(|all| all.get(name)).map(HeaderValue::as_str)
    }

    pub(crate) fn id(&self) -> Option<EventId> {
        self.header(header::ID).or_else(|| self.header(header::MESSAGE_ID)).map(EventId::new)
    }

    pub(crate) fn epoch(&self) -> Option<u64> {
        self.header(header::EPOCH)?.parse().ok()
    }

    pub(crate) fn upto(&self) -> Option<Upto> {
        self.header(header::UPTO)?.parse().ok()
    }

    pub(crate) fn trace(&self) -> Option<TraceParent> {
        self.header(header::TRACEPARENT)?.parse().ok()
    }

    /// The event in it.
    pub(crate) fn decode(&self, protobuf: Option<IntakeDecoder>) -> Result<Recorded, Cause> {
        let headers = self.headers.map(pairs).unwrap_or_default();
        let Self { subject, sequence, time, payload, .. } = *self;
        let incoming = Incoming { subject, sequence, time, headers, payload };
        Ok(wire::decode_with(&incoming, protobuf)?)
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let firsts = headers.iter().filter_map(|(name, values)| Some((name.as_ref(), values.first()?.as_str())));
    firsts.collect()
}

/// A time stamp of the broker.
pub(crate) fn timestamp(time: async_nats::datetime::DateTime) -> Timestamp {
    Timestamp(i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX))
}

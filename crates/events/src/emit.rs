//! From drafts to events with ids and positions: the same in the simulator and on the bus.
//!
//! The id of an event hashes service, subject, cause and ordinal, so that publishing it again is recognised anywhere. The
//! position says which input it covers, so that a service that starts again publishes only what lies beyond (INV-1).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidemill_domain::EventId;
use tidemill_domain::hash::hash_parts;

use crate::core::{Content, Draft};
use crate::envelope::{Meta, Recorded};
use crate::event::Event;
use crate::subject::Subject;

/// A position: everything that follows from inputs up to `sequence`, and of that input the outputs up to `ordinal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Upto {
    /// The place of the input in its stream.
    pub sequence: u64,
    /// The place of the output among those of the input.
    pub ordinal: u32,
}

impl fmt::Display for Upto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.sequence, self.ordinal)
    }
}

/// Why a text is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no position: expected <sequence>.<ordinal>")]
pub struct BadUpto(String);

impl FromStr for Upto {
    type Err = BadUpto;
    fn from_str(text: &str) -> Result<Self, BadUpto> {
        let parts = text.split_once('.').and_then(|(s, o)| Some((s.parse().ok()?, o.parse().ok()?)));
        let (sequence, ordinal) = parts.ok_or_else(|| BadUpto(text.to_owned()))?;
        Ok(Self { sequence, ordinal })
    }
}

/// An event ready to be published.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Where it goes.
    pub subject: Subject,
    /// Its id, cause, turn and position.
    pub meta: Meta,
    /// What happened.
    pub event: Event,
    /// What must be stored first.
    pub content: Option<Content>,
}

/// Gives drafts their ids and positions, and leaves out those that are on the log already.
#[derive(Clone, Debug)]
pub struct Emitter {
    service: String,
    published: BTreeMap<Subject, Upto>,
}

impl Emitter {
    /// An emitter for the role `service`, for example `validator-0`.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), published: BTreeMap::new() }
    }

    /// Tells that the tail of `subject` carries `upto`.
    pub fn resume(&mut self, subject: Subject, upto: Upto) {
        let known = self.published.entry(subject).or_default();
        *known = (*known).max(upto);
    }

    /// The position of a subject.
    #[must_use]
    pub fn position(&self, subject: &Subject) -> Option<Upto> {
        self.published.get(subject).copied()
    }

    /// What is to be published of the drafts that followed from `cause`.
    pub fn emit(&mut self, cause: &Recorded, drafts: Vec<Draft>) -> Vec<Outgoing> {
        self.emit_at(Upto { sequence: cause.sequence, ordinal: 0 }, cause, drafts)
    }

    /// The same for a role whose position is not the sequence of `cause`: the drafts take the ordinals after `position`.
    pub fn emit_at(&mut self, position: Upto, cause: &Recorded, drafts: Vec<Draft>) -> Vec<Outgoing> {
        let mut out = Vec::with_capacity(drafts.len());
        for (nth, draft) in (1_u32..).zip(drafts) {
            let upto = Upto { sequence: position.sequence, ordinal: position.ordinal.saturating_add(nth) };
            if self.published.get(&draft.to).is_some_and(|done| upto <= *done) {
                continue;
            }
            // The id counts the outputs of the cause alone: where the position stands may depend on what was repeated.
            let id = event_id(&self.service, &draft.to, &cause.meta.id, nth);
            self.published.insert(draft.to.clone(), upto);
            out.push(Outgoing {
                meta: Meta {
                    id,
                    source: self.service.clone(),
                    causation: Some(cause.meta.id.clone()),
                    correlation: draft.turn.or_else(|| cause.meta.correlation.clone()),
                    upto: Some(upto),
                },
                subject: draft.to,
                event: draft.event,
                content: draft.content,
            });
        }
        out
    }
}

/// The id of the `ordinal`-th event that `service` writes to `subject` because of `cause`.
#[must_use]
pub fn event_id(service: &str, subject: &Subject, cause: &EventId, ordinal: u32) -> EventId {
    let subject = subject.to_string();
    let ordinal = ordinal.to_le_bytes();
    let parts = [service.as_bytes(), subject.as_bytes(), cause.as_str().as_bytes(), &ordinal];
    EventId::new(&hash_parts(parts).as_str()[..32])
}

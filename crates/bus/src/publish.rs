//! Publishing on subjects that one owner has to itself: claimed, fenced, each event once.
//!
//! Every message expects the subject's last sequence, one is in flight at a time, and each carries the epoch of its writer.
//! When the broker refuses or does not answer, the tail of the subject says what happened: our own id means stored, a newer
//! epoch means stop. A claim copies the position of the tail, so that the position survives any number of owners (INV-1).

use std::collections::BTreeMap;

use tidemill_domain::EventId;
use tidemill_events::emit::{Emitter, Outgoing, Upto, event_id};
use tidemill_events::envelope::{Meta, header};
use tidemill_events::event::{Claimed, Event};
use tidemill_events::stream::Role;
use tidemill_events::{Subject, Topic};
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::connect::Bus;
use crate::error::{Error, chain};
use crate::lease::Lease;
use crate::message::{Message, headers};
use crate::send::{Stored, Unsent};
use crate::tail::Tail;
use crate::trace::TraceParent;
use crate::{clock, spans};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The log has it now, at this sequence.
    Stored(u64),
    /// The log had it, or what covers it, already.
    Known,
}

/// The only writer of a role.
#[derive(Debug)]
pub struct Publisher {
    bus: Bus,
    role: String,
    owner: String,
    epoch: u64,
    topics: Vec<Topic>,
    tails: BTreeMap<Subject, Position>,
}

/// The last message of a subject, as far as we know.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    sequence: u64,
    upto: Option<Upto>,
}

/// What the tail says about an event that was refused or not answered.
enum Finding {
    /// The log has it, or what covers it.
    Known,
    /// It is not there; expect this and try again.
    Missing(Position),
    /// An earlier owner wrote after us; claim first.
    Overtaken(Position),
}

impl Publisher {
    /// Claims every subject of the role on which there is anything.
    ///
    /// # Errors
    /// When the broker does not answer, or a newer owner is there already.
    pub async fn claim(bus: Bus, role: &Role, lease: &Lease) -> Result<Self, Error> {
        let mut subjects = Vec::new();
        for topic in &role.owns {
            subjects.extend(bus.subjects(*topic).await?);
        }
        let mut tails = Vec::with_capacity(subjects.len());
        for subject in subjects {
            if let Some(tail) = bus.tail(&subject).await? {
                tails.push((subject, tail));
            }
        }
        // Leases count up. A valid one that is behind the log has lost its bucket, not its turn.
        let known = tails.iter().map(|(_, tail)| tail.epoch).max().unwrap_or(0);
        if !lease.is_valid() {
            return Err(Error::LeaseLost { role: role.name.clone() });
        }
        let mut publisher = Self {
            bus,
            role: role.name.clone(),
            owner: lease.owner().to_owned(),
            epoch: lease.epoch().max(known.saturating_add(1)),
            topics: role.owns.clone(),
            tails: BTreeMap::new(),
        };
        for (subject, tail) in tails {
            publisher.claim_one(&subject, Position { sequence: tail.sequence, upto: tail.upto }).await?;
        }
        info!(role = %publisher.role, epoch = publisher.epoch, subjects = publisher.tails.len(), "claimed");
        Ok(publisher)
    }

    /// The epoch of the claims.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Tells the emitter what the log has already.
    pub fn resume(&self, emitter: &mut Emitter) {
        for (subject, tail) in &self.tails {
            if let Some(upto) = tail.upto {
                emitter.resume(subject.clone(), upto);
            }
        }
    }

    /// Publishes an event once, trying again for as long as the broker cannot take it. May be dropped at any point, with
    /// the publisher: the log then has the event or it has not, and the next owner sees which.
    ///
    /// # Errors
    /// When a newer owner is there, or trying again cannot help.
    pub async fn publish(
        &mut self,
        event: &Outgoing,
        trace: Option<&TraceParent>,
    ) -> Result<Published, Error> {
        if !self.topics.contains(&event.subject.topic) {
            return Err(Error::NotOwned { role: self.role.clone(), subject: event.subject.clone() });
        }
        if !self.tails.contains_key(&event.subject) {
            self.claim_one(&event.subject, Position::default()).await?;
        }
        self.put(event, trace).await
    }

    /// Claims one subject whose tail is thought to be `position`.
    async fn claim_one(&mut self, subject: &Subject, position: Position) -> Result<(), Error> {
        let mut position = position;
        let mut backoff = Backoff::default();
        loop {
            let cause = EventId::new(format!("claim/{}/{}/{}", self.owner, self.epoch, position.sequence));
            let claim = Claimed { role: self.role.clone(), owner: self.owner.clone(), epoch: self.epoch };
            let event = Outgoing {
                subject: subject.clone(),
                meta: Meta {
                    id: event_id(&self.role, subject, &cause, 0),
                    source: self.role.clone(),
                    causation: None,
                    correlation: None,
                    upto: position.upto,
                },
                event: Event::Claimed(claim),
                content: None,
            };
            let error = match self.attempt(&event, None, position.sequence, None).await? {
                Ok(stored) if !stored.duplicate => {
                    self.tails
                        .insert(subject.clone(), Position { sequence: stored.sequence, upto: position.upto });
                    return Ok(());
                }
                Ok(_) => None,
                Err(error) => error,
            };
            let Some(tail) = self.look(subject).await? else {
                position.sequence = 0;
                backoff.wait(error.as_ref()).await;
                continue;
            };
            position = Position { sequence: tail.sequence, upto: tail.upto.max(position.upto) };
            if tail.id.as_ref() == Some(&event.meta.id) {
                self.tails.insert(subject.clone(), position);
                return Ok(());
            }
            backoff.wait(error.as_ref()).await;
        }
    }

    async fn put(&mut self, event: &Outgoing, trace: Option<&TraceParent>) -> Result<Published, Error> {
        let subject = &event.subject;
        let began = clock::now();
        // The position knows it also when the broker has long forgotten the id.
        if self
            .tails
            .get(subject)
            .is_some_and(|last| event.meta.upto.is_some() && last.upto >= event.meta.upto)
        {
            return Ok(Published::Known);
        }
        let mut backoff = Backoff::default();
        let mut alias = None;
        loop {
            let last = self.tails.get(subject).copied().unwrap_or_default();
            let (error, duplicate) = match self.attempt(event, trace, last.sequence, alias.as_deref()).await?
            {
                Ok(stored) if !stored.duplicate => {
                    let upto = event.meta.upto.max(last.upto);
                    self.tails.insert(subject.clone(), Position { sequence: stored.sequence, upto });
                    spans::published(event, trace, began);
                    return Ok(Published::Stored(stored.sequence));
                }
                // Without a position, an id that the broker knows is all there is to know.
                Ok(_) if event.meta.upto.is_none() => return Ok(Published::Known),
                Ok(_) => (None, true),
                Err(error) => (error, false),
            };
            let tail = self.look(subject).await?;
            match self.find(event, last, tail) {
                Finding::Known => return Ok(Published::Known),
                Finding::Missing(position) => {
                    self.tails.insert(subject.clone(), position);
                    // The broker remembers the id from an earlier event that does not cover this one.
                    alias = duplicate
                        .then(|| format!("{}/{}", event.meta.id, event.meta.upto.unwrap_or_default()));
                }
                Finding::Overtaken(position) => self.claim_one(subject, position).await?,
            }
            if error.is_some() {
                backoff.wait(error.as_ref()).await;
            }
        }
    }

    fn find(&mut self, event: &Outgoing, last: Position, tail: Option<Tail>) -> Finding {
        let Some(tail) = tail else {
            // Everything on the subject grew old and is gone; the position is not.
            return Finding::Missing(Position { sequence: 0, ..last });
        };
        let position = Position { sequence: tail.sequence, upto: tail.upto.max(last.upto) };
        let covered = event.meta.upto.is_some() && tail.upto >= event.meta.upto;
        if covered || tail.id.as_ref() == Some(&event.meta.id) {
            self.tails.insert(event.subject.clone(), position);
            Finding::Known
        } else if tail.epoch == self.epoch {
            Finding::Missing(position)
        } else {
            Finding::Overtaken(position)
        }
    }

    /// One try: what the broker says, or nothing if something else is on the subject or nobody knows.
    async fn attempt(
        &self,
        event: &Outgoing,
        trace: Option<&TraceParent>,
        last: u64,
        alias: Option<&str>,
    ) -> Result<Result<Stored, Option<Error>>, Error> {
        let mut message = Message::of(event, trace)?;
        let fence = [
            (header::EPOCH, self.epoch.to_string()),
            (async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE.as_ref(), last.to_string()),
        ];
        let alias = alias.map(|alias| (header::MESSAGE_ID, alias));
        let pairs = fence.iter().map(|(name, value)| (*name, value.as_str())).chain(alias);
        let failed = |source| Error::Encode {
            id: event.meta.id.to_string(),
            subject: message.subject.clone(),
            source,
        };
        for (name, values) in headers(pairs).map_err(failed)?.iter() {
            for value in values {
                message.headers.insert(name.clone(), value.clone());
            }
        }
        match self.bus.send(message).await {
            Ok(stored) => Ok(Ok(stored)),
            Err(Unsent::WrongLast) => Ok(Err(None)),
            Err(Unsent::Unknown(error) | Unsent::Refused(error)) if error.is_fatal() => Err(error),
            Err(Unsent::Unknown(error) | Unsent::Refused(error)) => {
                warn!(role = %self.role, error = chain(&error), "publishing failed, the tail is read before another try");
                Ok(Err(Some(error)))
            }
        }
    }

    /// The tail, however long it takes to read it, unless a newer owner wrote it.
    async fn look(&self, subject: &Subject) -> Result<Option<Tail>, Error> {
        let mut backoff = Backoff::default();
        loop {
            match self.bus.tail(subject).await {
                Ok(Some(tail)) if tail.epoch > self.epoch => {
                    return Err(Error::Fenced {
                        role: self.role.clone(),
                        epoch: self.epoch,
                        subject: subject.to_string(),
                        owner: tail.claimed_by.unwrap_or_else(|| "another replica".into()),
                        newer: tail.epoch,
                    });
                }
                Ok(tail) => return Ok(tail),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => backoff.wait(Some(&error)).await,
            }
        }
    }
}

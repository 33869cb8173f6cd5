//! Everything that a role writes: content first, then the event, until both are there.

use tidemill_bus::{Backoff, Error, Published, Publisher, TraceParent, chain};
use tidemill_domain::EventId;
use tidemill_events::emit::{Outgoing, event_id};
use tidemill_events::stream::is_shared;
use tidemill_events::{Content, Draft, Meta};
use tracing::warn;

use crate::context::Context;
use crate::metrics::RoleMetrics;
use crate::traces::Traces;
use crate::trouble::Trouble;

/// Writes what a role has to say.
pub(crate) struct Outbox {
    context: Context,
    role: String,
    publisher: Publisher,
    metrics: RoleMetrics,
}

impl Outbox {
    pub(crate) fn new(context: Context, role: &str, publisher: Publisher, metrics: RoleMetrics) -> Self {
        Self { context, role: role.to_owned(), publisher, metrics }
    }

    /// Writes an event that followed from an input, on a subject that the role owns. What anybody may write has no position
    /// by which a restart could tell that it is there already: that is for jobs.
    pub(crate) async fn put(&mut self, event: Outgoing, trace: Option<&TraceParent>) -> Result<(), Trouble> {
        if let Some(content) = &event.content {
            self.store(content).await?;
        }
        match self.publisher.publish(&event, trace).await? {
            Published::Stored(_) => self.metrics.events_published.inc(),
            Published::Known => self.metrics.events_known.inc(),
        };
        Ok(())
    }

    /// Writes the report of a job. Its id is that of the job, whoever does it and however often.
    pub(crate) async fn report(
        &mut self,
        job: &str,
        draft: Draft,
        traces: &mut Traces,
    ) -> Result<(), Trouble> {
        if !is_shared(draft.to.topic) {
            let role = format!("the job {job} of {}", self.role);
            return Err(Error::NotOwned { role, subject: draft.to }.into());
        }
        if let Some(content) = &draft.content {
            self.store(content).await?;
        }
        let event = report(&self.role, job, draft);
        let trace = traces.of(&event);
        self.shared(&event, trace.as_ref()).await
    }

    /// Writes where anybody may write, until it is there.
    pub(crate) async fn shared(&self, event: &Outgoing, trace: Option<&TraceParent>) -> Result<(), Trouble> {
        publish_shared(&self.context, event, trace).await?;
        self.metrics.events_published.inc();
        Ok(())
    }

    async fn store(&self, content: &Content) -> Result<(), Trouble> {
        let mut backoff = Backoff::default();
        loop {
            let stored = match content {
                Content::Segment { hash, schema, rows } => {
                    self.context.store.put_segment(hash, schema, rows).await
                }
            };
            match stored {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() => {
                    warn!(role = self.role, error = chain(&error), "content is not stored yet");
                }
                Err(error) => return Err(Trouble::Store(error)),
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    }
}

/// The event that reports a job of `role`.
pub(crate) fn report(role: &str, job: &str, draft: Draft) -> Outgoing {
    let cause = EventId::new(format!("job/{job}"));
    Outgoing {
        meta: Meta {
            id: event_id(role, &draft.to, &cause, 0),
            source: role.to_owned(),
            causation: None,
            correlation: draft.turn,
            upto: None,
        },
        subject: draft.to,
        event: draft.event,
        content: draft.content,
    }
}

/// Publishes where anybody may write, again and again until the broker has it.
pub(crate) async fn publish_shared(
    context: &Context,
    event: &Outgoing,
    trace: Option<&TraceParent>,
) -> Result<(), Trouble> {
    let mut backoff = Backoff::default();
    loop {
        match context.bus.unfenced(event, trace).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(error) => warn!(subject = %event.subject, error = chain(&error), "publishing is tried again"),
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}

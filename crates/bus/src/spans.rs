//! Tells of what went over the bus, for whoever draws traces: for each span one `tracing` event on a target of its own.
//!
//! A span is a message that the log has taken, from the first try to the answer. Its id is derived from that of the event,
//! as the header `traceparent` says it, so that the same event is the same span however often it is told. This must not
//! know who listens; while nobody does, it costs next to nothing.

use tidemill_domain::Timestamp;
use tidemill_events::emit::Outgoing;
use tracing::Level;

use crate::clock;
use crate::trace::TraceParent;

/// The target of the events.
pub const TARGET: &str = "tidemill::spans";

/// One span.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// What happened: the type of the event.
    pub name: &'a str,
    /// Which role did it.
    pub role: &'a str,
    /// The subject of the message; empty if there is none.
    pub subject: &'a str,
    /// The id of the event.
    pub id: &'a str,
    /// The turn of the loop, if it belongs to one.
    pub turn: Option<&'a str>,
    /// The span itself.
    pub own: &'a TraceParent,
    /// The span that led to it, of the same trace.
    pub parent: Option<&'a TraceParent>,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

/// Whether anybody listens.
#[must_use]
pub fn wanted() -> bool {
    tracing::enabled!(target: TARGET, Level::INFO)
}

/// Tells of a span.
pub fn tell(span: &Span<'_>) {
    tracing::event!(
        target: TARGET,
        Level::INFO,
        name = span.name,
        role = span.role,
        subject = span.subject,
        id = span.id,
        turn = span.turn.unwrap_or_default(),
        trace_id = span.own.trace_id(),
        span_id = span.own.span_id(),
        parent_id = span.parent.map_or("", TraceParent::span_id),
        began = span.began.0,
        ended = span.ended.0,
    );
}

/// Tells of an event that the log has taken.
pub(crate) fn published(event: &Outgoing, parent: Option<&TraceParent>, began: Timestamp) {
    if !wanted() {
        return;
    }
    let own = TraceParent::of_event(parent, &event.meta.id);
    tell(&Span {
        name: event.event.type_name(),
        role: &event.meta.source,
        subject: &event.subject.to_string(),
        id: event.meta.id.as_str(),
        turn: event.meta.correlation.as_ref().map(|turn| turn.as_str()),
        own: &own,
        parent,
        began,
        ended: clock::now(),
    });
}

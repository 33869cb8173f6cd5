//! From drafts to messages: positions, and what may be joined with what.

use tidemill_events::emit::{Emitter, Outgoing, Upto};
use tidemill_events::{Draft, Event, Recorded};
use tidemill_ingest_core::Order;
use tokio::time::Instant;

use crate::batch::{Batches, cut};

/// What is written, and what is held back.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    pub(crate) order: Order,
    pub(crate) batches: Batches,
}

impl Outlet {
    /// What is to be written now that `drafts` followed from `cause`. Where older messages are gone, positions go on after
    /// `beyond`.
    pub(crate) fn emit(
        &mut self,
        emitter: &mut Emitter,
        beyond: Option<Upto>,
        cause: &Recorded,
        drafts: Vec<Draft>,
    ) -> Vec<Outgoing> {
        if let Some(beyond) = beyond {
            self.order.advance_to(beyond);
        }
        let outputs = self.order.emit(emitter, cause, cut(drafts));
        let mut out = Vec::new();
        if matches!(cause.event, Event::Spec(_) | Event::Rollout(_)) {
            // A mark goes alone, after what came before it and before what comes after: its position is its place.
            self.batches.flush(&mut out);
            out.extend(outputs);
        } else {
            let now = Instant::now();
            for output in outputs {
                self.batches.add(output, now, &mut out);
            }
        }
        out
    }
}

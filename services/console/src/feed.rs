//! Feeds the memory of the console from the bus. Position and state are not kept: a console that starts reads again.

use std::sync::Arc;
use std::time::Duration;

use tidemill_bus::{Backoff, Error, Item, ReadFrom, Reader, chain};
use tidemill_events::Recorded;
use tidemill_events::stream::{Role, Stream};
use tidemill_service::{Context, PartState, RoleError};
use tracing::{info, warn};

use crate::shared::Shared;

/// Messages that are folded under one lock.
const BATCH: usize = 256;
/// How long to wait for a message before looking whether to stop.
const WAIT: Duration = Duration::from_millis(500);
/// The part of the process that reads the log of the loops.
const VIEW: &str = "console-view";

/// Folds the log of all loops until the process stops.
pub(crate) async fn loops(shared: Arc<Shared>, context: Context) -> Result<(), RoleError> {
    let filter = Role::console().filter;
    context.health.set(VIEW, PartState::CatchingUp);
    let ended = read(VIEW, Stream::Loop, filter, &context, |events, caught_up| {
        shared.fold(events);
        if caught_up && !shared.is_ready() {
            shared.caught_up();
            context.health.set(VIEW, PartState::Live);
            info!(sequence = shared.view(|v| v.last()), "the log is read, answers are given");
        }
    })
    .await;
    context.health.set(VIEW, PartState::Stopped);
    ended
}

async fn read(
    name: &str,
    stream: Stream,
    filter: String,
    context: &Context,
    take: impl Fn(&[Recorded], bool),
) -> Result<(), RoleError> {
    let metrics = context.metrics.role(name);
    let failed = |error: Error| RoleError { role: name.to_owned(), source: error.into() };
    let mut backoff = Backoff::default();
    let mut reader: Option<Reader> = None;
    loop {
        let step = async {
            let open = match &mut reader {
                Some(open) => open,
                none => {
                    none.insert(Reader::open(&context.bus, ReadFrom::first(stream, filter.clone())).await?)
                }
            };
            let items = open.next_batch(BATCH, WAIT).await?;
            Ok::<_, Error>((items, open.caught_up(), open.lag()))
        };
        let read = tokio::select! {
            () = context.stop.cancelled() => return Ok(()),
            read = step => read,
        };
        match read {
            Ok((items, caught_up, lag)) => {
                backoff.reset();
                let events = events(items, &metrics);
                take(&events, caught_up);
                metrics.lag_events.set(i64::try_from(lag).unwrap_or(i64::MAX));
            }
            Err(error) if error.is_fatal() => return Err(failed(error)),
            Err(error) => {
                warn!(part = name, error = chain(&error), "reading is tried again");
                tokio::select! {
                    () = context.stop.cancelled() => return Ok(()),
                    () = tokio::time::sleep(backoff.pause()) => {}
                }
            }
        }
    }
}

fn events(items: Vec<Item>, metrics: &tidemill_service::RoleMetrics) -> Vec<Recorded> {
    let mut events = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Item::Event(received) => events.push(received.event),
            Item::Poison(_) => _ = metrics.events_poison.inc(),
        }
    }
    metrics.events_folded.inc_by(events.len() as u64);
    events
}

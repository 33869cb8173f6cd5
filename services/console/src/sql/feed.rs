//! Feeds the view from the bus, beside the memory of the console: while the database is away, status, why and writes go on.

use std::sync::Arc;
use std::time::Duration;

use tidemill_bus::{Backoff, Error, Item, ReadFrom, Reader, chain};
use tidemill_events::Recorded;
use tidemill_service::{Context, PartState, RoleError, RoleMetrics};
use tokio::time::Instant;
use tracing::{info, warn};

use super::error::SqlError;
use super::source::Source;
use super::{Progress, SqlView};

/// Messages in one transaction, at most.
const BATCH: usize = 256;
/// How long to wait for a message before looking whether to stop.
const WAIT: Duration = Duration::from_millis(500);
/// How often it is looked whether the stream let refused rows go.
const FORGET: Duration = Duration::from_secs(60);

/// Why reading begins again.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the log cannot be read")]
    Log(#[from] Error),
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// Writes what a source says into the view until the process stops.
pub(crate) async fn run(view: Arc<SqlView>, source: Source, context: Context) -> Result<(), RoleError> {
    let name = format!("console-sql-{}", source.name());
    let metrics = context.metrics.role(&name);
    let mut backoff = Backoff::default();
    context.health.set(&name, PartState::CatchingUp);
    loop {
        let trouble = tokio::select! {
            () = context.stop.cancelled() => break,
            ended = follow(&view, source, &context, &metrics, &name, &mut backoff) => ended,
        };
        match trouble {
            Trouble::Log(error) if error.is_fatal() => {
                context.health.set(&name, PartState::Stopped);
                return Err(RoleError { role: name, source: error.into() });
            }
            Trouble::Sql(SqlError::Moved) => {}
            Trouble::Sql(SqlError::Superseded) => {
                warn!(part = name, "another console built the view anew; this one leaves it alone");
                view.tell(source, Progress::Superseded);
                context.health.set(&name, PartState::Standby);
                context.stop.cancelled().await;
                break;
            }
            error => {
                warn!(part = name, error = chain(&error), "the view is tried again");
                view.stuck(source, chain(&error));
            }
        }
        tokio::select! {
            () = context.stop.cancelled() => break,
            () = tokio::time::sleep(backoff.pause()) => {}
        }
    }
    context.health.set(&name, PartState::Stopped);
    Ok(())
}

/// Reads on from where the view is, until something goes wrong.
async fn follow(
    view: &SqlView,
    source: Source,
    context: &Context,
    metrics: &RoleMetrics,
    name: &str,
    backoff: &mut Backoff,
) -> Trouble {
    match follow_on(view, source, context, metrics, name, backoff).await {
        Ok(never) => match never {},
        Err(trouble) => trouble,
    }
}

async fn follow_on(
    view: &SqlView,
    source: Source,
    context: &Context,
    metrics: &RoleMetrics,
    name: &str,
    backoff: &mut Backoff,
) -> Result<std::convert::Infallible, Trouble> {
    let loops = context.bus.extent(Source::Loops.stream()).await?;
    let log = context.bus.extent(source.stream()).await?;
    let mut at = view.begin(source, loops.created, &log).await?;
    let from = ReadFrom { sequence: at + 1, ..ReadFrom::first(source.stream(), source.filter()) };
    let mut reader = Reader::open(&context.bus, from).await?;
    let (mut looked, mut is_live) = (Instant::now(), false);
    loop {
        let items = reader.next_batch(BATCH, WAIT).await?;
        if let Some(upto) = items.iter().map(sequence).max() {
            let events = events(items, metrics);
            let passed_over = view.write(source, at, upto, &events).await?;
            metrics.events_folded.inc_by(events.len() as u64);
            metrics.events_refused.inc_by(passed_over);
            at = upto;
        }
        backoff.reset();
        metrics.lag_events.set(i64::try_from(reader.lag()).unwrap_or(i64::MAX));
        if reader.caught_up() && !is_live {
            is_live = true;
            view.caught_up(source);
            context.health.set(name, PartState::Live);
            info!(part = name, sequence = at, at = view.place(), "the view is up to date");
        }
        if matches!(source, Source::Quarantine(_)) && looked.elapsed() > FORGET {
            looked = Instant::now();
            view.forget(source, &context.bus.extent(source.stream()).await?).await?;
        }
    }
}

fn sequence(item: &Item) -> u64 {
    match item {
        Item::Event(received) => received.event.sequence,
        Item::Poison(poison) => poison.sequence,
    }
}

fn events(items: Vec<Item>, metrics: &RoleMetrics) -> Vec<Recorded> {
    let mut events = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Item::Event(received) => events.push(received.event),
            Item::Poison(_) => _ = metrics.events_poison.inc(),
        }
    }
    events
}

//! Follows the log of the system while the story runs: tells what happens, and keeps the books.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidemill_bus::{Bus, Error, Item, ReadFrom, Reader};
use tidemill_domain::{ContentHash, PredictionId};
use tidemill_events::monitor::AlertState;
use tidemill_events::rollout::RolloutStep;
use tidemill_events::sample::CleanItem;
use tidemill_events::stream::{Role, Stream, filter};
use tidemill_events::training::{Purpose, Trial, Trigger};
use tidemill_events::{Event, Partition, Topic};

/// Something that happened, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happened {
    /// The newest row that was sent then.
    pub(super) row: usize,
    /// When.
    pub(super) at: Instant,
}

/// What became of the rows, and of the loop.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Rows that were joined with their labels and accepted.
    pub(super) joined: BTreeSet<PredictionId>,
    /// Rows that were refused.
    pub(super) quarantined: BTreeSet<PredictionId>,
    /// Alerts that were detected.
    pub(super) alerts: Vec<Happened>,
    /// Candidates that became champion.
    pub(super) promotions: Vec<Happened>,
    /// Turns that ended.
    pub(super) turns_closed: usize,
    /// The first champion.
    pub(super) first_model: Option<ContentHash>,
}

/// What the storyteller and the sender share.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    /// Rows sent so far.
    pub(super) sent: Arc<AtomicUsize>,
    /// The books.
    pub(super) books: Arc<Mutex<Books>>,
}

impl Shared {
    /// Looks into the books.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        // A panic elsewhere does not make the numbers wrong.
        let mut books = self.books.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        look(&mut books)
    }

    fn happened(&self) -> Happened {
        Happened { row: self.sent.load(Ordering::Relaxed), at: Instant::now() }
    }
}

/// Follows both streams for ever; `tell` is given each line of the story.
///
/// # Errors
/// When the bus does not let us read.
pub(super) async fn follow(bus: Bus, shared: Shared, tell: impl Fn(String) + Send) -> Result<(), Error> {
    let wait = Duration::from_millis(100);
    // The demo runs on one partition.
    let only = Partition(0);
    let mut log = Reader::open(&bus, ReadFrom::first(Stream::Loop, Role::trainer().filter)).await?;
    let mut clean = Reader::open(&bus, ReadFrom::first(Stream::Samples, filter(Topic::Clean(only)))).await?;
    let mut refused =
        Reader::open(&bus, ReadFrom::first(Stream::Samples, filter(Topic::Quarantine(only)))).await?;
    loop {
        let batch = tokio::select! {
            batch = log.next_batch(256, wait) => batch?,
            batch = clean.next_batch(256, wait) => batch?,
            batch = refused.next_batch(256, wait) => batch?,
        };
        for item in batch {
            if let Item::Event(received) = item
                && let Some(line) = note(&shared, &received.event.event)
            {
                tell(line);
            }
        }
    }
}

/// Enters an event into the books; gives the line that tells it, if it is worth one.
fn note(shared: &Shared, event: &Event) -> Option<String> {
    match event {
        Event::Clean(items) => {
            let ids = items.iter().filter_map(|item| match item {
                CleanItem::Labelled(row) => Some(row.prediction_id.clone()),
                _ => None,
            });
            shared.with(|books| books.joined.extend(ids));
            None
        }
        Event::Quarantined(row) => {
            let first = shared.with(|books| {
                books.quarantined.extend(row.prediction_id.clone());
                books.quarantined.len() == 1
            });
            first.then(|| format!("quarantine  first row refused: {}", row.reasons.join("; ")))
        }
        Event::Alert(alert) => {
            if alert.state == AlertState::Detected {
                let now = shared.happened();
                shared.with(|books| books.alerts.push(now));
            }
            Some(format!("alert       {} {:?}: {}", alert.alert, alert.state, alert.summary))
        }
        Event::Trigger(Trigger::Accepted { turn, cause, .. }) => {
            Some(format!("trigger     {turn} begins because of {}", cause.name()))
        }
        Event::Trigger(Trigger::Declined { cause, reason, .. }) => {
            Some(format!("trigger     {} declined: {reason}", cause.name()))
        }
        Event::Trigger(Trigger::Closed { turn, outcome, .. }) => {
            shared.with(|books| books.turns_closed += 1);
            Some(format!("turn        {turn} ends: {outcome}"))
        }
        Event::Trial(trial) => match trial.as_ref() {
            Trial::Finished { trial, result, .. } => {
                let score = result.score?;
                Some(format!("trial       {trial}: loss {score:.4}, {} rows", result.rows))
            }
            Trial::Failed { trial, reason, .. } => Some(format!("trial       {trial} failed: {reason}")),
            Trial::Planned { job } if job.purpose == Purpose::Refit => {
                let what = match job.members.len() {
                    0 => job.choice.to_string(),
                    n => format!("the best {n} as an ensemble"),
                };
                Some(format!("trial       learns again up to the newest rows: {what}"))
            }
            Trial::Planned { .. } => None,
        },
        Event::Candidate(c) => Some(format!("candidate   {}: {}", c.version(), c.what())),
        Event::Verdict(verdict) => {
            let gates: Vec<String> =
                verdict.gates.iter().map(|g| format!("{} {:?}", g.name, g.outcome).to_lowercase()).collect();
            Some(format!("verdict     {:?}: {}", verdict.outcome, gates.join(", ")))
        }
        Event::Rollout(rollout) => {
            if rollout.step == RolloutStep::Promoted {
                let now = shared.happened();
                let champion = rollout.table.champion().map(|d| d.model.artefact.clone());
                shared.with(|books| {
                    books.promotions.push(now);
                    if books.first_model.is_none() {
                        books.first_model = champion;
                    }
                });
            }
            Some(format!("rollout     {:?}: {}", rollout.step, rollout.reason))
        }
        Event::Spec(applied) => Some(format!("spec        version {} is in force", applied.version)),
        _ => None,
    }
}

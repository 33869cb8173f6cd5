//! The view of the log in SQL: what is more than memory should hold, or has to be filtered, sorted and paged.
//!
//! It is built from the log alone and can be dropped at any time. A row is written in one transaction with the position up to
//! which its source was read, and only by whoever still finds the position where it left it: so each event counts once, however
//! often it is read and by however many consoles. A view of another version, of another log, or of one that has gone back is
//! dropped and built anew.

mod error;
mod feed;
mod fold;
mod listing;
mod past;
mod questions;
mod refused;
mod rows;
mod schema;
mod source;
mod turns;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidemill_bus::Extent;
use tidemill_domain::Timestamp;
use tidemill_events::Recorded;
use tidemill_view::{Database, Transaction, values};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

pub use self::error::SqlError;
pub(crate) use self::feed::run;
pub(crate) use self::listing::DEFAULT_PAGE;
pub use self::source::Source;

/// How far a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing was read yet, because.
    Waiting(String),
    /// It reads what there is already: at, of.
    Building(u64, u64),
    /// It reads what comes: at.
    Live(u64),
    /// A console of another version, or of another log, has the view.
    Superseded,
}

/// The view.
#[derive(Debug)]
pub struct SqlView {
    db: Database,
    progress: watch::Sender<BTreeMap<Source, Progress>>,
    /// The log of which this console had the view last: it does not take it back from a console of another version or log.
    had: Mutex<Option<String>>,
}

impl SqlView {
    /// The view at `place`: the path of a file for SQLite, `memory:`, or `postgres://...`. It is reached when it is first
    /// needed.
    ///
    /// # Errors
    /// When there can be none at such a place.
    pub fn open(place: &str, sources: &[Source]) -> Result<Self, tidemill_view::Error> {
        let waiting = |source: &Source| (*source, Progress::Waiting("the log is not read yet".to_owned()));
        let progress = sources.iter().map(waiting).collect();
        let (db, had) = (Database::open(place)?, Mutex::default());
        Ok(Self { db, progress: watch::Sender::new(progress), had })
    }

    /// Where it is, without secrets.
    #[must_use]
    pub fn place(&self) -> &str {
        self.db.shown()
    }

    /// Begins to write what a source says: the position after which its events are wanted. `loops` is when the stream of the
    /// loops' log was made. Whatever is not a view of this version, and of this log, is dropped.
    ///
    /// # Errors
    /// When the database does not answer, or a console of another version, or of another log, took the view over.
    pub async fn begin(&self, source: Source, loops: Timestamp, log: &Extent) -> Result<u64, SqlError> {
        let name = source.name();
        let of = loops.0.to_string();
        let mut tx = self.db.write().await?;
        tx.lock_tables().await?;
        let found = schema::found(&mut tx).await?;
        let is_ours = |log: &str| found.as_ref().is_some_and(|f| f.0 == schema::version() && f.1 == log);
        if !is_ours(&of) {
            let had = self.had();
            if found.is_some() && had.is_some_and(|had| !is_ours(&had)) {
                return Err(SqlError::Superseded);
            }
            info!(place = self.place(), version = schema::version(), "the view is built from the log");
            schema::make(&mut tx, &of).await?;
        }
        let made = log.created.0.to_string();
        let sql = "SELECT log, sequence FROM positions WHERE source = $1";
        let mut position = None;
        if let Some(row) = tx.one(sql, values![name.clone()]).await? {
            let (known, sequence) = (row.text(0)?, row.count(1)?);
            if known == made && sequence <= log.last {
                position = Some(sequence);
            } else {
                warn!(
                    source = name,
                    sequence,
                    last = log.last,
                    "the view is of another log, it is built anew"
                );
                schema::make(&mut tx, &of).await?;
            }
        }
        // What is gone before it was read stays unknown, whether the view is new or was behind.
        if position.is_none_or(|position| position + 1 < log.first) {
            let at = position.unwrap_or(0);
            tx.run(
                "INSERT INTO positions (source, log, first_sequence, first_time, sequence) VALUES ($1, $2, $3, 0, $4)
                 ON CONFLICT (source) DO UPDATE SET first_sequence = excluded.first_sequence, first_time = 0",
                values![name, made, log.first, at],
            )
            .await?;
        }
        tx.commit().await?;
        *self.had.lock().unwrap_or_else(PoisonError::into_inner) = Some(of);
        let at = position.unwrap_or(0);
        self.tell(source, if at >= log.last { Progress::Live(at) } else { Progress::Building(at, log.last) });
        Ok(at)
    }

    /// Writes events of a source that come after `after`, up to and including the message at `upto`; how many of them can
    /// never be written and were passed over.
    ///
    /// # Errors
    /// When the database does not answer, or another console went on with the view: then [`Self::begin`] again.
    pub async fn write(
        &self,
        source: Source,
        after: u64,
        upto: u64,
        events: &[Recorded],
    ) -> Result<u64, SqlError> {
        let all: Vec<&Recorded> =
            events.iter().filter(|e| e.sequence > after && e.sequence <= upto).collect();
        let passed_over = match self.write_once(source, after, upto, &all).await {
            Err(error) if error.is_about_data() => self.write_singly(source, after, upto, &all).await?,
            written => written.map(|()| 0)?,
        };
        self.advance(source, upto);
        Ok(passed_over)
    }

    async fn write_once(
        &self,
        source: Source,
        after: u64,
        upto: u64,
        events: &[&Recorded],
    ) -> Result<(), SqlError> {
        let mut tx = self.db.write().await?;
        let time = events.first().map_or(0, |event| event.time.0);
        // First of all, so that of two consoles the second one waits here and then sees that it is late.
        let moved = tx
            .run(
                "UPDATE positions SET sequence = $3, first_time = CASE WHEN first_time = 0 THEN $4 ELSE first_time END
                 WHERE source = $1 AND sequence = $2
                     AND EXISTS (SELECT 1 FROM view_version WHERE version = $5 AND log = $6)",
                values![source.name(), after, upto, time, schema::version(), self.had().unwrap_or_default()],
            )
            .await?;
        if moved == 0 {
            return Err(SqlError::Moved);
        }
        match source {
            Source::Loops => fold::loops(&mut tx, events).await?,
            Source::Quarantine(_) => refused::rows(&mut tx, &source.name(), events).await?,
        }
        Ok(tx.commit().await?)
    }

    /// One event at a time, so that one which the database cannot take does not keep the others away.
    async fn write_singly(
        &self,
        source: Source,
        after: u64,
        upto: u64,
        events: &[&Recorded],
    ) -> Result<u64, SqlError> {
        let (mut at, mut passed_over) = (after, 0);
        for event in events {
            match self.write_once(source, at, event.sequence, &[event]).await {
                Err(error) if error.is_about_data() => {
                    let error = tidemill_bus::chain(&error);
                    warn!(
                        sequence = event.sequence,
                        error, "an event cannot be in the view, it is passed over"
                    );
                    self.write_once(source, at, event.sequence, &[]).await?;
                    passed_over += 1;
                }
                written => written?,
            }
            at = event.sequence;
        }
        if at < upto {
            self.write_once(source, at, upto, &[]).await?;
        }
        Ok(passed_over)
    }

    /// Lets refused rows go that the stream no longer holds.
    pub(crate) async fn forget(&self, source: Source, log: &Extent) -> Result<u64, SqlError> {
        let mut tx = self.db.write().await?;
        let gone = refused::forget(&mut tx, &source.name(), log.first).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// From now on what the source says is new.
    pub fn caught_up(&self, source: Source) {
        self.progress.send_modify(|all| {
            if let Some(state) = all.get_mut(&source)
                && let Progress::Building(at, _) = *state
            {
                *state = Progress::Live(at);
            }
        });
    }

    /// Drops the whole view. It is built anew from the log when it is next begun.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drop_all(&self) -> Result<(), SqlError> {
        let mut tx = self.db.write().await?;
        tx.lock_tables().await?;
        tx.drop_tables().await?;
        Ok(tx.commit().await?)
    }

    /// Closes its connections.
    pub async fn close(&self) {
        self.db.close().await;
    }

    fn had(&self) -> Option<String> {
        self.had.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A transaction for questions.
    async fn read(&self) -> Result<Transaction, SqlError> {
        Ok(self.db.read().await?)
    }

    /// The sources of refused rows.
    fn quarantines(&self) -> Vec<Source> {
        self.progress.borrow().keys().copied().filter(|s| matches!(s, Source::Quarantine(_))).collect()
    }

    fn tell(&self, source: Source, progress: Progress) {
        self.progress.send_modify(|all| _ = all.insert(source, progress));
    }

    /// Why a source cannot be read; what was read before is answered all the same.
    fn stuck(&self, source: Source, why: String) {
        self.progress.send_modify(|all| match all.get(&source) {
            Some(Progress::Live(_)) => {}
            _ => _ = all.insert(source, Progress::Waiting(why)),
        });
    }

    fn advance(&self, source: Source, upto: u64) {
        self.progress.send_modify(|all| match all.get_mut(&source) {
            Some(Progress::Live(at)) => *at = upto,
            Some(Progress::Building(at, of)) => {
                *at = upto;
                *of = (*of).max(upto);
            }
            _ => {}
        });
    }

    /// Waits until questions about loops, or about refused rows, can be answered; what keeps them, after `patience`.
    pub(crate) async fn ready(&self, about_rows: bool, patience: Duration) -> Result<(), String> {
        let mut progress = self.progress.subscribe();
        let blocks = |all: &BTreeMap<Source, Progress>| {
            let mut mine = all.iter().filter(|(s, _)| matches!(s, Source::Quarantine(_)) == about_rows);
            mine.find_map(|(source, state)| state.blocks(*source))
        };
        let live = progress.wait_for(|all| blocks(all).is_none());
        let until = Instant::now() + patience;
        if matches!(timeout_at(until, live).await, Ok(Ok(_))) {
            return Ok(());
        }
        blocks(&self.progress.borrow()).map_or(Ok(()), Err)
    }

    /// Waits until the event at `sequence` of the loops' log is in the view; false if it takes longer than `patience`.
    pub(crate) async fn seen(&self, sequence: u64, patience: Duration) -> bool {
        let mut progress = self.progress.subscribe();
        let there = |all: &BTreeMap<Source, Progress>| matches!(all.get(&Source::Loops), Some(Progress::Live(at) | Progress::Building(at, _)) if *at >= sequence);
        let until = Instant::now() + patience;
        matches!(timeout_at(until, progress.wait_for(there)).await, Ok(Ok(_)))
    }
}

impl Progress {
    /// Why there are no answers yet.
    fn blocks(&self, source: Source) -> Option<String> {
        match self {
            Self::Live(_) => None,
            Self::Waiting(why) => Some(format!("the view in SQL is not there yet: {why}")),
            Self::Building(at, of) => {
                Some(format!("the view in SQL is being built: {} is read up to {at} of {of}", source.name()))
            }
            Self::Superseded => Some(
                "a console of another version built the view in SQL anew, so this one has none".to_owned(),
            ),
        }
    }
}

//! Faults at seeded moments of a turn, and what must be true after each: the turn completes, nothing is lost or doubled,
//! routes are legal, and the predictor follows.

mod owners;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tidemill_domain::LoopId;
use tidemill_domain::hash::unit_of;
use tidemill_events::stream::Stream;
use tidemill_proto::v1::StatusRequest;
use tidemill_proto::v1::predictor_client::PredictorClient;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::{Cluster, Service};
use crate::ledger::Auditor;
use crate::load::{Load, Plan, Sent};
use crate::{HarnessError, quick, wait};

pub use owners::Replaced;

/// Rows of a turn: more than begin one, with those that are refused.
pub const ROWS: usize = quick::TURN + 20;
/// Events on the loops' log after which something may happen: about as many as a turn has.
const EVENTS: f64 = 28.0;
/// How long a moment is waited for; a turn that has fewer events is over by then.
const MOMENT: Duration = Duration::from_secs(5);
/// A predictor that is killed loses what it answered last and had not written down yet: it holds a batch for ten milliseconds,
/// and a busy machine may take longer.
const LAST_MOMENT: Duration = Duration::from_millis(250);
/// How long everything may take to be settled.
pub const CEILING: Duration = Duration::from_secs(90);

/// When it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After so many rows of the turn.
    Rows(usize),
    /// After so many events on the loops' log.
    Events(u64),
}

/// A service is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which.
    pub service: Service,
    /// When.
    pub at: At,
    /// And how long after that.
    pub delay: Duration,
    /// How long it stays away.
    pub away: Duration,
}

impl Moment {
    /// The moment of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let draw = |what: &str, below: f64| unit_of(&format!("{seed}/{what}")) * below;
        // What is drawn is not negative and far below the greatest of each type.
        let service = Service::ALL[draw("service", Service::ALL.len() as f64) as usize % Service::ALL.len()];
        let at = if draw("kind", 2.0) < 1.0 {
            At::Rows(draw("rows", ROWS as f64) as usize)
        } else {
            At::Events(draw("events", EVENTS) as u64)
        };
        let millis = |what: &str, below: f64| Duration::from_micros((draw(what, below) * 1_000.0) as u64);
        Self { service, at, delay: millis("delay", 40.0), away: millis("away", 400.0) }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, at, delay, away } = self;
        let at = match at {
            At::Rows(n) => format!("row {n}"),
            At::Events(n) => format!("event {n}"),
        };
        write!(f, "{} at {at} + {delay:.0?}, away for {away:.0?}", service.name())
    }
}

/// How a turn went.
#[derive(Clone, Debug)]
pub struct Survived {
    /// From the fault until the service was live again.
    pub live_after: Duration,
    /// From the last label until all of it was settled.
    pub settled_after: Duration,
    /// Rows that a predictor answered in its last moment and that are not on the log.
    pub lost: usize,
}

/// A cluster whose turns are disturbed, with the books about it.
pub struct Trial {
    /// The processes.
    pub cluster: Cluster,
    /// The books.
    pub auditor: Auditor,
    loop_id: LoopId,
    next_row: usize,
}

impl Trial {
    /// Applies the loop and lets it come to its first model.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(cluster: Cluster) -> Result<Self, HarnessError> {
        cluster.apply(quick::LOOP).await?;
        let auditor = Auditor::open(cluster.bus(), cluster.store()).await?;
        let mut trial = Self { cluster, auditor, loop_id: quick::loop_id()?, next_row: 0 };
        // A turn over these rows leaves enough of them to judge on.
        let load = trial.load(300, None)?;
        let sent = load.finish().await?;
        trial.settle(sent, 1).await?;
        if trial.auditor.ledger.table(&trial.loop_id) == 0 {
            return Err(HarnessError::Other("the first turn put no model in service".to_owned()));
        }
        Ok(trial)
    }

    /// Sends so many new rows and their labels.
    ///
    /// # Errors
    /// When there is no producer.
    pub fn load(&mut self, rows: usize, rate: Option<u32>) -> Result<Load, HarnessError> {
        let plan = Plan { from: self.next_row, rows, rate, label_after: Duration::from_millis(20) };
        self.next_row += rows;
        Ok(Load::start(self.cluster.producer(self.loop_id.clone())?, plan))
    }

    /// A turn during which a service is killed at a moment.
    ///
    /// # Errors
    /// When it is not survived: then the folder of the processes is kept, and the error names it.
    pub async fn survive(&mut self, moment: &Moment) -> Result<Survived, HarnessError> {
        let survived = self.turn_with(moment).await;
        survived.map_err(|e| {
            let folder = self.cluster.keep();
            HarnessError::Other(format!("{moment}: {}\nsee {}", tidemill_bus::chain(&e), folder.display()))
        })
    }

    async fn turn_with(&mut self, moment: &Moment) -> Result<Survived, HarnessError> {
        let turns = self.auditor.ledger.turns();
        let before = self.events().await?;
        let load = self.load(ROWS, None)?;
        // A moment that does not come in this turn is struck when it is over.
        let _ = timeout(MOMENT, self.reach(moment.at, before, &load)).await;
        sleep(moment.delay).await;
        self.cluster.process(moment.service)?.kill();
        let killed = Instant::now();
        sleep(moment.away).await;
        self.cluster.process(moment.service)?.restart()?;
        self.cluster.live(moment.service).await?;
        let live_after = killed.elapsed();
        let mut sent = load.finish().await?;
        let mut at_risk = BTreeMap::new();
        if moment.service == Service::Predictor {
            // Without those that went with it, the rows so far may be too few for a turn.
            let more = self.load(ROWS, None)?;
            sent.ids.append(&mut more.finish().await?.ids);
            at_risk = sent.ids.clone();
            at_risk.retain(|_, taken| *taken <= killed && *taken + LAST_MOMENT > killed);
            sent.ids.retain(|id, _| !at_risk.contains_key(id));
        }
        let done = Instant::now();
        self.settle(sent, turns + 1).await?;
        let lost = at_risk.keys().filter(|id| !self.auditor.ledger.has(&self.loop_id, id)).count();
        Ok(Survived { live_after, settled_after: done.elapsed(), lost })
    }

    async fn reach(&self, at: At, before: u64, load: &Load) {
        loop {
            let is_reached = match at {
                At::Rows(rows) => load.sent() >= rows,
                At::Events(n) => self.events().await.is_ok_and(|now| now >= before + n),
            };
            if is_reached {
                return;
            }
            sleep(Duration::from_millis(3)).await;
        }
    }

    async fn events(&self) -> Result<u64, HarnessError> {
        Ok(self.cluster.bus().extent(Stream::Loop).await.map_err(HarnessError::Bus)?.last)
    }

    /// Waits until everything that was sent is accounted for, at least so many turns began and none is open, and the
    /// predictor answers by the newest table.
    ///
    /// # Errors
    /// When something is wrong, or still missing after a long while.
    pub async fn settle(&mut self, sent: Sent, turns: usize) -> Result<(), HarnessError> {
        self.auditor.ledger.expect(&self.loop_id, sent.ids.into_keys());
        let enough = |ledger: &crate::ledger::Ledger| {
            let begun = ledger.turns();
            if begun < turns { vec![format!("{begun} turns began, {turns} are expected")] } else { vec![] }
        };
        self.auditor.exact(CEILING, enough).await.map_err(HarnessError::Other)?;
        self.cluster.check()?;
        let (grpc, newest) = (self.cluster.grpc_url(), self.auditor.ledger.table(&self.loop_id));
        let loop_name = self.loop_id.to_string();
        let follows = || async {
            let client = PredictorClient::connect(grpc.clone()).await;
            let mut client = client.map_err(|e| e.to_string())?;
            let status = client.status(StatusRequest { r#loop: loop_name.clone() }).await;
            let status = status.map_err(|e| e.to_string())?.into_inner();
            let table = status.loops.first().map_or(0, |l| l.table_version);
            if table >= newest {
                Ok(())
            } else {
                Err(format!("the predictor is at table {table} of {newest}"))
            }
        };
        wait::until(CEILING, follows).await.map_err(HarnessError::Other)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_always_means_the_same_moment_and_seeds_reach_every_service() {
        assert_eq!(Moment::of(7), Moment::of(7));
        let struck: BTreeSet<_> = (0..100).map(|seed| Moment::of(seed).service).collect();
        assert_eq!(struck.len(), Service::ALL.len());
    }
}

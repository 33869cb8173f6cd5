//! Ticks: when a core's deadline has passed and nothing else wakes it, the log is told that time passed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill_bus::clock;
use tidemill_domain::{EventId, LoopId, Span, Timestamp};
use tidemill_events::emit::Outgoing;
use tidemill_events::{Event, Log, Meta, Recorded, Subject, Tick};

/// The longest pause between ticks for one deadline.
const LONGEST: Span = Span::seconds(5);

/// What is known of ticks from the log alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticked {
    loop_id: Option<LoopId>,
    newest: Option<(Timestamp, u32)>,
}

/// Knows which ticks were asked for and which came.
#[derive(Debug)]
pub(crate) struct Ticker {
    role: String,
    /// A deadline has no loop, but every subject has: that of the newest input.
    loop_id: Option<LoopId>,
    /// The newest deadline that was ticked, with the number of its ticks on the log.
    ticked: Option<(Timestamp, u32)>,
    asked: Option<(Timestamp, u32)>,
    not_before: Timestamp,
}

impl Ticker {
    pub(crate) fn new(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            loop_id: None,
            ticked: None,
            asked: None,
            not_before: Timestamp(i64::MIN),
        }
    }

    /// Sees an input.
    pub(crate) fn fold(&mut self, input: &Recorded) {
        self.loop_id = Some(input.subject.loop_id.clone());
        let Event::Tick(tick) = &input.event else { return };
        if tick.role != self.role {
            return;
        }
        let n_before = self.n_ticks(tick.due);
        self.ticked = Some((tick.due, n_before + 1));
        // The log's clock may be behind ours, so that the deadline lies ahead there; then ask again, ever more slowly.
        let pause = Span::millis(20 << n_before.min(8));
        self.not_before = clock::now() + Span(pause.0.min(LONGEST.0));
    }

    /// What a new ticker has to know to ask for the same ticks.
    pub(crate) fn ticked(&self) -> Ticked {
        Ticked { loop_id: self.loop_id.clone(), newest: self.ticked }
    }

    /// Goes on from what another one knew.
    pub(crate) fn resume(&mut self, ticked: Ticked) {
        (self.loop_id, self.ticked) = (ticked.loop_id, ticked.newest);
    }

    fn n_ticks(&self, due: Timestamp) -> u32 {
        self.ticked.filter(|(at, _)| *at == due).map_or(0, |(_, n)| n)
    }

    /// How long until a tick has to be asked for; nothing if there is no deadline or its tick is under way.
    pub(crate) fn wait(&self, deadline: Option<Timestamp>) -> Option<Duration> {
        let due = deadline?;
        self.loop_id.as_ref()?;
        if self.asked == Some((due, self.n_ticks(due))) {
            return None;
        }
        let left = due.max(self.not_before) - clock::now();
        Some(Duration::from_micros(u64::try_from(left.0).unwrap_or(0)))
    }

    /// The tick for a deadline that has passed. Asking twice, or from two replicas, gives the same tick.
    pub(crate) fn tick(&self, deadline: Option<Timestamp>) -> Option<Outgoing> {
        if !self.wait(deadline)?.is_zero() {
            return None;
        }
        let due = deadline?;
        let subject = Subject::log(self.loop_id.clone()?, Log::Tick);
        let id = match self.n_ticks(due) {
            0 => format!("tick/{}/{}", self.role, due.0),
            n => format!("tick/{}/{}/{n}", self.role, due.0),
        };
        Some(Outgoing {
            subject,
            meta: Meta {
                id: EventId::new(id),
                source: self.role.clone(),
                causation: None,
                correlation: None,
                upto: None,
            },
            event: Event::Tick(Tick { role: self.role.clone(), due }),
            content: None,
        })
    }

    /// Tells that the tick is on the log.
    pub(crate) fn asked(&mut self, deadline: Option<Timestamp>) {
        self.asked = deadline.map(|due| (due, self.n_ticks(due)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(event: Event) -> Recorded {
        let loop_id = LoopId::new("a").unwrap_or_else(|e| unreachable!("{e}"));
        let meta = Meta {
            id: EventId::new("x"),
            source: "x".into(),
            causation: None,
            correlation: None,
            upto: None,
        };
        Recorded { sequence: 1, time: Timestamp(0), subject: Subject::log(loop_id, Log::Tick), meta, event }
    }

    #[test]
    fn a_ticker_that_goes_on_asks_for_the_tick_after_the_last_one() {
        let due = Timestamp(5);
        let mut ticker = Ticker::new("r");
        ticker.fold(&input(Event::Tick(Tick { role: "r".into(), due })));
        let mut next = Ticker::new("r");
        next.resume(ticker.ticked());
        assert_eq!(next.tick(Some(due)).map(|t| t.meta.id), Some(EventId::new("tick/r/5/1")));
    }

    #[test]
    fn a_deadline_is_ticked_once_until_its_tick_came() {
        let mut ticker = Ticker::new("r");
        let due = Some(Timestamp(5));
        assert!(ticker.tick(due).is_none(), "without a loop there is nowhere to tick");
        ticker.fold(&input(Event::Unknown { type_name: "x".into() }));
        let first = ticker.tick(due).map(|t| t.meta.id);
        assert_eq!(first, Some(EventId::new("tick/r/5")));
        ticker.asked(due);
        assert!(ticker.tick(due).is_none());
        ticker.fold(&input(Event::Tick(Tick { role: "other".into(), due: Timestamp(5) })));
        assert!(ticker.tick(due).is_none(), "it was not ours");
        ticker.fold(&input(Event::Tick(Tick { role: "r".into(), due: Timestamp(5) })));
        assert!(
            ticker.wait(due).is_some_and(|pause| pause <= Duration::from_millis(20)),
            "asked again, but slowly"
        );
        assert!(ticker.tick(Some(Timestamp(i64::MAX))).is_none(), "not due");
    }
}

//! What becomes of each row and mark of one loop in one partition: into which windows it goes, and which windows it ends.
//! It must not know the log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::Window;
use tidemill_domain::{CleanRow, ModelVersion, Scores, Timestamp};
use tidemill_events::monitor::{AlertPolicy, Paired, PartWindow, WindowKey, WindowKind};
use tidemill_events::sample::{CleanItem, Mark};
use tidemill_events::subject::Partition;
use tidemill_stats::sketch::Moments;

use crate::answering::Answering;
use crate::open::{OpenWindow, Tally};
use crate::policy::Policy;
use crate::series::{Series, Taken, Whose};
use crate::shed::{Shed, ShedRows};

/// The rows of one loop in one partition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stream {
    partition: Partition,
    #[serde(with = "tidemill_events::snapshot::shared_option")]
    policy: Option<Arc<Policy>>,
    answering: Answering,
    series: Series,
    pub(crate) shed: ShedRows,
}

impl Stream {
    pub(crate) fn new(partition: Partition) -> Self {
        Self { partition, ..Self::default() }
    }

    /// The windows whose time is up.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<PartWindow> {
        let Some(policy) = self.policy.clone() else { return Vec::new() };
        let over = |whose: &Whose, open: &OpenWindow| open.is_full(extent(&policy, whose.0), now);
        let taken = self.series.take(over, |_, _| true);
        self.closed(&policy, taken)
    }

    /// Takes one item; the windows that close with it.
    pub(crate) fn take(&mut self, item: &CleanItem, now: Timestamp) -> Vec<PartWindow> {
        match item {
            CleanItem::Observed(row) => self.observed(row, now),
            CleanItem::Labelled(row) => self.labelled(row, now),
            CleanItem::Mark(Mark::Spec { applied, .. }) => {
                self.governed(Arc::new(Policy::of(&applied.spec)), now)
            }
            CleanItem::Mark(Mark::Routes { table, profiles, .. }) => {
                self.routed(self.answering.by(table, profiles), now)
            }
            // Time-bound windows are ended by `expire`, before any item is looked at.
            CleanItem::Mark(Mark::Tick) | CleanItem::Expired { .. } => Vec::new(),
        }
    }

    fn observed(&mut self, row: &CleanRow, now: Timestamp) -> Vec<PartWindow> {
        let whose = (WindowKind::Observed, row.answer().map(|a| a.version.clone()));
        if let (Some(version), false) = (&whose.1, self.series.knows(&whose)) {
            self.answering.began(version);
        }
        self.measured(whose, row, now)
    }

    fn labelled(&mut self, row: &CleanRow, now: Timestamp) -> Vec<PartWindow> {
        let (true, Some(answer)) = (row.is_scorable(), row.answer()) else {
            self.shed.add(Shed::Unscorable, 1);
            return Vec::new();
        };
        let mut closed = self.measured((WindowKind::Labelled, Some(answer.version.clone())), row, now);
        let compared =
            self.answering.pair().filter(|(a, b)| row.output_of(a).is_some() && row.output_of(b).is_some());
        if let Some(challenger) = compared.map(|(_, challenger)| challenger.clone()) {
            closed.extend(self.measured((WindowKind::Paired, Some(challenger)), row, now));
        }
        closed
    }

    fn measured(&mut self, whose: Whose, row: &CleanRow, now: Timestamp) -> Vec<PartWindow> {
        let Some(policy) = self.policy.clone() else {
            self.shed.add(Shed::NoSpec, 1);
            return Vec::new();
        };
        if row.features.len() != policy.features() {
            self.shed.add(Shed::Mismatch, 1);
            return Vec::new();
        }
        let idle = self.series.make_room(&whose);
        let mut closed = self.ended(&policy, idle.into_iter().collect(), now);
        let pair = self.answering.pair();
        let window =
            self.series.window(whose.clone(), || OpenWindow::new(now, tally(whose.0, &policy, pair)));
        if !window.add(row, policy.metric.loss(), now) {
            self.shed.add(Shed::Mismatch, 1);
        } else if window.is_full(extent(&policy, whose.0), now) {
            let taken = self.series.close(&whose).into_iter().collect();
            closed.extend(self.closed(&policy, taken));
        }
        closed
    }

    /// A new policy: windows that began under another meaning of rows end here.
    fn governed(&mut self, next: Arc<Policy>, now: Timestamp) -> Vec<PartWindow> {
        let Some(policy) = self.policy.replace(next.clone()) else { return Vec::new() };
        if policy.agrees_with(&next) {
            return Vec::new();
        }
        let worth = |whose: &Whose, w: &OpenWindow| w.is_worth_closing(extent(&policy, whose.0), now);
        let taken = self.series.take(|_, _| true, worth);
        let closed = self.ended(&policy, taken, now);
        if !policy.same_columns(&next) {
            self.answering.forget_references();
        }
        closed
    }

    /// A new route table: windows of versions that stop answering end here, and so does the comparison of another pair.
    fn routed(&mut self, next: Answering, now: Timestamp) -> Vec<PartWindow> {
        let Some(policy) = self.policy.clone() else {
            self.answering = next;
            return Vec::new();
        };
        if self.answering.pair() != next.pair() {
            let paired = self.series.take(|whose, _| whose.0 == WindowKind::Paired, |_, _| false);
            self.shed.add(Shed::PairChanged, paired.iter().map(|(_, w)| w.rows).sum());
        }
        let before = &self.answering;
        let stops = |whose: &Whose, _: &OpenWindow| {
            whose.0 != WindowKind::Paired && before.stops(whose.1.as_ref(), &next)
        };
        let worth = |whose: &Whose, w: &OpenWindow| w.is_worth_closing(extent(&policy, whose.0), now);
        let taken = self.series.take(stops, worth);
        // Closed against the references that were known while they were open, under the new table.
        let mut closed = self.ended(&policy, taken, now);
        self.answering = next;
        for window in &mut closed {
            window.policy.watched = self.answering.watched().cloned();
        }
        closed
    }

    /// Windows that end early: those that say enough are closed, the others are given up and counted.
    fn ended(&mut self, policy: &Policy, taken: Vec<Taken>, now: Timestamp) -> Vec<PartWindow> {
        let (worth, given_up): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|(key, w)| w.is_worth_closing(extent(policy, key.kind), now));
        self.shed.add(Shed::CutShort, given_up.iter().map(|(_, w)| w.rows).sum());
        self.closed(policy, worth)
    }

    fn closed(&self, policy: &Policy, taken: Vec<Taken>) -> Vec<PartWindow> {
        taken.into_iter().map(|(key, window)| self.part(policy, key, window)).collect()
    }

    fn part(&self, policy: &Policy, key: WindowKey, window: OpenWindow) -> PartWindow {
        let observed = key.kind == WindowKind::Observed;
        let mut part = PartWindow {
            partition: self.partition,
            rows: window.rows,
            from: window.from,
            to: window.to,
            profile: None,
            reference: self.answering.reference(key.version.as_ref()).filter(|_| observed).cloned(),
            scores: None,
            loss: None,
            paired: None,
            policy: AlertPolicy {
                alpha: policy.alpha(window.to - window.from),
                columns: if observed { policy.columns() } else { Vec::new() },
                metric: Some(policy.metric),
                watched: self.answering.watched().cloned(),
            },
            key,
        };
        match window.tally {
            Tally::Observed(profile) => part.profile = Some(profile),
            Tally::Labelled { scores, loss } => (part.scores, part.loss) = (Some(scores), Some(loss)),
            Tally::Paired(pair) => part.paired = Some(pair),
        }
        part
    }
}

/// The extent of a window of this kind.
fn extent(policy: &Policy, kind: WindowKind) -> Window {
    match kind {
        WindowKind::Labelled | WindowKind::Observed => policy.window,
        WindowKind::Paired => policy.paired,
    }
}

/// What the rows of a window of this kind are summed into.
fn tally(kind: WindowKind, policy: &Policy, pair: Option<(&ModelVersion, &ModelVersion)>) -> Tally {
    match (kind, pair) {
        (WindowKind::Paired, Some((champion, challenger))) => Tally::Paired(Paired {
            champion: champion.clone(),
            challenger: challenger.clone(),
            difference: Moments::default(),
            champion_loss: Moments::default(),
        }),
        (WindowKind::Observed, _) => Tally::Observed(policy.profile()),
        (WindowKind::Labelled | WindowKind::Paired, _) => {
            Tally::Labelled { scores: Scores::default(), loss: Moments::default() }
        }
    }
}

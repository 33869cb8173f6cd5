//! What is in force: for each loop a route table with every model that it names, loaded. A whole, never changed, only
//! replaced, so that a request sees one table from beginning to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_domain::{LoopId, ModelVersion, PredictionRecord, Schema, Scored};
use tidemill_events::model::Deployed;
use tidemill_learn::Model;
use tidemill_predictor_core::Router;

use crate::row;

/// A loaded model, with the schema under which it was trained.
#[derive(Debug)]
pub(crate) struct Scorer {
    pub(crate) version: ModelVersion,
    pub(crate) model: Model,
    pub(crate) schema: Arc<Schema>,
}

impl Scorer {
    /// What the model says of a row.
    pub(crate) fn score(&self, record: &PredictionRecord) -> Scored {
        let output = self.model.predict(&row::cells(&self.schema, &record.features));
        Scored { version: self.version.clone(), output }
    }
}

/// The table of a loop, and its models.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    pub(crate) router: Router,
    pub(crate) scorers: BTreeMap<ModelVersion, Arc<Scorer>>,
}

/// Who answers a row, and who scores it beside.
pub(crate) struct Parts<'a> {
    pub(crate) answer: &'a Scorer,
    pub(crate) also: Vec<Arc<Scorer>>,
}

impl Serving {
    /// Who answers the row of `key`; none without a model. The champion answers for a challenger that is not loaded, which
    /// happens only after a start without the store.
    pub(crate) fn parts(&self, loop_id: &LoopId, key: &str) -> Option<Parts<'_>> {
        let routing = self.router.route(loop_id, key)?;
        let scorer = |model: &Deployed| self.scorers.get(&model.model.version);
        let answer = scorer(routing.answer).or_else(|| scorer(self.router.table(loop_id)?.champion()?))?;
        let also = routing.also.iter().filter_map(|model| scorer(model)).filter(|s| !Arc::ptr_eq(s, answer));
        Some(Parts { answer, also: also.cloned().collect() })
    }

    /// Whether the table has a champion that is not loaded.
    pub(crate) fn lacks_champion(&self, loop_id: &LoopId) -> bool {
        let champion = self.router.table(loop_id).and_then(|table| table.champion());
        champion.is_some_and(|model| !self.scorers.contains_key(&model.model.version))
    }

    /// Whether every model of the table is loaded.
    pub(crate) fn is_whole(&self) -> bool {
        self.router.wanted().iter().all(|(version, _)| self.scorers.contains_key(version))
    }

    /// The version of the table; 0 before there is one.
    pub(crate) fn table_version(&self, loop_id: &LoopId) -> u64 {
        self.router.table(loop_id).map_or(0, |table| table.version)
    }
}

/// One loop: what is in force, and what shall be.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoopState {
    pub(crate) serving: Arc<Serving>,
    /// The newest table on the log; its models may still have to be loaded.
    pub(crate) wanted: u64,
    /// The spec in force, counted from 1; 0 for a loop without one.
    pub(crate) spec_version: u64,
}

/// Everything that is in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// Whether there is anything to answer by: the log was read to its end once, or the data folder had something.
    pub(crate) is_complete: bool,
    /// Whether the log was read to its end since the start.
    pub(crate) is_current: bool,
    pub(crate) loops: BTreeMap<LoopId, LoopState>,
}

impl Snapshot {
    /// Whether every table that is wanted is in force with all its models.
    pub(crate) fn is_loaded(&self) -> bool {
        let is_loaded = |(id, state): (&LoopId, &LoopState)| {
            state.serving.table_version(id) == state.wanted && state.serving.is_whole()
        };
        self.loops.iter().all(is_loaded)
    }

    /// The loops that have a spec, for people: some names, and how many more there are.
    pub(crate) fn names(&self) -> String {
        const SHOWN: usize = 12;
        let known: Vec<_> =
            self.loops.iter().filter(|(_, s)| s.spec_version > 0).map(|(id, _)| id.as_str()).collect();
        match known.len().saturating_sub(SHOWN) {
            _ if known.is_empty() => "there is none yet".to_owned(),
            0 => format!("there is {}", known.join(", ")),
            more => format!("there is {} and {more} more", known.get(..SHOWN).unwrap_or_default().join(", ")),
        }
    }
}

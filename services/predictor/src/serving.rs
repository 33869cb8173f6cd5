//! What is in force: for each loop a route table with every model that it names, loaded. A whole, never changed, only
//! replaced, so that a request sees one table from beginning to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_domain::{LoopId, ModelVersion, PredictionRecord, Schema, Scored};
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
    /// Who answers the row of `key`; none without a model.
    pub(crate) fn parts(&self, loop_id: &LoopId, key: &str) -> Option<Parts<'_>> {
        let routing = self.router.route(loop_id, key)?;
        let scorer = |version: &ModelVersion| self.scorers.get(version);
        let answer = scorer(&routing.answer.model.version)?;
        let also = routing.also.iter().filter_map(|d| scorer(&d.model.version).cloned()).collect();
        Some(Parts { answer, also })
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
    /// Whether the log was read to its end once.
    pub(crate) is_complete: bool,
    pub(crate) loops: BTreeMap<LoopId, LoopState>,
}

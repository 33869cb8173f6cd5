//! Sticky routing: the same entity gets its answers from the same model for as long as shares only grow.
//!
//! An entity has a fixed place between 0 and 100, and a challenger with a share of `w` answers those below `w`: who saw it
//! at 5 percent still does at 25. Champion, challenger and shadow all score every row, so that comparison is paired; the
//! share governs exposure alone. This module must not know what a model says.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tidemill_domain::hash::unit_of;
use tidemill_domain::{ContentHash, LoopId, ModelVersion, Schema};
use tidemill_events::envelope::Recorded;
use tidemill_events::event::{Event, SpecApplied};
use tidemill_events::model::Deployed;
use tidemill_events::rollout::{Role, RouteTable};

/// Who answers one row, and who scores it beside.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing<'a> {
    /// The model whose output the client gets.
    pub answer: &'a Deployed,
    /// The models that score the row without being heard.
    pub also: Vec<&'a Deployed>,
}

/// The route tables and schemas of all loops.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Router {
    loops: BTreeMap<LoopId, Loop>,
    /// The place of the newest input; anything not beyond it was folded already (INV-1).
    last: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Loop {
    spec: Option<SpecApplied>,
    table: RouteTable,
}

impl Router {
    /// A router that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one input of the loop's log; says whether routes or specs changed.
    pub fn fold(&mut self, input: &Recorded) -> bool {
        if self.last.is_some_and(|last| input.sequence <= last) {
            return false;
        }
        self.last = Some(input.sequence);
        let loop_id = &input.subject.loop_id;
        if let Event::Rollout(rollout) = &input.event {
            let known = self.loops.entry(loop_id.clone()).or_default();
            // Versions rise; a table that is not newer comes from a writer that has lost its place.
            let newer = rollout.table.version > known.table.version;
            if newer {
                known.table = rollout.table.clone();
            }
            newer
        } else if let Event::Spec(applied) = &input.event {
            self.loops.entry(loop_id.clone()).or_default().spec = Some(SpecApplied::clone(applied));
            true
        } else {
            false
        }
    }

    /// The place of the newest input that was folded: where to read on.
    #[must_use]
    pub fn position(&self) -> Option<u64> {
        self.last
    }

    /// Who answers the row of `key`, which is its entity or, without one, its prediction id; `None` without a model.
    #[must_use]
    pub fn route(&self, loop_id: &LoopId, key: &str) -> Option<Routing<'_>> {
        let table = self.table(loop_id)?;
        let champion = table.champion()?;
        let mut answer = champion;
        let mut also = Vec::new();
        if let Some(contender) = table.contender() {
            let heard = contender.role == Role::Challenger
                && unit_of(&format!("{loop_id}/{key}")) * 100.0 < f64::from(contender.weight);
            if heard {
                answer = &contender.model;
                also.push(champion);
            } else {
                also.push(&contender.model);
            }
        }
        Some(Routing { answer, also })
    }

    /// The models to have loaded, with the artefacts they are read from. The previous champion is among them: a rollback
    /// must not wait for a download.
    #[must_use]
    pub fn wanted(&self) -> BTreeSet<(ModelVersion, ContentHash)> {
        let tables = self.loops.values().map(|l| &l.table);
        let models = tables.flat_map(|t| t.routes.iter().map(|r| &r.model).chain(&t.previous));
        models.map(|m| (m.model.version.clone(), m.model.artefact.clone())).collect()
    }

    /// The route table of a loop.
    #[must_use]
    pub fn table(&self, loop_id: &LoopId) -> Option<&RouteTable> {
        self.loops.get(loop_id).map(|l| &l.table)
    }

    /// The spec in force of a loop.
    #[must_use]
    pub fn spec(&self, loop_id: &LoopId) -> Option<&SpecApplied> {
        self.loops.get(loop_id)?.spec.as_ref()
    }

    /// The shape of the rows of a loop.
    #[must_use]
    pub fn schema(&self, loop_id: &LoopId) -> Option<&Schema> {
        self.spec(loop_id).map(|applied| &applied.spec.schema)
    }

    /// The loops that are known.
    pub fn loops(&self) -> impl Iterator<Item = &LoopId> {
        self.loops.keys()
    }
}

#[cfg(test)]
#[path = "tests/route.rs"]
mod tests;

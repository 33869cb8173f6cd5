//! Who answers, who is compared with whom, and whom alerts are about: what a route table means to the monitor. It must
//! not know how traffic is split.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tidemill_domain::ModelVersion;
use tidemill_events::model::Profile;
use tidemill_events::rollout::RouteTable;

/// The models in the order of the last route table; also those of rows that no table routes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answering {
    versions: BTreeSet<ModelVersion>,
    champion: Option<ModelVersion>,
    challenger: Option<ModelVersion>,
    newest: Option<ModelVersion>,
    references: BTreeMap<ModelVersion, Profile>,
}

impl Answering {
    /// What this table means; what was seen without a table is kept.
    pub(crate) fn by(&self, table: &RouteTable, profiles: &BTreeMap<ModelVersion, Profile>) -> Self {
        let routed = table.routes.iter().filter(|r| r.weight > 0);
        Self {
            versions: routed.map(|r| r.model.model.version.clone()).collect(),
            champion: table.champion().map(|d| d.model.version.clone()),
            challenger: table.contender().map(|r| r.model.model.version.clone()),
            newest: self.newest.clone(),
            references: profiles.clone(),
        }
    }

    /// A version that was not seen before begins to answer.
    pub(crate) fn began(&mut self, version: &ModelVersion) {
        self.newest = Some(version.clone());
    }

    /// Whether `version` answered until now and stops with `next`. As soon as a champion is routed, rows of any other
    /// origin are no longer of interest; without one, only what a table routed can be taken out by a table.
    pub(crate) fn stops(&self, version: Option<&ModelVersion>, next: &Self) -> bool {
        if self.versions == next.versions {
            return false;
        }
        let goes_on = version.is_some_and(|v| next.versions.contains(v));
        let was_routed = version.is_some_and(|v| self.versions.contains(v));
        !goes_on && (next.champion.is_some() || was_routed)
    }

    /// The model that alerts are about.
    pub(crate) fn watched(&self) -> Option<&ModelVersion> {
        self.champion.as_ref().or(self.newest.as_ref())
    }

    /// Champion and challenger, while there are both.
    pub(crate) fn pair(&self) -> Option<(&ModelVersion, &ModelVersion)> {
        Some((self.champion.as_ref()?, self.challenger.as_ref()?))
    }

    /// How the training rows of `version` were distributed, if that is known.
    pub(crate) fn reference(&self, version: Option<&ModelVersion>) -> Option<&Profile> {
        self.references.get(version?)
    }

    /// The columns of rows changed: what models learned from can no longer be compared with them.
    pub(crate) fn forget_references(&mut self) {
        self.references.clear();
    }
}

//! Control among the rows: which of a loop's log everybody downstream must see at the same place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::ModelVersion;
use tidemill_events::model::Profile;
use tidemill_events::rollout::RouteTable;
use tidemill_events::sample::Mark;
use tidemill_events::training::Candidate;

/// How many candidates may await their rollout with their profiles remembered.
const MAX_PROFILES: usize = 16;

/// The training distributions of models that have traffic or may get it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profiles {
    known: BTreeMap<ModelVersion, (u64, Profile)>,
}

impl Profiles {
    /// Remembers a candidate's.
    pub(crate) fn add(&mut self, sequence: u64, candidate: &Candidate) {
        self.known.insert(candidate.version().clone(), (sequence, candidate.profile.clone()));
    }

    /// The mark for a new table; forgets the oldest profiles that no live model needs.
    pub(crate) fn mark(&mut self, sequence: u64, table: &RouteTable) -> Mark {
        let live: Vec<&ModelVersion> = table
            .routes
            .iter()
            .map(|r| &r.model.model.version)
            .chain(table.previous.iter().map(|d| &d.model.version))
            .collect();
        while self.known.len() > MAX_PROFILES {
            let oldest = self.known.iter().filter(|(v, _)| !live.contains(v)).min_by_key(|(_, (at, _))| *at);
            let Some(version) = oldest.map(|(v, _)| v.clone()) else { break };
            self.known.remove(&version);
        }
        let profiles = table
            .routes
            .iter()
            .filter_map(|r| {
                let version = &r.model.model.version;
                Some((version.clone(), self.known.get(version)?.1.clone()))
            })
            .collect();
        Mark::Routes { sequence, table: Box::new(table.clone()), profiles }
    }
}

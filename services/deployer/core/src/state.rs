//! One loop as the deployer sees it, and the route table that follows from it.
//!
//! Tables are never edited: they are derived from champion, contender and previous champion, and so are legal by
//! construction (INV-3). This module must not decide anything.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::Lane;
use tidemill_domain::{Algorithm, DatasetId, LoopId, ModelVersion, Timestamp, TurnId};
use tidemill_events::core::Draft;
use tidemill_events::event::{Event, SpecApplied};
use tidemill_events::model::Deployed;
use tidemill_events::rollout::{Role, Rollout, RolloutStep, Route, RouteTable};
use tidemill_events::subject::{Log, Subject};
use tidemill_stats::sequential::Judgement;

use crate::evidence::Evidence;
use crate::hold::Holds;

/// Turns whose candidate was decided on are remembered, so that a verdict told twice moves traffic once.
const MAX_DECIDED: usize = 64;

/// What is known of one loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoopState {
    pub(crate) loop_id: LoopId,
    pub(crate) policy: Policy,
    pub(crate) champion: Option<Deployed>,
    /// The champion before, ready to return.
    pub(crate) previous: Option<Deployed>,
    pub(crate) contender: Option<Contender>,
    pub(crate) watch: Option<Watch>,
    /// The lineages whose models became champion and were not taken back.
    pub(crate) proven: BTreeSet<Algorithm>,
    pub(crate) holds: Holds,
    /// The newest dataset version.
    pub(crate) dataset: Option<DatasetId>,
    /// The rows changed under the champion: nothing can be compared with it row by row.
    pub(crate) stranded: bool,
    version: u64,
    decided: VecDeque<TurnId>,
}

/// The spec in force, and since which of its versions candidates have been judged by the same rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) applied: SpecApplied,
    pub(crate) judged_since: u64,
}

/// The model beside the champion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Contender {
    pub(crate) model: Deployed,
    pub(crate) part: Part,
    pub(crate) evidence: Evidence,
}

/// Why there is a model beside the champion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// It is on its way to become champion.
    Climbing {
        /// Its share of traffic in percent; 0 in the shadow.
        share: u8,
        /// How many paired rows there were when the present step began.
        begun_at: u64,
    },
    /// It is the previous champion, compared with the new one while that is on watch.
    Compared,
}

/// The watch over a new champion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    pub(crate) until: Timestamp,
    /// Paired rows have shown that the new champion is better than the previous one.
    pub(crate) better: bool,
}

impl LoopState {
    pub(crate) fn new(loop_id: LoopId, applied: &SpecApplied) -> Self {
        Self {
            loop_id,
            policy: Policy { applied: applied.clone(), judged_since: applied.version },
            champion: None,
            previous: None,
            contender: None,
            watch: None,
            proven: BTreeSet::new(),
            holds: Holds::default(),
            dataset: None,
            stranded: false,
            version: 0,
            decided: VecDeque::new(),
        }
    }

    /// Who answers what share.
    fn table(&self) -> RouteTable {
        let mut routes = Vec::new();
        if let Some(champion) = &self.champion {
            let share = self.contender.as_ref().map_or(0, Contender::share);
            routes.push(Route { model: champion.clone(), role: Role::Champion, weight: 100 - share });
            if let Some(contender) = &self.contender {
                let role = if share > 0 { Role::Challenger } else { Role::Shadow };
                routes.push(Route { model: contender.model.clone(), role, weight: share });
            }
        }
        RouteTable { version: self.version, routes, previous: self.previous.clone() }
    }

    /// The event that tells a step `about` a model, in the turn of that model, with the table as it is now.
    pub(crate) fn tell(
        &mut self,
        step: RolloutStep,
        about: Option<&Deployed>,
        lane: Option<Lane>,
        judgement: Option<Judgement>,
        reason: impl Into<String>,
    ) -> Draft {
        self.version += 1;
        let rollout = Rollout {
            step,
            version: about.map(|m| m.model.version.clone()),
            lane,
            table: self.table(),
            judgement,
            reason: reason.into(),
        };
        let to = Subject::log(self.loop_id.clone(), Log::Rollout);
        let draft = Draft::new(to, Event::Rollout(Box::new(rollout)));
        match about {
            Some(model) => draft.in_turn(model.turn.clone()),
            None => draft,
        }
    }

    /// Whether the candidate of `turn` is new here; from now on it is not.
    pub(crate) fn decide_once(&mut self, turn: &TurnId) -> bool {
        if self.decided.contains(turn) {
            return false;
        }
        self.decided.push_back(turn.clone());
        if self.decided.len() > MAX_DECIDED {
            self.decided.pop_front();
        }
        true
    }

    /// The contender that is on its way to become champion.
    pub(crate) fn climber(&self) -> Option<&Contender> {
        self.contender.as_ref().filter(|c| matches!(c.part, Part::Climbing { .. }))
    }
}

impl Contender {
    /// Its share of traffic in percent; the champion always keeps some.
    fn share(&self) -> u8 {
        match self.part {
            Part::Climbing { share, .. } => share.min(99),
            Part::Compared => 0,
        }
    }

    pub(crate) fn version(&self) -> &ModelVersion {
        &self.model.model.version
    }
}

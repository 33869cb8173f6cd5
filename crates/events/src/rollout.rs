//! Who answers: the route table, and each step that changed it or on purpose did not.

use serde::{Deserialize, Serialize};
use tidemill_domain::ModelVersion;
use tidemill_domain::spec::Lane;
use tidemill_stats::sequential::Judgement;

use crate::model::Deployed;

/// The part a model plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It answers unless a challenger does.
    Champion,
    /// It answers for its share of the entities, and scores every row.
    Challenger,
    /// It scores every row and answers none.
    Shadow,
}

/// One model in the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The model.
    pub model: Deployed,
    /// Its part.
    pub role: Role,
    /// Its share of traffic, in percent.
    pub weight: u8,
}

/// Who answers what share. Weights of a table with routes sum to 100, at most one is the champion (INV-3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Rises with every change.
    pub version: u64,
    /// The models.
    pub routes: Vec<Route>,
    /// The champion before this one, ready to return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Deployed>,
}

impl RouteTable {
    /// The model of a part.
    #[must_use]
    pub fn of(&self, role: Role) -> Option<&Deployed> {
        self.routes.iter().find(|r| r.role == role).map(|r| &r.model)
    }

    /// The champion.
    #[must_use]
    pub fn champion(&self) -> Option<&Deployed> {
        self.of(Role::Champion)
    }

    /// The model on its way: challenger or shadow.
    #[must_use]
    pub fn contender(&self) -> Option<&Route> {
        self.routes.iter().find(|r| r.role != Role::Champion)
    }

    /// What is wrong with the table (INV-3); empty for a legal one.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let champions = self.routes.iter().filter(|r| r.role == Role::Champion).count();
        let total: u32 = self.routes.iter().map(|r| u32::from(r.weight)).sum();
        if champions > 1 {
            wrong.push(format!("{champions} champions, at most one is allowed"));
        }
        if !self.routes.is_empty() && total != 100 {
            wrong.push(format!("weights sum to {total}, they must sum to 100"));
        }
        if self.routes.iter().any(|r| r.role == Role::Shadow && r.weight > 0) {
            wrong.push("a shadow has traffic".to_owned());
        }
        let mut versions: Vec<_> = self.routes.iter().map(|r| &r.model.model.version).collect();
        versions.sort();
        if versions.windows(2).any(|w| w[0] == w[1]) {
            wrong.push("a model plays two parts".to_owned());
        }
        wrong
    }
}

/// What became of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutStep {
    /// The candidate passed and waits for a person's approval.
    Awaiting,
    /// A candidate that passed is not taken, because of what is under way or because the loop is paused.
    Declined,
    /// A champion on watch is taken back on evidence.
    Demoted,
    /// People stopped every move, also those back.
    Frozen,
    /// The evidence ran out or spoke against the challenger: the champion stays.
    Kept,
    /// People stopped automatic moves.
    Paused,
    /// A person gave a model all traffic, until it is unpinned.
    Pinned,
    /// The challenger became champion.
    Promoted,
    /// A newer candidate of the same lineage takes the challenger's place.
    Replaced,
    /// People allowed automatic moves again.
    Resumed,
    /// A person gave the previous champion its traffic back.
    RolledBack,
    /// The candidate scores every row and answers none.
    Shadowed,
    /// The challenger gets a share.
    StepStarted,
    /// A person let automatic moves begin again.
    Unpinned,
    /// A new champion stood its watch.
    Watched,
}

impl RolloutStep {
    /// What happened, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Awaiting => "waits for approval",
            Self::Declined => "not taken",
            Self::Demoted => "taken back on evidence",
            Self::Frozen => "frozen",
            Self::Kept => "the champion was kept",
            Self::Paused => "paused",
            Self::Pinned => "pinned by a person",
            Self::Promoted => "promoted",
            Self::Replaced => "replaced by a newer candidate",
            Self::Resumed => "resumed",
            Self::RolledBack => "rolled back by a person",
            Self::Shadowed => "in the shadow",
            Self::StepStarted => "step started",
            Self::Unpinned => "unpinned",
            Self::Watched => "watch passed",
        }
    }
}

/// A step, with the whole table after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// What happened.
    pub step: RolloutStep,
    /// The model that it is about.
    pub version: Option<ModelVersion>,
    /// The way it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// Who answers from now on.
    pub table: RouteTable,
    /// The comparison that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// The reason in a sentence.
    pub reason: String,
}

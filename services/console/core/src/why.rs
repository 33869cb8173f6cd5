//! The causal chain of a model as a tree (INV-4): what moved its traffic, who judged it, what it was chosen from, what asked
//! for it, and the rows under it. Where a link is missing, the tree says so instead of leaving it out.

mod causes;
mod links;
mod past;
mod text;

use serde::{Deserialize, Serialize};
use tidemill_domain::{EventId, LoopId, ModelVersion, Timestamp};
use tidemill_events::model::Deployed;
use tidemill_events::rollout::Role;

use self::text::{percent, role, short};
use crate::loops::LoopState;
use crate::record::At;
use crate::refused::Refused;
use crate::turns::Turn;

pub use self::past::Past;
pub(crate) use self::past::past_tree;

/// The name under which the champion is asked for.
pub const LIVE: &str = "live";

/// A link of the chain, with what led to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is.
    pub label: String,
    /// Names and values, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<(String, String)>,
    /// The event that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// When the log took that event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Whether it should be here and is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// What led to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

impl Node {
    pub(crate) fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    pub(crate) fn at(mut self, at: &At) -> Self {
        self.event = Some(at.event.clone());
        self.time = Some(at.time);
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.detail.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn with_some(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(crate) fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// A link that should be there.
    pub(crate) fn missing(what: &str) -> Self {
        Self { label: format!("{what}: not on the log"), missing: true, ..Self::default() }
    }

    /// Everything in the tree, the node itself first.
    pub fn walk(&self) -> impl Iterator<Item = &Self> {
        let mut left = vec![self];
        std::iter::from_fn(move || {
            let node = left.pop()?;
            left.extend(node.children.iter().rev());
            Some(node)
        })
    }
}

/// The chain of the model that `asked` names.
pub(crate) fn tree(loop_id: &LoopId, state: &LoopState, asked: &str) -> Result<Node, Refused> {
    let version = resolve(loop_id, state, asked)?;
    let deployed = deployed(state, &version);
    // Two turns may give the same model; the one that was deployed counts.
    let named = deployed.and_then(|d| state.turns.get(&d.turn));
    let turn = named.or_else(|| state.turns.of_version(&version));
    Ok(tree_of(state, turn, &version))
}

/// The model in the route table, or ready to return.
fn deployed<'a>(state: &'a LoopState, version: &ModelVersion) -> Option<&'a Deployed> {
    let routed = state.table.routes.iter().map(|r| &r.model).chain(&state.table.previous);
    routed.into_iter().find(|m| &m.model.version == version)
}

fn tree_of(state: &LoopState, turn: Option<&Turn>, version: &ModelVersion) -> Node {
    let route = state.table.routes.iter().find(|r| &r.model.model.version == version);
    let is_previous = state.table.previous.as_ref().is_some_and(|p| &p.model.version == version);
    let part = match route.filter(|_| !is_previous) {
        Some(r) => {
            let since = state.since.get(version).map(|(_, since)| text::time(*since));
            let share = format!("{} with {} of traffic", role(r.role), percent(f64::from(r.weight) / 100.0));
            since.map_or(share.clone(), |since| format!("{share}, since {since}"))
        }
        None if is_previous => "the champion before, ready to return".to_owned(),
        None => "without traffic".to_owned(),
    };
    let root = Node::new(format!("model {version}: {part}"));
    links(describe(root, deployed(state, version), turn), state, turn, version)
}

fn describe(root: Node, deployed: Option<&Deployed>, turn: Option<&Turn>) -> Node {
    let candidate = turn.and_then(|t| t.candidate.as_ref());
    let artefact = candidate.map(|c| &c.artefact).or(deployed.map(|d| &d.model.artefact));
    let algorithm = candidate.map(|c| c.choice.algorithm).or(deployed.map(|d| d.model.algorithm));
    let trained_to = candidate.map(|c| c.trained_to).or(deployed.map(|d| d.trained_to));
    root.with_some("algorithm", algorithm.map(|a| a.name()))
        .with_some("artefact", artefact.map(short))
        .with_some("learned from rows before number", trained_to.map(|n| n.to_string()))
        .with_some("turn", turn.map(|t| t.id.as_str()).or(deployed.map(|d| d.turn.as_str())))
}

fn links(root: Node, state: &LoopState, turn: Option<&Turn>, version: &ModelVersion) -> Node {
    let root = root.child(links::rollout(state, turn, version));
    let Some(turn) = turn else {
        let gone = state.turns.gone;
        let missing =
            ["verdict", "candidate and trials", "trigger", "dataset", "loop spec"].map(Node::missing);
        let root = root.children(missing);
        return if gone == 0 {
            root
        } else {
            root.with(
                "note",
                format!("{gone} older turns are on the log but are no longer kept by this console"),
            )
        };
    };
    root.child(links::verdict(turn))
        .child(links::candidate(turn))
        .child(causes::trigger(turn))
        .child(causes::dataset(turn))
        .child(causes::spec(turn))
        .child(links::replaced(state, turn, version))
}

fn resolve(loop_id: &LoopId, state: &LoopState, asked: &str) -> Result<ModelVersion, Refused> {
    if asked == LIVE {
        let champion = state.table.champion().map(|c| c.model.version.clone());
        return champion.ok_or_else(|| {
            let remedy =
                format!("it gets one when a first model passes its evaluation: `tidemill status {loop_id}`");
            Refused::not_found(format!("{loop_id} has no champion yet"), remedy)
        });
    }
    let routed =
        state.table.routes.iter().map(|r| &r.model).chain(&state.table.previous).map(|m| &m.model.version);
    let proposed = state.turns.iter().rev().filter_map(|t| t.candidate.as_ref()).map(|c| &c.version);
    let mut fits: Vec<&ModelVersion> =
        routed.chain(proposed).filter(|v| v.as_str().starts_with(asked)).collect();
    fits.sort();
    fits.dedup();
    if let Some(exact) = fits.iter().find(|v| v.as_str() == asked) {
        return Ok((*exact).clone());
    }
    match fits.as_slice() {
        [only] => Ok((*only).clone()),
        [] => {
            let live =
                state.table.of(Role::Champion).map(|c| format!("the champion is {}; ", c.model.version));
            let remedy = format!("{}see `tidemill turns {loop_id}`", live.unwrap_or_default());
            Err(Refused::not_found(format!("no model \"{asked}\" is known in {loop_id}"), remedy))
        }
        many => {
            let names: Vec<&str> = many.iter().map(|v| v.as_str()).collect();
            let remedy = format!("write more of it: {}", names.join(", "));
            Err(Refused::invalid(format!("\"{asked}\" begins the names of {} models", many.len()), remedy))
        }
    }
}

//! The chain of a model whose turn this memory let go: the same tree, from records that are kept elsewhere.

use tidemill_domain::{ModelVersion, TurnId};

use super::{Node, tree_of};
use crate::answers::{Held, SegmentRecord};
use crate::loops::LoopState;
use crate::record::{
    AlertRecord, CandidateRecord, DatasetRecord, RolloutRecord, SpecRecord, TrialRecord, TriggerRecord,
    VerdictRecord,
};
use crate::turns::Turn;

/// What is kept of the turn that made a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The model.
    pub version: ModelVersion,
    /// The turn.
    pub turn: TurnId,
    /// The trigger that began it.
    pub trigger: Option<TriggerRecord>,
    /// The alert that the trigger answers.
    pub alert: Option<AlertRecord>,
    /// The dataset version that it started from.
    pub dataset: Option<DatasetRecord>,
    /// The newest segments of that version, newest first.
    pub segments: Vec<SegmentRecord>,
    /// The spec under which it began.
    pub spec: Option<SpecRecord>,
    /// Its trials, in the order of their plans.
    pub trials: Vec<TrialRecord>,
    /// How many more there are.
    pub more_trials: u64,
    /// The candidate.
    pub candidate: Option<CandidateRecord>,
    /// The verdict on it.
    pub verdict: Option<VerdictRecord>,
    /// The steps of its rollout, oldest first.
    pub steps: Vec<RolloutRecord>,
}

/// The chain of that model.
pub(crate) fn past_tree(state: &LoopState, past: Past) -> Node {
    let mut turn = Turn::new(past.turn);
    turn.trigger = past.trigger;
    turn.alert = past.alert;
    turn.dataset = past.dataset.map(|version| Held::new(version, past.segments));
    turn.spec = past.spec;
    turn.trials = past.trials;
    turn.trials_gone = past.more_trials;
    turn.candidate = past.candidate;
    turn.verdict = past.verdict;
    past.steps.into_iter().for_each(|step| turn.steps.push(step));
    tree_of(state, Some(&turn), &past.version)
}

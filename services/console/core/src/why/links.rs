//! From traffic back to the trials: steps, verdict, candidate.

use tidemill_domain::ModelVersion;
use tidemill_events::rollout::RolloutStep;
use tidemill_events::training::Purpose;
use tidemill_events::verdict::Gate;

use super::Node;
use super::causes::alert;
use super::text::{judgement, loss, number, numbers, outcome, percent, short};
use crate::loops::LoopState;
use crate::record::{CommandRecord, RolloutRecord, StepCause, TrialRecord, TrialState};
use crate::turns::Turn;

/// The steps that gave the model its part.
pub(super) fn rollout(state: &LoopState, turn: Option<&Turn>, version: &ModelVersion) -> Node {
    let kept = turn.map(|t| &t.steps).filter(|steps| !steps.is_empty());
    let gone = kept.map_or(0, crate::newest::Newest::gone);
    let steps: Vec<&RolloutRecord> = match kept {
        Some(steps) => steps.iter().filter(|s| s.is_about(version)).collect(),
        None => state.rollouts.iter().filter(|s| s.is_about(version)).collect(),
    };
    if steps.is_empty() {
        let is_routed = state.table.routes.iter().any(|r| &r.model.model.version == version);
        return if is_routed { Node::missing("rollout") } else { Node::new("rollout: it never got rows") };
    }
    let n = steps.len();
    let node = Node::new(format!("rollout: {n} step{}", if n == 1 { "" } else { "s" }));
    let node = if gone > 0 { node.with("older steps, on the log only", gone.to_string()) } else { node };
    node.children(steps.into_iter().map(|s| step_node(s, version)))
}

fn step_node(record: &RolloutRecord, version: &ModelVersion) -> Node {
    let share =
        record.weights.iter().find(|w| &w.version == version).map(|w| percent(f64::from(w.weight) / 100.0));
    let label = match &record.version {
        Some(other) if other != version => format!("champion again: {other} was {}", record.step.words()),
        _ => record.step.words().to_owned(),
    };
    let node = Node::new(label)
        .at(&record.at)
        .with_some("share of traffic", share)
        .with_some("lane", record.lane.map(|l| l.to_string()))
        .with_some("evidence", record.judgement.as_ref().map(judgement))
        .with("because", record.reason.clone());
    match &record.cause {
        Some(StepCause::Alert(record)) => node.child(alert(record)),
        Some(StepCause::Command(record)) => node.child(command(record)),
        None => node,
    }
}

fn command(record: &CommandRecord) -> Node {
    let name = record.kind.name();
    let reason = Some(record.reason.clone()).filter(|r| !r.is_empty());
    Node::new(format!("command: {name} by {}", record.by)).at(&record.at).with_some("because", reason)
}

/// The verdict, gate by gate.
pub(super) fn verdict(turn: &Turn) -> Node {
    let Some(verdict) = &turn.verdict else { return Node::missing("verdict") };
    let other = verdict.champion.as_ref().map_or("the prior", ModelVersion::as_str);
    Node::new(format!("verdict: {} against {other}", outcome(verdict.outcome)))
        .at(&verdict.at)
        .with("rows that neither learned from", verdict.recent_rows.to_string())
        .with_some("reserved old rows", (verdict.old_rows > 0).then(|| verdict.old_rows.to_string()))
        .with_some("candidate", numbers(&verdict.candidate_metrics))
        .with_some(other, numbers(&verdict.champion_metrics))
        .with("dataset", verdict.dataset.as_str())
        .with("loop spec", format!("version {}", verdict.spec_version))
        .children(verdict.gates.iter().map(gate))
}

fn gate(gate: &Gate) -> Node {
    Node::new(format!("gate {}: {}", gate.name, outcome(gate.outcome)))
        .with("measured", number(gate.measured))
        .with_some("limit", gate.limit.map(number))
        .with("because", gate.summary.clone())
}

/// The candidate, with the trial that made it, the one that won, and all others.
pub(super) fn candidate(turn: &Turn) -> Node {
    let Some(candidate) = &turn.candidate else { return Node::missing("candidate") };
    let choice = &candidate.choice;
    let node = Node::new(format!("candidate {}: {choice}", candidate.version))
        .at(&candidate.at)
        .with_some("parameters", numbers(&choice.parameters))
        .with("dataset", candidate.dataset.as_str());
    let of = |id: &tidemill_domain::TrialId| turn.trials.iter().find(|t| &t.trial == id);
    let made = of(&candidate.trial);
    let made_node = match made {
        Some(trial) => trial_node("made by", trial),
        None => Node::missing(&format!("the trial {} that made it", candidate.trial)),
    };
    let mut won: Vec<Node> = candidate
        .won
        .iter()
        .map(|(id, _)| match of(id) {
            Some(trial) => trial_node("won by", trial),
            None => Node::missing(&format!("the trial {id} that won")),
        })
        .collect();
    if won.is_empty() {
        won.push(Node::missing("the trial that won"));
    }
    let named = |t: &TrialRecord| t.trial == candidate.trial || candidate.won.iter().any(|w| w.0 == t.trial);
    let others = others(turn, turn.trials.iter().filter(|t| !named(t)).collect());
    node.child(made_node).children(won).child(others)
}

fn others(turn: &Turn, mut rest: Vec<&TrialRecord>) -> Node {
    rest.sort_by(|a, b| {
        let score = |t: &TrialRecord| t.score.unwrap_or(f64::INFINITY);
        score(a).total_cmp(&score(b)).then_with(|| a.trial.cmp(&b.trial))
    });
    let node = Node::new(format!("other trials of the turn: {}", rest.len()));
    let node = match turn.trials_gone {
        0 => node,
        gone => node.with("more, on the log only", gone.to_string()),
    };
    node.children(rest.into_iter().map(|t| trial_node("trial", t)))
}

fn trial_node(what: &str, trial: &TrialRecord) -> Node {
    let score = match (trial.state, trial.score, trial.purpose) {
        (TrialState::Failed, _, _) => "failed".to_owned(),
        (TrialState::Planned, _, _) => "not finished".to_owned(),
        (TrialState::Finished, Some(score), _) => format!("{} {}", loss(trial.metric), number(score)),
        (TrialState::Finished, None, Purpose::Refit) => {
            "learned again from all rows but the newest".to_owned()
        }
        (TrialState::Finished, None, Purpose::Search) => "without a score".to_owned(),
    };
    let cost = trial.measured.as_ref().map(|m| format!("{} s of processor time", number(m.cpu_seconds)));
    Node::new(format!("{what} {}: {}, {score}", trial.trial, trial.algorithm))
        .at(trial.ended.as_ref().unwrap_or(&trial.planned))
        .with_some("parameters", numbers(&trial.parameters))
        .with("learned from", format!("{} rows, {}", trial.rows, trial.strategy))
        .with_some("scored on", (trial.validated > 0).then(|| format!("{} rows", trial.validated)))
        .with_some("metrics", numbers(&trial.metrics))
        .with("seed", trial.seed.to_string())
        .with_some("cost", cost)
        .with_some("artefact", trial.artefact.as_ref().map(short))
        .with_some("because", trial.reason.clone())
}

/// The champion before.
pub(super) fn replaced(state: &LoopState, turn: &Turn, version: &ModelVersion) -> Node {
    let is_it = |s: &&RolloutRecord| s.step == RolloutStep::Promoted && s.version.as_ref() == Some(version);
    let promoted = turn.steps.iter().rev().find(is_it).or_else(|| state.rollouts.iter().rev().find(is_it));
    let Some(promoted) = promoted else { return Node::new("it replaced no champion") };
    let before = promoted.champion_before.as_ref().filter(|before| *before != version);
    match before {
        Some(before) => Node::new(format!("it replaced {before} as champion")).at(&promoted.at),
        None => Node::new("it was the first champion").at(&promoted.at),
    }
}

//! What a backtest found: scores, turns, promotions.

use std::collections::BTreeMap;

use serde::Serialize;
use tidemill_domain::metrics::roc_auc;
use tidemill_domain::{Metric, Output, Schema, Scores, TurnId, Value};
use tidemill_events::Event;
use tidemill_events::rollout::RolloutStep;
use tidemill_events::training::{Purpose, Trial, Trigger};

use crate::backtest::Predicted;
use crate::log::Stream;

/// Rows of one entry of `per_1000`.
const BLOCK: usize = 1_000;

/// What a backtest found. Timings are added by whoever ran it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestResult {
    /// `binary`, `multiclass` or `regression`.
    pub task: &'static str,
    /// Rows played.
    pub rows: usize,
    /// Rows scored: those after the first tenth.
    pub scored: usize,
    /// Metrics over the scored rows, by name.
    pub metrics: BTreeMap<String, f64>,
    /// Metrics over each thousand rows, from the first on.
    pub per_1000: Vec<BTreeMap<String, f64>>,
    /// Every turn of the loop.
    pub turns: Vec<TurnResult>,
    /// How often a candidate became champion.
    pub promotions: u64,
    /// How often a champion was taken back.
    pub rollbacks: u64,
    /// Decisions that were made, by kind and in order: what a comparison with the real bus looks at.
    #[serde(skip)]
    pub decisions: Vec<String>,
}

/// What became of a turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TurnResult {
    /// Its name.
    pub turn: String,
    /// The row at which it began.
    pub row: usize,
    /// What asked for it.
    pub trigger: String,
    /// Trials that were run.
    pub trials: u64,
    /// What was proposed: algorithm and strategy.
    pub candidate: Option<String>,
    /// What the evaluator said.
    pub verdict: Option<String>,
    /// How it ended; none if the stream ended before.
    pub outcome: Option<String>,
}

/// Watches a backtest.
pub(crate) struct Recorder {
    metric: Metric,
    first_scored: usize,
    n_rows: usize,
    scored: usize,
    regression: bool,
    total: Scores,
    block: Scores,
    per_1000: Vec<BTreeMap<String, f64>>,
    probabilities: Vec<(BTreeMap<String, f64>, String)>,
    read: u64,
    turns: Vec<TurnResult>,
    promotions: u64,
    rollbacks: u64,
    decisions: Vec<String>,
}

impl Recorder {
    pub(crate) fn new(schema: &Schema, metric: Metric, n_rows: usize) -> Self {
        Self {
            metric,
            first_scored: n_rows / 10,
            n_rows,
            scored: 0,
            regression: schema.is_regression(),
            total: Scores::default(),
            block: Scores::default(),
            per_1000: Vec::new(),
            probabilities: Vec::new(),
            read: 0,
            turns: Vec::new(),
            promotions: 0,
            rollbacks: 0,
            decisions: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, predicted: &Predicted<'_>, schema: &Schema) {
        if let Ok(truth) = schema.target_value(predicted.truth) {
            self.block.add(predicted.output, &truth);
            if predicted.row >= self.first_scored {
                self.scored += 1;
                self.total.add(predicted.output, &truth);
                if let (Output::Classes(classes), Value::Text(truth)) = (predicted.output, truth) {
                    self.probabilities.push((classes.iter().cloned().collect(), truth));
                }
            }
        }
        if (predicted.row + 1).is_multiple_of(BLOCK) || predicted.row + 1 == self.n_rows {
            self.per_1000.push(std::mem::take(&mut self.block).all());
        }
    }

    /// Takes note of what is new on the log while `row` is the newest row.
    pub(crate) fn log(&mut self, row: usize, log: &Stream) {
        while let Some(recorded) = log.get(self.read + 1) {
            self.read += 1;
            self.decisions.extend(decision(&recorded.event));
            match &recorded.event {
                Event::Trigger(Trigger::Accepted { turn, cause, .. }) => self.turns.push(TurnResult {
                    turn: turn.to_string(),
                    row,
                    trigger: cause.name().to_owned(),
                    ..TurnResult::default()
                }),
                Event::Trigger(Trigger::Closed { turn, outcome, .. }) => {
                    self.turn(turn, |t| t.outcome = Some(outcome.to_string()));
                }
                Event::Trial(trial) => {
                    if let Trial::Finished { turn, .. } | Trial::Failed { turn, .. } = trial.as_ref() {
                        self.turn(turn, |t| t.trials += 1);
                    }
                }
                Event::Candidate(candidate) => {
                    self.turn(&candidate.model.turn, |t| t.candidate = Some(candidate.what()));
                }
                Event::Verdict(verdict) => {
                    let said = format!("{:?}", verdict.outcome).to_lowercase();
                    self.turn(&verdict.turn, |t| t.verdict = Some(said));
                }
                Event::Rollout(rollout) => match rollout.step {
                    RolloutStep::Promoted => self.promotions += 1,
                    RolloutStep::Demoted | RolloutStep::RolledBack => self.rollbacks += 1,
                    _ => {}
                },
                _ => {}
            }
        }
    }

    fn turn(&mut self, turn: &TurnId, change: impl FnOnce(&mut TurnResult)) {
        if let Some(found) = self.turns.iter_mut().rev().find(|t| t.turn == turn.as_str()) {
            change(found);
        }
    }

    pub(crate) fn finish(self) -> BacktestResult {
        let mut metrics = self.total.all();
        let classes: Vec<&String> = self.total.classes.keys().collect();
        if let Some(auc) = area(&self.probabilities, &classes) {
            metrics.insert("roc_auc".to_owned(), auc);
        }
        let task = match (self.regression, classes.len()) {
            (true, _) => "regression",
            (false, 0..=2) => "binary",
            (false, _) => "multiclass",
        };
        // The metric that trials were compared by is always among those reported.
        debug_assert!(metrics.is_empty() || metrics.contains_key(self.metric.name()));
        BacktestResult {
            task,
            rows: self.n_rows,
            scored: self.scored,
            metrics,
            per_1000: self.per_1000,
            turns: self.turns,
            promotions: self.promotions,
            rollbacks: self.rollbacks,
            decisions: self.decisions,
        }
    }
}

/// The area under the ROC curve: of the second class for two classes, the mean over classes against the rest for more.
fn area(rows: &[(BTreeMap<String, f64>, String)], classes: &[&String]) -> Option<f64> {
    let of_class = |class: &String| {
        let scores: Vec<(f64, bool)> =
            rows.iter().map(|(p, truth)| (p.get(class).copied().unwrap_or(0.0), truth == class)).collect();
        roc_auc(&scores)
    };
    match classes {
        [] | [_] => None,
        [_, positive] => of_class(positive),
        many => {
            let areas: Vec<f64> = many.iter().filter_map(|class| of_class(class)).collect();
            (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
        }
    }
}

/// The kind of decision that an event on the log stands for, in a word; none for what is measured or reported.
#[must_use]
pub fn decision(event: &Event) -> Option<String> {
    match event {
        Event::Alert(alert) => Some(format!("alert {} {:?}", alert.alert, alert.state)),
        Event::Candidate(candidate) => Some(format!("candidate {}", candidate.choice.algorithm)),
        Event::Dataset(created) => Some(format!("dataset of {} rows", created.rows)),
        Event::Rollout(rollout) => Some(format!("rollout {:?}", rollout.step)),
        Event::Spec(applied) => Some(format!("spec {}", applied.version)),
        Event::Trial(trial) => Some(match trial.as_ref() {
            Trial::Failed { .. } => "trial failed".to_owned(),
            Trial::Finished { .. } => "trial finished".to_owned(),
            Trial::Planned { job } if job.purpose == Purpose::Refit => "refit planned".to_owned(),
            Trial::Planned { job } => format!("trial of {} planned", job.choice.algorithm),
        }),
        Event::Trigger(trigger) => Some(match trigger {
            Trigger::Accepted { cause, .. } => format!("trigger {} accepted", cause.name()),
            Trigger::Closed { outcome, .. } => format!("turn {outcome}"),
            Trigger::Declined { cause, .. } => format!("trigger {} declined", cause.name()),
        }),
        Event::Verdict(verdict) => Some(format!("verdict {:?}", verdict.outcome)),
        _ => None,
    }
}

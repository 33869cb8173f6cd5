//! Whether a candidate passes: each gate compares one figure with one limit of the loop spec.
//!
//! It must not know of the log or of models. A gate fails, passes, says that the evidence is too little, or only records;
//! the candidate passes if no gate failed and none had too little evidence.

use tidemill_domain::DatasetId;
use tidemill_events::event::SpecApplied;
use tidemill_events::model::Deployed;
use tidemill_events::verdict::{Comparison, EvaluationJob, Gate, GateOutcome, Measurement, Verdict};

/// The verdict on the candidate of `job`, from what was measured, under the spec in force.
#[must_use]
pub fn judge(applied: &SpecApplied, job: &EvaluationJob, measurement: &Measurement) -> Verdict {
    let policy = &applied.spec.evaluation;
    let gates = vec![
        enough_rows(measurement.recent.rows, policy.min_rows),
        recent(job, &measurement.recent, policy.min_rows, policy.max_regression),
        old(job, &measurement.old, policy.min_rows, policy.old_max_regression),
        negative_flips(&measurement.recent, policy.min_rows, policy.max_negative_flips),
    ];
    let any = |outcome| gates.iter().any(|g| g.outcome == outcome);
    let outcome = if any(GateOutcome::Failed) {
        GateOutcome::Failed
    } else if any(GateOutcome::Inconclusive) {
        GateOutcome::Inconclusive
    } else {
        GateOutcome::Passed
    };
    Verdict {
        turn: job.turn.clone(),
        candidate: job.candidate.clone(),
        champion: job.champion.as_ref().map(|c| c.model.version.clone()),
        outcome,
        gates,
        dataset: job.dataset.clone(),
        spec_version: applied.version,
        measurement: measurement.clone(),
    }
}

/// The verdict on a candidate that could not be measured; its one gate, `measured`, says why.
#[must_use]
pub fn without_evidence(
    applied: &SpecApplied,
    candidate: &Deployed,
    champion: Option<&Deployed>,
    dataset: &DatasetId,
    reason: &str,
) -> Verdict {
    Verdict {
        turn: candidate.turn.clone(),
        candidate: candidate.clone(),
        champion: champion.map(|c| c.model.version.clone()),
        outcome: GateOutcome::Inconclusive,
        gates: vec![Gate {
            name: "measured".to_owned(),
            outcome: GateOutcome::Inconclusive,
            measured: 0.0,
            limit: None,
            summary: reason.to_owned(),
        }],
        dataset: dataset.clone(),
        spec_version: applied.version,
        measurement: Measurement::default(),
    }
}

fn enough_rows(rows: u64, least: u64) -> Gate {
    Gate {
        name: "enough_rows".to_owned(),
        outcome: if rows >= least { GateOutcome::Passed } else { GateOutcome::Inconclusive },
        measured: rows as f64,
        limit: Some(least as f64),
        summary: format!(
            "{rows} labelled rows that neither model has learned from; at least {least} are needed"
        ),
    }
}

fn recent(job: &EvaluationJob, seen: &Comparison, least: u64, max_regression: f64) -> Gate {
    let Some(losses) = Losses::of(seen) else { return empty("recent") };
    let (limit, meets, asked) = match job.champion {
        Some(_) => {
            let limit = losses.limit(max_regression);
            (limit, losses.candidate <= limit, format!("at most {limit:.5} is allowed"))
        }
        None => (losses.champion, losses.candidate < losses.champion, "less than that is asked".to_owned()),
    };
    let outcome = decided(seen.rows, least, meets);
    let summary = format!("{}; {asked}", losses.in_words(job, seen.rows, "recent"));
    Gate { name: "recent".to_owned(), outcome, measured: losses.candidate, limit: Some(limit), summary }
}

fn old(job: &EvaluationJob, seen: &Comparison, least: u64, max_regression: Option<f64>) -> Gate {
    let Some(losses) = Losses::of(seen) else {
        let outcome =
            if max_regression.is_some() { GateOutcome::Inconclusive } else { GateOutcome::Recorded };
        return Gate { outcome, ..empty("old") };
    };
    let (words, measured) = (losses.in_words(job, seen.rows, "reserved old"), losses.candidate);
    let (outcome, limit, summary) = match max_regression.map(|most| losses.limit(most)) {
        Some(limit) => {
            let outcome = decided(seen.rows, least, measured <= limit);
            (outcome, Some(limit), format!("{words}; at most {limit:.5} is allowed on at least {least} rows"))
        }
        None => (GateOutcome::Recorded, None, words),
    };
    Gate { name: "old".to_owned(), outcome, measured, limit, summary }
}

fn negative_flips(seen: &Comparison, least: u64, limit: Option<f64>) -> Gate {
    let share = if seen.rows == 0 { 0.0 } else { seen.negative_flips as f64 / seen.rows as f64 };
    let words = format!("{} of {} rows turned from right to wrong", seen.negative_flips, seen.rows);
    let (outcome, summary) = match limit {
        Some(most) => {
            let summary =
                format!("{words} ({:.2} %); at most {:.2} % are allowed", share * 100.0, most * 100.0);
            (decided(seen.rows, least, share <= most), summary)
        }
        None => (GateOutcome::Recorded, words),
    };
    Gate { name: "negative_flips".to_owned(), outcome, measured: share, limit, summary }
}

/// A gate that decides, decides only on enough rows.
fn decided(rows: u64, least: u64, meets: bool) -> GateOutcome {
    match (rows >= least, meets) {
        (false, _) => GateOutcome::Inconclusive,
        (true, true) => GateOutcome::Passed,
        (true, false) => GateOutcome::Failed,
    }
}

fn empty(name: &str) -> Gate {
    Gate {
        name: name.to_owned(),
        outcome: GateOutcome::Inconclusive,
        measured: 0.0,
        limit: None,
        summary: "no rows".to_owned(),
    }
}

/// Mean losses on the same rows.
struct Losses {
    candidate: f64,
    champion: f64,
}

impl Losses {
    fn of(seen: &Comparison) -> Option<Self> {
        let champion = seen.champion_loss.mean()?;
        // From the difference, so that equal models have exactly equal losses.
        Some(Self { candidate: champion - seen.difference.mean()?, champion })
    }

    fn limit(&self, max_regression: f64) -> f64 {
        self.champion * (1.0 + max_regression)
    }

    fn in_words(&self, job: &EvaluationJob, rows: u64, which: &str) -> String {
        let other = job.champion.as_ref().map_or("the prior", |c| c.model.version.as_str());
        let Self { candidate, champion } = self;
        format!(
            "mean loss ({}) {candidate:.5} against {champion:.5} of {other} on {rows} {which} rows",
            job.metric
        )
    }
}

#[cfg(test)]
#[path = "tests/gates.rs"]
mod tests;

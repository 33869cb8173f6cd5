//! Values in the words of a tree.

use std::collections::BTreeMap;

use tidemill_domain::{ContentHash, Loss, Metric, Timestamp};
use tidemill_events::rollout::Role;
use tidemill_events::verdict::GateOutcome;
use tidemill_stats::sequential;

pub(super) fn number(x: f64) -> String {
    if x == 0.0 || (1e-4..1e7).contains(&x.abs()) {
        let text = format!("{x:.5}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{x:.3e}")
    }
}

pub(super) fn numbers(map: &BTreeMap<String, f64>) -> Option<String> {
    let parts: Vec<String> = map.iter().map(|(name, x)| format!("{name} {}", number(*x))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

pub(super) fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

pub(super) fn short(hash: &ContentHash) -> String {
    hash.short().to_owned()
}

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Champion => "champion",
        Role::Challenger => "challenger",
        Role::Shadow => "shadow",
    }
}

pub(super) fn outcome(outcome: GateOutcome) -> &'static str {
    match outcome {
        GateOutcome::Failed => "failed",
        GateOutcome::Inconclusive => "inconclusive",
        GateOutcome::Passed => "passed",
        GateOutcome::Recorded => "recorded only",
    }
}

/// What the score of a trial is the mean of.
pub(super) fn loss(metric: Metric) -> &'static str {
    match metric.loss() {
        Loss::Absolute => "absolute error",
        Loss::Log => "log loss",
        Loss::Squared => "squared error",
        Loss::ZeroOne => "error rate",
    }
}

pub(super) fn judgement(judged: &sequential::Judgement) -> String {
    let verdict = match judged.verdict {
        sequential::Verdict::Superior => "superior",
        sequential::Verdict::NonInferior => "not inferior",
        sequential::Verdict::Inferior => "inferior",
        sequential::Verdict::Undecided => "undecided",
    };
    let bounds = match (judged.lower, judged.upper) {
        (Some(lower), Some(upper)) => format!(" between {} and {}", number(lower), number(upper)),
        (Some(lower), None) => format!(" at least {}", number(lower)),
        (None, Some(upper)) => format!(" at most {}", number(upper)),
        (None, None) => String::new(),
    };
    let mean = judged.mean.map_or_else(|| "unknown".to_owned(), number);
    format!("{verdict}: mean advantage in loss {mean}{bounds} on {} pairs", judged.n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (x, expected) in
            [(0.25, "0.25"), (3.0, "3"), (0.0, "0"), (1e-7, "1.000e-7"), (0.123_456_7, "0.12346")]
        {
            assert_eq!(number(x), expected);
        }
        assert_eq!(time(Timestamp(1_500_000)), "1970-01-01T00:00:01Z");
    }
}

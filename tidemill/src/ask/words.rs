//! Values in the words of a screen: times, numbers, shares. Pure.

use std::collections::BTreeMap;

use tidemill_domain::{Span, Timestamp};
use tidemill_events::rollout::Role;
use tidemill_events::training::TurnOutcome;
use tidemill_events::verdict::GateOutcome;

/// How long ago something was: `12 s ago`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", span(now - at))
}

/// A length of time, to two digits or so: `12 s`, `3 min`, `5 h`, `9 d`.
pub(super) fn span(span: Span) -> String {
    let seconds = span.0.max(0) / 1_000_000;
    match seconds {
        0..100 => format!("{seconds} s"),
        100..6_000 => format!("{} min", (seconds + 30) / 60),
        6_000..172_800 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

/// An instant to the second.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{}Z", seconds.replace('T', " ")),
        None => text,
    }
}

/// A figure to four digits after the point.
pub(super) fn number(x: f64) -> String {
    if x == 0.0 || (1e-3..1e7).contains(&x.abs()) {
        let text = format!("{x:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{x:.2e}")
    }
}

/// A count with commas: `12,345`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Names and figures on one line.
pub(super) fn numbers(map: &BTreeMap<String, f64>) -> String {
    map.iter().map(|(name, x)| format!("{name} {}", number(*x))).collect::<Vec<_>>().join(", ")
}

/// A bar of `width` cells for `done` of `all`.
pub(super) fn bar(done: u64, all: u64, width: u64) -> String {
    let full = (done.min(all) * width + all / 2).checked_div(all).unwrap_or(0);
    let cell = |i| if i < full { '█' } else { '░' };
    (0..width).map(cell).collect()
}

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Champion => "champion",
        Role::Challenger => "challenger",
        Role::Shadow => "shadow",
    }
}

pub(super) fn gate(outcome: GateOutcome) -> &'static str {
    match outcome {
        GateOutcome::Failed => "failed",
        GateOutcome::Inconclusive => "inconclusive",
        GateOutcome::Passed => "passed",
        GateOutcome::Recorded => "recorded",
    }
}

pub(super) fn outcome(outcome: TurnOutcome) -> String {
    outcome.to_string().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short() {
        for (seconds, expected) in
            [(-5, "0 s"), (99, "99 s"), (125, "2 min"), (7_300, "2 h"), (864_000, "10 d")]
        {
            assert_eq!(span(Span::seconds(seconds)), expected);
        }
        for (n, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(count(n), expected);
        }
        for (x, expected) in [(0.25, "0.25"), (3.0, "3"), (1e-9, "1.00e-9"), (0.123_46, "0.1235")] {
            assert_eq!(number(x), expected);
        }
        assert_eq!([bar(0, 0, 4), bar(1, 2, 4), bar(9, 2, 4)], ["░░░░", "██░░", "████"]);
        assert_eq!(time(Timestamp(1_500_000)), "1970-01-01 00:00:01Z");
    }
}

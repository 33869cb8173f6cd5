//! What shall be done with rows: labels, monitor, triggers, training, evaluation, rollout. What is left out keeps its
//! default; what is not built yet is refused. It must not know the names of features.

use std::collections::HashMap;

use super::lists::{all, choices};
use super::place::Place;
use super::problems::{Mistake, Problems};
use super::schema::Type;
use super::section::Section;
use super::values::{
    LONG, MANY_ROWS, choice, count, flag, percent, rate, rows, share, small_count, span, window,
};
use crate::metrics::Metric;
use crate::model::Algorithm;
use crate::sample::LabelSource;
use crate::spec::{
    AlertKind, Approval, Budget, Corrections, Evaluation, Labels, Lane, Monitor, Rollout, Training, Triggers,
};
use crate::time::Span;

const SECOND: Span = Span::seconds(1);

pub(super) fn labels(section: &Section<'_>, problems: &mut Problems) -> Labels {
    const SOURCES: [(&str, LabelSource); 4] = [
        ("application", LabelSource::Application),
        ("feedback", LabelSource::Feedback),
        ("human", LabelSource::Human),
        ("rule", LabelSource::Rule),
    ];
    let mut labels = Labels::default();
    section.set("horizon", &mut labels.horizon, problems, span(Span::millis(1)..=LONG));
    if let Some(sources) = section.get("sources").and_then(|p| choices(&p, &SOURCES, &[], problems)) {
        labels.sources = sources;
    }
    section.set("corrections", &mut labels.corrections, problems, |t| choice(t, &Corrections::ALL, &[]));
    labels
}

pub(super) fn monitor(section: &Section<'_>, problems: &mut Problems) -> Monitor {
    let mut monitor = Monitor::default();
    section.set("window", &mut monitor.window, problems, window);
    section.set("false_alarms", &mut monitor.false_alarm_every, problems, rate);
    section.value("reference", problems, |text| choice(text, &[("training", ())], &[text]));
    monitor
}

/// The triggers: a list, of which each element starts turns in its own way.
pub(super) fn triggers(place: &Place<'_>, problems: &mut Problems) -> Option<Triggers> {
    const ALERTS: [(&str, AlertKind); 2] = [("drift", AlertKind::Drift), ("decay", AlertKind::Decay)];
    let mut triggers = Triggers { every: None, new_labels: None, on: Vec::new() };
    let mut seen = HashMap::new();
    for item in place.items(problems)? {
        let Some(section) = Section::open(&item, problems) else { continue };
        if item.is_empty() {
            item.report(Mistake::new("the trigger is empty", "write for example \"- every: 30m\""), problems);
        }
        for key in ["every", "new_labels", "on", "code_change"] {
            let Some(place) = section.get(key) else { continue };
            if let Some(line) = seen.insert(key, place.key_mark.line) {
                let what = format!("this trigger is here twice, first on line {line}");
                problems.add(place.key_mark, &place.path, what, "keep one of them");
            }
        }
        triggers.every = section.value("every", problems, span(SECOND..=LONG)).or(triggers.every);
        triggers.new_labels =
            section.value("new_labels", problems, count(1..=MANY_ROWS)).or(triggers.new_labels);
        if let Some(on) =
            section.get("on").and_then(|p| choices(&p, &ALERTS, &["low_confidence", "bias"], problems))
        {
            triggers.on = on;
        }
        if let Some(place) = section.get("code_change")
            && place.value(problems, flag) == Some(true)
        {
            place.report(Mistake::new("code_change is not supported yet", "delete it"), problems);
        }
    }
    Some(triggers)
}

/// The training, and the metric if the user named one.
pub(super) fn training(
    section: &Section<'_>,
    target: Option<Type>,
    problems: &mut Problems,
) -> (Training, Option<Metric>) {
    let metric = section.get("metric").and_then(|place| metric(&place, target, problems));
    let mut training = Training::with_metric(metric.unwrap_or(Metric::LogLoss));
    let algorithms = Algorithm::ALL.map(|a| (a.name(), a));
    if let Some(chosen) = section.get("algorithms").and_then(|p| choices(&p, &algorithms, &[], problems)) {
        training.algorithms = chosen;
    }
    section.set("ensemble", &mut training.ensemble, problems, small_count(1..=16));
    if let Some(section) = section.section("budget", problems) {
        budget(&section, &mut training.budget, problems);
    }
    section.set("cooldown", &mut training.cooldown, problems, span(Span(0)..=LONG));
    let approvals = [("automatic", Approval::Automatic), ("manual", Approval::Manual)];
    section.set("approval", &mut training.approval, problems, |text| choice(text, &approvals, &[]));
    (training, metric)
}

fn metric(place: &Place<'_>, target: Option<Type>, problems: &mut Problems) -> Option<Metric> {
    use Metric::{Accuracy, BalancedAccuracy, LogLoss, Mae, R2, Rmse};
    let all = [Accuracy, BalancedAccuracy, LogLoss, Mae, Rmse, R2];
    let metric = place.value(problems, |text| choice(text, &all.map(|m| (m.name(), m)), &[]))?;
    let numbers = target? == Type::Numeric;
    if metric.is_for_numbers() != numbers {
        let fitting: Vec<_> =
            all.iter().filter(|m| m.is_for_numbers() == numbers).map(|m| m.name()).collect();
        let kind = if numbers { "a numeric" } else { "a categorical" };
        let what = format!("\"{metric}\" does not fit {kind} target");
        place.report(Mistake::new(what, format!("write one of {}", fitting.join(", "))), problems);
        return None;
    }
    Some(metric)
}

fn budget(section: &Section<'_>, budget: &mut Budget, problems: &mut Problems) {
    section.set("trials", &mut budget.trials, problems, small_count(1..=10_000));
    section.set("time", &mut budget.time, problems, span(Span::millis(1)..=LONG));
    section.set("workers", &mut budget.workers, problems, small_count(1..=1_024));
}

pub(super) fn evaluation(section: &Section<'_>, problems: &mut Problems) -> Evaluation {
    let mut evaluation = Evaluation::default();
    for key in ["must_pass", "golden"] {
        if let Some(place) = section.get(key) {
            problems.add(place.key_mark, &place.path, format!("{key} is not supported yet"), "delete it");
        }
    }
    section.set("min_rows", &mut evaluation.min_rows, problems, rows(1..=MANY_ROWS));
    section.set("max_regression", &mut evaluation.max_regression, problems, share(-1.0..=1.0));
    if let Some(flips) = section.value("max_negative_flips", problems, share(0.0..=1.0)) {
        evaluation.max_negative_flips = Some(flips);
    }
    let old = section.section("old_data", problems);
    if let Some(old) = old.and_then(|old| old.value("max_regression", problems, share(-1.0..=1.0))) {
        evaluation.old_max_regression = Some(old);
    }
    evaluation
}

pub(super) fn rollout(section: &Section<'_>, problems: &mut Problems) -> Rollout {
    let mut rollout = Rollout::default();
    let lanes = [Lane::Auto, Lane::Fast, Lane::Steps].map(|lane| (lane.to_string(), lane));
    let lanes: Vec<_> = lanes.iter().map(|(name, lane)| (name.as_str(), *lane)).collect();
    section.set("lane", &mut rollout.lane, problems, |text| choice(text, &lanes, &[]));
    section.set("shadow", &mut rollout.shadow, problems, rows(0..=MANY_ROWS));
    if let Some(steps) = section.get("steps").and_then(|place| steps(&place, problems)) {
        rollout.steps = steps;
    }
    let min_rows = section.value("min_rows", problems, rows(1..=MANY_ROWS));
    let max_rows = section.value("max_rows", problems, rows(1..=MANY_ROWS));
    let readable = |key, value: Option<u64>| value.is_some() || section.get(key).is_none();
    let both = readable("min_rows", min_rows) && readable("max_rows", max_rows);
    rollout.min_rows = min_rows.unwrap_or(rollout.min_rows);
    rollout.max_rows = max_rows.unwrap_or(rollout.max_rows);
    if both
        && rollout.min_rows > rollout.max_rows
        && let Some(place) = section.get("max_rows").or_else(|| section.get("min_rows"))
    {
        let what = format!("max_rows {} is less than min_rows {}", rollout.max_rows, rollout.min_rows);
        place.report(Mistake::new(what, "raise max_rows or lower min_rows"), problems);
    }
    section.set("margin", &mut rollout.margin, problems, share(0.0..=1.0));
    section.set("watch", &mut rollout.watch, problems, span(Span(0)..=LONG));
    rollout
}

fn steps(place: &Place<'_>, problems: &mut Problems) -> Option<Vec<u8>> {
    let steps = all(place, 100, problems, |item, problems| item.value(problems, percent))?;
    let rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || steps.last() != Some(&100) {
        let what = "the steps do not rise up to 100%";
        place.report(Mistake::new(what, "write for example [5%, 25%, 50%, 100%]"), problems);
        return None;
    }
    Some(steps)
}

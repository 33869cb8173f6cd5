//! Every kind of mistake with its line and its remedy, and all of them at once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod hostile;

use super::*;
use crate::metrics::Metric;
use crate::model::Algorithm;
use crate::sample::LabelSource;
use crate::schema::{FeatureKind, TargetKind};
use crate::spec::{AlertKind, Lane, Triggers, Window};
use crate::time::Span;

const GOOD: &str = r#"apiVersion: tidemill.dev/v1
kind: Loop
metadata: { name: electricity }
spec:
  schema:
    entity: meter_id                       # sticky routing
    features:
      - { name: nswprice, type: numeric, min: 0 }
      - { name: day, type: categorical, values: [1, "2", 3.0, mon] }
      - name: zone
        type: categorical
        required: true
    target: { name: direction, type: categorical, classes: [down, up] }
    slices: [day]
  labels: { horizon: 7d, sources: [application, human, rule] }
  monitor: { window: 1000 rows, reference: training, false_alarms: 2 per 30d }
  triggers:
    - every: 30m
    - on: [drift]
    - code_change: false
  training:
    metric: accuracy
    algorithms: [linear, mlp]
    budget: { trials: 40, time: 2m, workers: 3 }
    cooldown: 10m
    approval: automatic
  evaluation:
    min_rows: 60
    max_regression: -1%
    max_negative_flips: 2%
    old_data: { max_regression: 0.01 }
  rollout: { lane: steps, shadow: 400 rows, steps: [5%, 0.25, 100%], min_rows: 30, max_rows: 900, margin: 3%, watch: 1h }
"#;

/// The good file with one line exchanged.
fn changed(line: usize, by: &str) -> String {
    let exchange = |(i, old): (usize, &str)| if i + 1 == line { by.to_owned() } else { old.to_owned() };
    GOOD.lines().enumerate().map(exchange).collect::<Vec<_>>().join("\n")
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("{p}\n")).collect()
}

#[test]
fn a_good_file_is_read_whole() {
    let spec = parse(GOOD).unwrap_or_else(|p| panic!("{}", shown(&p)));
    assert_eq!(spec.name.as_str(), "electricity");
    assert_eq!(spec.schema.entity.as_deref(), Some("meter_id"));
    assert_eq!(spec.schema.features[0].kind, FeatureKind::Numeric { min: Some(0.0), max: None });
    let day = ["1", "2", "3", "mon"].map(str::to_owned).to_vec();
    assert_eq!(spec.schema.features[1].kind, FeatureKind::Categorical { values: Some(day) });
    assert!(spec.schema.features[2].required && !spec.schema.features[1].required);
    assert!(
        matches!(&spec.schema.target.kind, TargetKind::Categorical { classes: Some(c) } if c == &["down", "up"])
    );
    assert_eq!(spec.labels.sources, [LabelSource::Application, LabelSource::Human, LabelSource::Rule]);
    assert_eq!(spec.monitor.window, Window::Rows(1_000));
    assert_eq!(spec.monitor.false_alarm_every, Span::days(15));
    assert_eq!(
        spec.triggers,
        Triggers { every: Some(Span::minutes(30)), new_labels: None, on: vec![AlertKind::Drift] }
    );
    assert_eq!(spec.training.metric, Metric::Accuracy);
    assert_eq!(spec.training.algorithms, [Algorithm::Linear, Algorithm::Mlp]);
    assert_eq!((spec.training.budget.trials, spec.training.budget.workers), (40, 3));
    assert_eq!(spec.training.cooldown, Span::minutes(10));
    assert_eq!((spec.evaluation.min_rows, spec.evaluation.max_regression), (60, -0.01));
    assert_eq!(
        (spec.evaluation.max_negative_flips, spec.evaluation.old_max_regression),
        (Some(0.02), Some(0.01))
    );
    assert_eq!((spec.rollout.lane, spec.rollout.shadow, spec.rollout.margin), (Lane::Steps, 400, 0.03));
    assert_eq!(spec.rollout.steps, [5, 25, 100]);
    assert_eq!((spec.rollout.min_rows, spec.rollout.max_rows, spec.rollout.watch), (30, 900, Span::hours(1)));
}

#[test]
fn what_is_left_out_has_its_default() {
    let head = "apiVersion: tidemill.dev/v1\nkind: Loop\nmetadata: { name: a }\nspec:\n";
    let schema =
        "  schema:\n    features: [{ name: x, type: numeric }]\n    target: { name: y, type: numeric }\n";
    let spec = parse(&format!("{head}{schema}")).unwrap();
    assert_eq!(spec, LoopSpec::with_defaults(spec.name.clone(), spec.schema.clone()));
    assert_eq!(spec.training.metric, Metric::Mae);
    // Sections of which everything is commented out count as left out.
    let empty =
        parse(&format!("{head}{schema}  labels:\n  training:\n    budget:\n  rollout: {{}}\n")).unwrap();
    assert_eq!(empty, spec);
    let idle = parse(&format!("{head}{schema}  triggers: []\n")).unwrap();
    assert_eq!(idle.triggers, Triggers { every: None, new_labels: None, on: Vec::new() });
}

/// Line to exchange, by what, the key that is named, a part of what is wrong, a part of the remedy.
type Case = (usize, &'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const CASES: &[Case] = &[
    (1, "apiVersion: tidemill.dev/v2", "apiVersion", "tidemill.dev/v2", "write tidemill.dev/v1"),
    (1, "", "apiVersion", "is missing", "add \"apiVersion: tidemill.dev/v1\""),
    (2, "kind: Pipeline", "kind", "Pipeline", "write Loop"),
    (2, "kin: Loop", "kin", "no such key", "did you mean \"kind\"?"),
    (2, "kind: [Loop]", "kind", "a list stands where a single value", "kind: Loop"),
    (3, "metadata: { name: Electricity }", "metadata.name", "no loop name", "lower-case letters"),
    (3, "metadata:", "metadata.name", "is missing", "add \"name: my-loop\""),
    (3, "metadata: electricity", "metadata", "section of keys", "metadata: { name: my-loop }"),
    (3, "metadata: { name: a, labels: b }", "metadata.labels", "no such key", "it belongs under spec"),
    (3, "metadata: { name: a, colour: b }", "metadata.colour", "no such key", "use one of name"),
    (6, "    entity: direction", "spec.schema.entity", "is the target", "whom a row is about"),
    (6, "    entity: \"\"", "spec.schema.entity", "the name is empty", "write a name"),
    (6, "    entity:", "spec.schema.entity", "has no value", "entity: customer_id"),
    (6, "    horizon: 7d", "spec.schema.horizon", "no such key", "it belongs under spec.labels"),
    (6, "    ? [a]\n    : b", "spec.schema", "a key must be a text", "\"key: value\""),
    (7, "    slices: [day]\n    features:", "spec.schema.slices", "twice, first on line 7", "keep one"),
    (8, "      - { type: numeric }", "spec.schema.features[0].name", "is missing", "add \"name: price\""),
    (8, "      - { name: day, type: numeric }", "spec.schema.features[1].name", "is here twice, first on line 8", "keep one"),
    (8, "      - { name: a, type: numerical }", "spec.schema.features[0].type", "there is no", "did you mean numeric?"),
    (8, "      - { name: a, type: text }", "spec.schema.features[0].type", "there is no", "write numeric or categorical"),
    (8, "      - { name: a }", "spec.schema.features[0].type", "is missing", "type: numeric"),
    (8, "      - { name: a, typ: numeric }", "spec.schema.features[0].typ", "no such key", "did you mean \"type\"?"),
    (8, "      - { name: a, type: numeric, min: 3, max: 2 }", "spec.schema.features[0].max", "less than", "exchange min and max"),
    (8, "      - { name: a, type: numeric, min: low }", "spec.schema.features[0].min", "no number", "digits"),
    (8, "      - { name: a, type: numeric, max: .inf }", "spec.schema.features[0].max", "no number", "digits"),
    (8, "      - { name: a, type: numeric, values: [1] }", "spec.schema.features[0].values", "only what is categorical", "type: categorical"),
    (8, "      - { name: a, type: numeric, required: yes }", "spec.schema.features[0].required", "neither", "true or false"),
    (8, "      - a", "spec.schema.features[0]", "section of keys", "features: [{ name: price"),
    (9, "      - { name: day, type: categorical, min: 0 }", "spec.schema.features[1].min", "only what is numeric", "delete it"),
    (9, "      - { name: day, type: categorical, values: [] }", "spec.schema.features[1].values", "empty", "at least one"),
    (9, "      - { name: day, type: categorical, values: [1, \"1\"] }", "spec.schema.features[1].values[1]", "twice", "keep one"),
    (9, "      - { name: day, type: categorical, values: [a, ~] }", "spec.schema.features[1].values[1]", "no value", "write"),
    (9, "      - { name: day, type: categorical, values: [1234567890123456789] }", "spec.schema.features[1].values[0]", "more digits", "quotes"),
    (9, "      - { name: direction, type: categorical }\n      - { name: day, type: categorical }", "spec.schema.target.name", "also a feature, on line 9", "delete that feature"),
    (13, "", "spec.schema.target", "is missing", "add \"target:"),
    (13, "    target: { name: d, type: categorical, classes: [a, a] }", "spec.schema.target.classes[1]", "twice", "keep one"),
    (14, "    slices: [nswprice]", "spec.schema.slices[0]", "is numeric", "categorical features only"),
    (14, "    slices: [dya]", "spec.schema.slices[0]", "there is no feature", "categorical features only"),
    (14, "    slices: [day, day]", "spec.schema.slices[1]", "twice", "keep one"),
    (14, "    slices: day", "spec.schema.slices", "where a list is expected", "slices: [region]"),
    (15, "  labels: { horizon: 0s }", "spec.labels.horizon", "out of range", "write from 1ms"),
    (15, "  labels: { horizon: 7 days }", "spec.labels.horizon", "no span of time", "30m or 7d"),
    (15, "  labels: { horizn: 7d }", "spec.labels.horizn", "no such key", "did you mean \"horizon\"?"),
    (15, "  labels: { sources: [humans] }", "spec.labels.sources[0]", "there is no", "did you mean human?"),
    (15, "  labels: { corrections: newest }", "spec.labels.corrections", "there is no", "write latest or first"),
    (15, "  labels: { sources: [] }", "spec.labels.sources", "empty", "at least one"),
    (16, "  monitor: { window: 10 rowz }", "spec.monitor.window", "no window", "\"1000 rows\" or \"1h\""),
    (16, "  monitor: { window: 1000 }", "spec.monitor.window", "no window", "\"1000 rows\" or \"1h\""),
    (16, "  monitor: { window: 9 rows }", "spec.monitor.window", "too few", "from 10 to"),
    (16, "  monitor: { window: 10ms }", "spec.monitor.window", "out of range", "from 1s"),
    (16, "  monitor: { reference: rolling }", "spec.monitor.reference", "not supported yet", "write training"),
    (16, "  monitor: { false_alarms: 1 }", "spec.monitor.false_alarms", "no rate", "1 per 30d"),
    (16, "  monitor: { false_alarms: 0 per 30d }", "spec.monitor.false_alarms", "no rate", "1 per 30d"),
    (16, "  monitor: { false_alarms: -1 per 30d }", "spec.monitor.false_alarms", "out of range", "1 per 1s"),
    (16, "  monitors: {}", "spec.monitors", "no such key", "did you mean \"monitor\"?"),
    (18, "    - every: 30", "spec.triggers[0].every", "no span", "30m"),
    (18, "    - every: 1ms", "spec.triggers[0].every", "out of range", "from 1s"),
    (18, "    -", "spec.triggers[0]", "the trigger is empty", "every: 30m"),
    (19, "    - every: 5m", "spec.triggers[1].every", "twice, first on line 18", "keep one"),
    (19, "    - new_labels: 0", "spec.triggers[1].new_labels", "too few", "from 1"),
    (19, "    - newLabels: 100", "spec.triggers[1].newLabels", "no such key", "did you mean \"new_labels\"?"),
    (19, "    - on: drift", "spec.triggers[1].on", "where a list is expected", "on: [drift, decay]"),
    (19, "    - on: [drift, bias]", "spec.triggers[1].on[1]", "not supported yet", "write drift or decay"),
    (19, "    - on: [low_confidence]", "spec.triggers[1].on[0]", "not supported yet", "write drift or decay"),
    (20, "    - code_change: true", "spec.triggers[2].code_change", "not supported yet", "delete it"),
    (22, "    metric: mae", "spec.training.metric", "does not fit a categorical target", "accuracy, balanced_accuracy, log_loss"),
    (22, "    metric: logloss", "spec.training.metric", "there is no", "did you mean log_loss?"),
    (23, "    algorithms: []", "spec.training.algorithms", "empty", "at least one"),
    (23, "    algorithms: [mlp, mlp]", "spec.training.algorithms[1]", "twice", "keep one"),
    (23, "    algorithms: [forest]", "spec.training.algorithms[0]", "there is no", "boosting, linear or mlp"),
    (24, "    budget: { trials: 0 }", "spec.training.budget.trials", "too few", "from 1 to 10000"),
    (24, "    budget: { trials: 10001 }", "spec.training.budget.trials", "too many", "from 1 to 10000"),
    (24, "    budget: { trials: many }", "spec.training.budget.trials", "no count", "whole number"),
    (24, "    budget: { workers: 1025 }", "spec.training.budget.workers", "too many", "from 1 to 1024"),
    (24, "    budget: 40", "spec.training.budget", "section of keys", "budget: { trials: 8 }"),
    (26, "    approval: nobody", "spec.training.approval", "nobody", "automatic"),
    (28, "    must_pass: scenarios/*.json", "spec.evaluation.must_pass", "not supported yet", "delete it"),
    (28, "    golden: golden.parquet", "spec.evaluation.golden", "not supported yet", "delete it"),
    (29, "    max_regression: 2", "spec.evaluation.max_regression", "means 200%", "2% or 0.02"),
    (29, "    max_regression: 2 percent", "spec.evaluation.max_regression", "no share", "2% or 0.02"),
    (30, "    max_negative_flips: -2%", "spec.evaluation.max_negative_flips", "out of range", "from 0% to 100%"),
    (31, "    old_data: { min_rows: 5 }", "spec.evaluation.old_data.min_rows", "no such key", "spec.evaluation or spec.rollout"),
    (32, "  rollout: { lane: slow }", "spec.rollout.lane", "there is no", "auto, fast or steps"),
    (32, "  rollout: { shadow: -1 rows }", "spec.rollout.shadow", "no count", "from 0"),
    (32, "  rollout: { steps: [50%, 25%, 100%] }", "spec.rollout.steps", "do not rise", "[5%, 25%, 50%, 100%]"),
    (32, "  rollout: { steps: [50%] }", "spec.rollout.steps", "do not rise up to 100%", "[5%, 25%, 50%, 100%]"),
    (32, "  rollout: { steps: [0%, 100%] }", "spec.rollout.steps[0]", "no whole percent", "5%"),
    (32, "  rollout: { steps: [5, 100%] }", "spec.rollout.steps[0]", "means 500%", "2%"),
    (32, "  rollout: { min_rows: 400, max_rows: 300 }", "spec.rollout.max_rows", "less than min_rows 400", "raise max_rows"),
    (32, "  rollout: { min_rows: 30000 }", "spec.rollout.min_rows", "max_rows 20000", "raise max_rows"),
    (32, "  rollout: { margin: NaN }", "spec.rollout.margin", "out of range", "2%"),
    (32, "  rollout: { watch: forever }", "spec.rollout.watch", "no span", "30m or 7d"),
    (32, "  rollout: &r { lane: auto }", "spec.rollout", "anchors are not supported", "write the value out"),
    (32, "  rollout: !!map { lane: auto }", "spec.rollout", "tags are not supported", "delete it"),
    (32, "  rollout: { lane: auto }\n---\nkind: Loop", "", "second document", "one loop per file"),
    (32, "  \u{1}rollout: {}", "", "control character", "delete it"),
    (32, "  rollout: { lane: auto", "", "no YAML", "since line 32, column 12"),
    (29, "     max_regression: 1%", "", "no YAML", "indentation"),
    (23, "    algorithms: [linear, mlp", "", "no YAML", "bracket"),
    (22, "    metric: \"accuracy", "", "no YAML", "quote"),
    (22, "    metric: a: b", "", "no YAML", "colon"),
    (32, "\trollout: {}", "", "no YAML", "spaces, not with tabs"),
];

/// Mistakes that show on another line than the one that was exchanged.
const ELSEWHERE: &[(usize, &str, usize)] = &[
    (7, "    slices: [day]\n    features:", 15),
    (8, "      - { name: day, type: numeric }", 9),
    (9, "      - { name: direction, type: categorical }\n      - { name: day, type: categorical }", 14),
    (13, "", 5),
    (23, "    algorithms: [linear, mlp", 24),
    (32, "  rollout: { lane: auto }\n---\nkind: Loop", 33),
    (32, "  rollout: { lane: auto", 33),
];

#[test]
fn each_mistake_has_its_line_and_its_remedy() {
    for (line, by, path, what, remedy) in CASES {
        let problems = parse(&changed(*line, by)).err().unwrap_or_default();
        let [problem] = problems.as_slice() else { panic!("line {line}: {by}\n{}", shown(&problems)) };
        let fits = problem.path == *path && problem.what.contains(what) && problem.remedy.contains(remedy);
        assert!(fits, "line {line}: {by}\n{problem:#?}");
        let elsewhere = ELSEWHERE.iter().find(|e| (e.0, e.1) == (*line, *by)).map_or(*line, |e| e.2);
        assert_eq!(problem.line, elsewhere, "line {line}: {by}\n{problem:#?}");
    }
}

#[test]
fn columns_and_lines_point_at_the_value() {
    let problem = parse(&changed(16, "  monitor: { window: 10 rowz }")).err().unwrap_or_default().remove(0);
    assert_eq!((problem.line, problem.column), (16, 22));
    let line =
        "line 16: spec.monitor.window: \"10 rowz\" is no window; write for example \"1000 rows\" or \"1h\"";
    assert_eq!(problem.to_string(), line);
}

#[test]
fn ten_mistakes_are_ten_problems() {
    let text = r#"apiVersion: tidemill.dev/v1
kind: Lop
metadata: { name: My Loop }
spec:
  schema:
    features:
      - { name: a, type: numeric, min: zero }
      - { nmae: b, type: categorical }
      - { name: c, type: numeric, min: 5, max: 1 }
    target: { name: y, type: categorical, classes: [] }
  labels: { horizon: soon }
  monitor: { windw: 100 rows }
  training: { approval: nobody }
  rollout: { steps: [5%, 5%, 100%] }
"#;
    let problems = parse(text).err().unwrap_or_default();
    let lines: Vec<_> = problems.iter().map(|p| p.line).collect();
    assert_eq!(lines, [2, 3, 7, 8, 9, 10, 11, 12, 13, 14], "{}", shown(&problems));
    assert!(problems.iter().all(|p| !p.what.is_empty() && !p.remedy.is_empty() && p.column > 0));
}

#[test]
fn an_empty_file_is_told_so() {
    for text in ["", "\n\n", "# nothing\n", "---\n", "~", "\u{feff}"] {
        let problems = parse(text).err().unwrap_or_default();
        assert!(problems.len() == 1 && problems[0].what.contains("empty"), "{text:?} {problems:#?}");
    }
    for text in ["- a", "hello", "[]", "{}", "\"\""] {
        assert!(parse(text).is_err_and(|p| !p.is_empty()), "{text}");
    }
}

#[test]
fn every_key_that_is_read_is_also_written() {
    let text = crate::spec::write::to_yaml(&parse(GOOD).unwrap());
    let later = ["code_change", "must_pass", "golden"];
    let keys = keys::SECTIONS.iter().flat_map(|s| s.1).map(|k| k.0).filter(|k| !later.contains(k));
    // The good file has no upper limit.
    for key in keys.filter(|k| *k != "max") {
        let has = |l: &str| {
            [" ", "#", "{ "].iter().any(|before| format!(" {l}").contains(&format!("{before}{key}:")))
        };
        assert!(text.lines().any(has), "{key}\n{text}");
    }
}

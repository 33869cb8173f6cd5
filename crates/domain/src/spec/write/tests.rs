//! What is written is read back, whatever the names; and a newcomer finds every key with its default.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use proptest::prelude::*;

use super::*;
use crate::ids::LoopId;
use crate::metrics::Metric;
use crate::model::Algorithm;
use crate::sample::LabelSource;
use crate::schema::{Feature, FeatureKind, Schema, Target, TargetKind};
use crate::spec::parse::parse;
use crate::spec::{
    AlertKind, Approval, Budget, Corrections, Evaluation, Labels, Lane, Monitor, Rollout, Training, Triggers,
    Window,
};
use crate::time::Span;

fn name() -> impl Strategy<Value = String> {
    let odd = [
        "yes",
        "no",
        "on",
        "1",
        "-1.50",
        "1e3",
        "null",
        "~",
        "true",
        "a: b",
        "a #b",
        "- a",
        "{a}",
        "[",
        "\"",
        "\\",
        "'",
        "*a",
        "&a",
        "!a",
        "%",
        "@",
        "größe",
        "価格",
        "a\nb",
        "\tx",
        " pad ",
        "\u{0}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "?",
        ":",
        "a,b",
        "1000 rows",
        "007",
        "0x1f",
        ".inf",
        "NaN",
        "<<",
        "---",
        "\u{202e}abc",
        "😀",
        "|",
        ">",
        "é\u{301}",
    ];
    prop_oneof![
        "[a-z_]{1,8}",
        proptest::sample::select(odd.to_vec()).prop_map(str::to_owned),
        "\\PC{1,12}",
        any::<String>()
    ]
    .prop_filter("a name", |n| !n.trim().is_empty())
}

fn names(most: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set(name(), 1..most).prop_map(|s| s.into_iter().collect()).prop_shuffle()
}

fn kind() -> impl Strategy<Value = FeatureKind> {
    let limit =
        || proptest::option::of(prop_oneof![any::<i16>().prop_map(f64::from), proptest::num::f64::NORMAL]);
    prop_oneof![
        (limit(), limit()).prop_map(|(a, b)| match (a, b) {
            (Some(a), Some(b)) => FeatureKind::Numeric { min: Some(a.min(b)), max: Some(a.max(b)) },
            (min, max) => FeatureKind::Numeric { min, max },
        }),
        proptest::option::of(names(5)).prop_map(|values| FeatureKind::Categorical { values }),
    ]
}

fn schema() -> impl Strategy<Value = Schema> {
    let target = prop_oneof![
        Just(TargetKind::Numeric),
        proptest::option::of(names(4)).prop_map(|classes| TargetKind::Categorical { classes })
    ];
    let features = names(8).prop_flat_map(|names| {
        let kinds = proptest::collection::vec((kind(), any::<bool>()), names.len());
        (Just(names), kinds)
    });
    (features, target, proptest::option::of(name())).prop_map(|((mut names, kinds), kind, entity)| {
        let target = Target { name: names.pop().unwrap_or_default(), kind };
        names.push("last".to_owned());
        names.dedup();
        let whole = names.into_iter().zip(kinds);
        let features: Vec<_> =
            whole.map(|(name, (kind, required))| Feature { name, kind, required }).collect();
        let slices = features.iter().filter(|f| matches!(f.kind, FeatureKind::Categorical { .. }));
        let slices = slices.map(|f| f.name.clone()).collect();
        let entity = entity.filter(|e| *e != target.name);
        Schema { features, target, entity, slices }
    })
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![(1..3_000_i64).prop_map(Span::days), (1_000_000..1_000_000_000_000_i64).prop_map(Span)]
}

fn some_of<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    let most = all.len();
    proptest::sample::subsequence(all, 1..=most).prop_shuffle()
}

fn spec() -> impl Strategy<Value = LoopSpec> {
    let corrections = proptest::sample::select(Corrections::ALL.map(|c| c.1).to_vec());
    let labels = (span(), some_of(Labels::default().sources), corrections);
    let window = prop_oneof![(10..1_000_000_u64).prop_map(Window::Rows), span().prop_map(Window::Time)];
    let triggers = (
        proptest::option::of(span()),
        proptest::option::of(1..1_000_000_u64),
        prop_oneof![Just(Vec::new()), some_of(vec![AlertKind::Decay, AlertKind::Drift])],
    );
    let training = (
        some_of(Algorithm::ALL.to_vec()),
        1..=10_000_u32,
        span(),
        1..=1_024_u32,
        span(),
        1..=16_u32,
        any::<bool>(),
    );
    let share = || prop_oneof![(0..=100_u32).prop_map(|p| f64::from(p) / 100.0), 0.0..1.0_f64];
    let evaluation =
        (1..1_000_000_u64, -1.0..1.0_f64, proptest::option::of(share()), proptest::option::of(share()));
    let lane = proptest::sample::select(vec![Lane::Auto, Lane::Fast, Lane::Steps]);
    let steps = proptest::collection::btree_set(1..100_u8, 0..6);
    let rollout = (lane, 0..10_000_u64, steps, 1..10_000_u64, 10_000..1_000_000_u64, share(), span());
    (schema(), labels, (window, span()), triggers, training, evaluation, rollout).prop_map(
        |(schema, l, m, t, r, e, o)| {
            let metric = if schema.is_regression() { Metric::Rmse } else { Metric::Accuracy };
            LoopSpec {
                name: LoopId::new("a-loop").unwrap(),
                schema,
                labels: Labels { horizon: l.0, sources: l.1, corrections: l.2 },
                monitor: Monitor { window: m.0, false_alarm_every: m.1 },
                triggers: Triggers { every: t.0, new_labels: t.1, on: t.2 },
                training: Training {
                    metric,
                    algorithms: r.0,
                    budget: Budget { trials: r.1, time: r.2, workers: r.3 },
                    cooldown: r.4,
                    ensemble: r.5,
                    approval: if r.6 { Approval::Manual } else { Approval::Automatic },
                },
                evaluation: Evaluation {
                    min_rows: e.0,
                    max_regression: e.1,
                    old_max_regression: e.2,
                    max_negative_flips: e.3,
                },
                rollout: Rollout {
                    lane: o.0,
                    shadow: o.1,
                    steps: o.2.into_iter().chain([100]).collect(),
                    min_rows: o.3,
                    max_rows: o.4,
                    margin: o.5,
                    watch: o.6,
                },
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_is_read_back(spec in spec()) {
        let text = to_yaml(&spec);
        match parse(&text) {
            Ok(read) => prop_assert_eq!(read, spec, "{}", text),
            Err(problems) => prop_assert!(false, "{text}\n{problems:#?}"),
        }
    }
}

fn small() -> LoopSpec {
    let feature = |name: &str, kind| Feature { name: name.to_owned(), kind, required: false };
    let schema = Schema {
        features: vec![
            feature("nswprice", FeatureKind::Numeric { min: Some(0.0), max: None }),
            feature("day", FeatureKind::Categorical { values: Some(vec!["1".into(), "2".into()]) }),
        ],
        target: Target {
            name: "direction".into(),
            kind: TargetKind::Categorical { classes: Some(vec!["down".into(), "up".into()]) },
        },
        entity: None,
        slices: Vec::new(),
    };
    LoopSpec::with_defaults(LoopId::new("electricity").unwrap(), schema)
}

#[test]
fn every_key_is_there_with_its_default() {
    let text = to_yaml(&small());
    for line in [
        "      - { name: nswprice, type: numeric, min: 0 }",
        "      - { name: day, type: categorical, values: [\"1\", \"2\"] }",
        "    #entity: customer_id",
        "    # How long after its prediction a label still counts. Default: 7d.",
        "    corrections: latest",
        "    - new_labels: 1000",
        "    - on: [decay, drift]",
        "    #- every: 30m",
        "      trials: 10",
        "    #old_data: { max_regression: 1% }",
        "    steps: [5%, 25%, 50%, 100%]",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(text.lines().all(|l| l.chars().count() <= 120 && l.trim_end() == l), "{text}");
}

#[test]
fn every_commented_key_may_be_uncommented() {
    let is_key = |l: &str| {
        l.trim_start().strip_prefix('#').is_some_and(|rest| !rest.starts_with(' ') && !rest.is_empty())
    };
    let text = to_yaml(&small()).replace("#slices: [region]", "#slices: [day]");
    assert_eq!(text.lines().filter(|l| is_key(l)).count(), 5, "{text}");
    let open: Vec<_> =
        text.lines().map(|l| if is_key(l) { l.replacen('#', "", 1) } else { l.to_owned() }).collect();
    let spec = parse(&open.join("\n")).unwrap_or_else(|p| panic!("{p:#?}\n{text}"));
    assert_eq!(spec.schema.entity.as_deref(), Some("customer_id"));
    assert_eq!(spec.triggers.every, Some(Span::minutes(30)));
    assert_eq!(spec.evaluation.max_negative_flips, Some(0.02));
}

#[test]
fn a_loop_without_triggers_stays_without() {
    let mut spec = small();
    spec.triggers = Triggers { every: None, new_labels: None, on: Vec::new() };
    spec.labels.sources = vec![LabelSource::Human];
    assert_eq!(parse(&to_yaml(&spec)).unwrap(), spec);
}

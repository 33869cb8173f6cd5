//! Which rows are measured together, and when a window closes.

use tidemill_domain::spec::Window;
use tidemill_domain::{LoopSpec, Output, Span, Value};
use tidemill_events::monitor::{PartWindow, WindowKind};
use tidemill_events::rollout::Role;
use tidemill_events::sample::{CleanItem, Mark};
use tidemill_monitor_core::Shed;

use crate::parcels::{
    CALM, Partitioned, Stream, at, champion, parcels, routes, spec, spec_mark, tally, version,
};

/// Kind, version, number and rows of each window.
fn brief(windows: &[PartWindow]) -> Vec<(WindowKind, &str, u64, u64)> {
    let of = |w: &PartWindow| {
        w.key.version.as_ref().map_or("none", |v| if v == &version("m-oak") { "oak" } else { "elm" })
    };
    windows.iter().map(|w| (w.key.kind, of(w), w.key.index, w.rows)).collect()
}

fn started(spec: &LoopSpec, start: CleanItem) -> (Partitioned, Stream) {
    let mut partition = Partitioned::new(0);
    assert!(partition.feed(0, vec![spec_mark(spec), start]).is_empty());
    (partition, Stream::new(7))
}

fn shed(partition: &Partitioned, reason: Shed) -> u64 {
    partition.core.shed().filter(|(_, r, _)| *r == reason).map(|(.., rows)| rows).sum()
}

use WindowKind::{Labelled, Observed, Paired};

#[test]
fn rows_close_windows_version_by_version() {
    let (mut partition, mut stream) = started(&spec(40), champion("m-oak", None));
    let mut items: Vec<_> = (0..50).map(|_| stream.observed(CALM, &["m-oak"])).collect();
    items.extend((0..39).map(|_| stream.observed(CALM, &["m-elm"])));
    items.extend((0..40).map(|_| stream.labelled(CALM, &["m-oak"])));
    items.extend((0..30).map(|_| stream.observed(CALM, &["m-oak"])));
    let windows = partition.feed(5, items);
    assert_eq!(
        brief(&windows),
        [(Observed, "oak", 0, 40), (Labelled, "oak", 0, 40), (Observed, "oak", 1, 40)]
    );
    let (observed, labelled) = (&windows[0], &windows[1]);
    assert!(observed.profile.as_ref().is_some_and(|p| p.rows == 40) && observed.scores.is_none());
    assert_eq!(observed.policy.columns, ["distance", "load", "weather"]);
    assert!(labelled.profile.is_none() && labelled.scores.as_ref().is_some_and(|s| s.rows == 40));
    assert_eq!(labelled.loss.as_ref().map(tidemill_stats::sketch::Moments::count), Some(40));
}

#[test]
fn time_closes_windows_at_rows_and_at_ticks() {
    let mut spec = spec(1);
    spec.monitor.window = Window::Time(Span::seconds(60));
    let (mut partition, mut stream) = started(&spec, champion("m-oak", None));
    let mut observed = || vec![stream.observed(CALM, &["m-oak"])];
    for (second, items, closed) in [
        (10, observed(), None),
        (69, observed(), None),
        (70, observed(), Some((10, 69, 2))),
        (129, vec![CleanItem::Mark(Mark::Tick)], None),
        (130, vec![CleanItem::Mark(Mark::Tick)], Some((70, 70, 1))),
        (400, vec![CleanItem::Mark(Mark::Tick)], None),
    ] {
        let windows = partition.feed(second, items);
        let found: Vec<_> = windows.iter().map(|w| (w.from, w.to, w.rows)).collect();
        let expected: Vec<_> = closed.into_iter().map(|(from, to, rows)| (at(from), at(to), rows)).collect();
        assert_eq!(found, expected, "at {second}");
    }
}

#[test]
fn time_never_goes_back() {
    let mut spec = spec(1);
    spec.monitor.window = Window::Time(Span::seconds(60));
    let (mut partition, mut stream) = started(&spec, champion("m-oak", None));
    partition.feed(100, vec![stream.observed(CALM, &["m-oak"])]);
    partition.feed(20, vec![stream.observed(CALM, &["m-oak"])]);
    let windows = partition.feed(160, vec![CleanItem::Mark(Mark::Tick)]);
    assert_eq!(windows.iter().map(|w| (w.from, w.to, w.rows)).collect::<Vec<_>>(), [(at(100), at(100), 2)]);
}

#[test]
fn rows_before_a_model_have_no_version_and_no_reference() {
    let (mut partition, mut stream) = started(&spec(30), routes(&[], None));
    let windows = partition.feed(5, (0..30).map(|_| stream.observed(CALM, &[])).collect());
    assert_eq!(brief(&windows), [(Observed, "none", 0, 30)]);
    assert!(windows[0].reference.is_none() && windows[0].policy.watched.is_none());
}

#[test]
fn the_reference_is_what_the_answering_model_learned_from() {
    let profile = Stream::new(3).profile(200, "m-oak");
    let (mut partition, mut stream) = started(&spec(30), champion("m-oak", Some(&profile)));
    let windows = partition.feed(5, (0..30).map(|_| stream.observed(CALM, &["m-oak"])).collect());
    assert_eq!(windows[0].reference.as_ref(), Some(&profile));
}

#[test]
fn a_version_that_stops_answering_keeps_a_quarter_window_or_loses_it() {
    for (rows, closed, lost) in [(10, vec![(Observed, "oak", 0, 10)], 0), (9, vec![], 9)] {
        let (mut partition, mut stream) = started(&spec(40), champion("m-oak", None));
        partition.feed(5, (0..rows).map(|_| stream.observed(CALM, &["m-oak"])).collect());
        let windows = partition.feed(6, vec![champion("m-elm", None)]);
        assert_eq!(brief(&windows), closed);
        assert_eq!(shed(&partition, Shed::CutShort), lost);
        assert!(windows.iter().all(|w| w.policy.watched == Some(version("m-elm"))));
    }
}

#[test]
fn labels_that_come_late_are_measured_for_the_version_that_answered() {
    let (mut partition, mut stream) = started(&spec(40), champion("m-oak", None));
    partition.feed(5, vec![champion("m-elm", None)]);
    let windows = partition.feed(6, (0..40).map(|_| stream.labelled(CALM, &["m-oak"])).collect());
    assert_eq!(brief(&windows), [(Labelled, "oak", 0, 40)]);
}

#[test]
fn a_table_that_moves_nobody_ends_nothing() {
    let (mut partition, mut stream) = started(&spec(40), champion("m-oak", None));
    partition.feed(5, (0..39).map(|_| stream.observed(CALM, &["m-oak"])).collect());
    assert!(partition.feed(6, vec![champion("m-oak", None)]).is_empty());
    assert_eq!(
        brief(&partition.feed(7, vec![stream.observed(CALM, &["m-oak"])])),
        [(Observed, "oak", 0, 40)]
    );
}

#[test]
fn pairs_are_rows_that_both_models_scored() {
    let mut spec = spec(1_000);
    (spec.rollout.min_rows, spec.rollout.shadow) = (120, 500);
    let both = routes(&[("m-oak", Role::Champion, 100), ("m-elm", Role::Shadow, 0)], None);
    let (mut partition, mut stream) = started(&spec, both);
    let mut items: Vec<_> = (0..20).map(|_| stream.labelled(CALM, &["m-oak"])).collect();
    items.extend(
        (0..60).map(|i| {
            stream.labelled(CALM, if i % 2 == 0 { &["m-oak", "m-elm"] } else { &["m-elm", "m-oak"] })
        }),
    );
    let windows = partition.feed(5, items);
    assert_eq!(brief(&windows), [(Paired, "elm", 0, 30), (Paired, "elm", 1, 30)]);
    let pair =
        windows[0].paired.as_ref().map(|p| (p.champion.clone(), p.challenger.clone(), p.difference.count()));
    assert_eq!(pair, Some((version("m-oak"), version("m-elm"), 30)));
}

#[test]
fn the_difference_of_a_pair_favours_the_smaller_loss() {
    let mut spec = spec(1_000);
    spec.rollout.shadow = 1;
    let both = routes(&[("m-oak", Role::Champion, 95), ("m-elm", Role::Challenger, 5)], None);
    let (mut partition, mut stream) = started(&spec, both);
    let mut row = stream.row(CALM, &["m-oak", "m-elm"]);
    let says = |p| Output::Classes(vec![("no".into(), 1.0 - p), ("yes".into(), p)]);
    (row.scored[0].output, row.scored[1].output) = (says(0.5), says(0.9));
    if let Some(label) = &mut row.label {
        label.value = Value::Text("yes".into());
    }
    let windows = partition.feed(5, vec![CleanItem::Labelled(row)]);
    let difference = windows[0].paired.as_ref().and_then(|p| p.difference.mean()).unwrap_or_default();
    assert!((difference - (0.9_f64.ln() - 0.5_f64.ln())).abs() < 1e-12, "{difference}");
}

#[test]
fn another_pair_starts_its_window_anew() {
    let mut spec = spec(1_000);
    spec.rollout.min_rows = 120;
    let with = |name| routes(&[("m-oak", Role::Champion, 100), (name, Role::Shadow, 0)], None);
    let (mut partition, mut stream) = started(&spec, with("m-elm"));
    let mut rows =
        |n: u32, other| (0..n).map(|_| stream.labelled(CALM, &["m-oak", other])).collect::<Vec<_>>();
    assert!(partition.feed(5, rows(29, "m-elm")).is_empty());
    assert!(partition.feed(6, vec![with("m-ash")]).is_empty());
    assert_eq!(shed(&partition, Shed::PairChanged), 29);
    assert!(partition.feed(7, rows(29, "m-ash")).is_empty());
    assert_eq!(partition.feed(8, rows(1, "m-ash")).len(), 1);
}

#[test]
fn rows_that_cannot_be_measured_are_counted() {
    let mut partition = Partitioned::new(0);
    let mut stream = Stream::new(7);
    partition.feed(1, vec![stream.observed(CALM, &["m-oak"])]);
    partition.feed(2, vec![spec_mark(&spec(40)), champion("m-oak", None)]);
    let mut known_before = stream.row(CALM, &["m-oak"]);
    known_before.time = at(10);
    let mut short = stream.row(CALM, &["m-oak"]);
    short.features.pop();
    let mut number = stream.row(CALM, &["m-oak"]);
    number.scored[0].output = Output::Number(1.0);
    let items = [known_before, stream.row(CALM, &[]), short, number].map(CleanItem::Labelled);
    assert!(partition.feed(3, items.to_vec()).is_empty());
    let counted: Vec<_> =
        partition.core.shed().map(|(id, reason, rows)| (id.clone(), reason, rows)).collect();
    let expected = [(Shed::Mismatch, 2), (Shed::NoSpec, 1), (Shed::Unscorable, 2)];
    assert_eq!(counted, expected.map(|(reason, rows)| (parcels(), reason, rows)));
}

#[test]
fn a_spec_that_changes_the_meaning_of_rows_ends_their_windows() {
    let (mut partition, mut stream) = started(&spec(40), champion("m-oak", None));
    partition.feed(5, (0..20).map(|_| stream.observed(CALM, &["m-oak"])).collect());
    let mut same = spec(40);
    same.monitor.false_alarm_every = Span::days(2);
    assert!(partition.feed(6, vec![spec_mark(&same)]).is_empty());
    let windows = partition.feed(7, vec![spec_mark(&spec(80))]);
    assert_eq!(brief(&windows), [(Observed, "oak", 0, 20)]);
}

#[test]
fn a_share_of_the_false_alarms_goes_to_each_window() {
    let day = 86_400;
    for (seconds, alpha) in [(0, 1e-6), (day / 1_000, 0.001), (day, 0.01)] {
        let (mut partition, mut stream) = started(&spec(2), champion("m-oak", None));
        partition.feed(5, vec![stream.observed(CALM, &["m-oak"])]);
        let windows = partition.feed(5 + seconds, vec![stream.observed(CALM, &["m-oak"])]);
        assert!((windows[0].policy.alpha - alpha).abs() < alpha * 0.01, "{seconds}");
    }
}

#[test]
fn without_a_table_the_version_that_began_last_is_watched() {
    let (mut partition, mut stream) = started(&spec(2), routes(&[], None));
    let mut watched = Vec::new();
    for name in ["m-oak", "m-elm", "m-oak"] {
        let windows = partition.feed(5, (0..2).map(|_| stream.observed(CALM, &[name])).collect());
        watched.extend(windows.into_iter().filter_map(|w| w.policy.watched));
    }
    assert_eq!(watched, ["m-oak", "m-elm", "m-elm"].map(version));
}

#[test]
fn strange_versions_cannot_fill_the_memory() {
    let (mut partition, mut stream) = started(&spec(40), champion("m-oak", None));
    for i in 0..1_000 {
        partition.feed(5, vec![stream.observed(CALM, &[&format!("m-{i}")])]);
    }
    // All but the bound were given up, each with its one row.
    assert!(shed(&partition, Shed::CutShort) > 900);
    assert_eq!(tally(partition.core.shed().map(|(_, reason, _)| reason)).len(), 1);
}

#[test]
fn an_input_that_comes_again_changes_nothing() {
    let (mut partition, mut stream) = started(&spec(2), champion("m-oak", None));
    let batch = vec![stream.observed(CALM, &["m-oak"])];
    partition.feed(5, batch.clone());
    let before = partition.core.clone();
    assert!(partition.again(5, batch.clone()).is_empty());
    assert_eq!(partition.core, before);
    assert_eq!(partition.feed(6, batch).len(), 1);
}

//! What is worth an alert: tables of windows, one letter each, and the alerts that follow.

use tidemill_domain::Metric;
use tidemill_domain::spec::AlertKind;
use tidemill_events::monitor::{Alert, AlertState};

use crate::parcels::{CALM, Monitor, Said, Stream, Weather, champion, spec, spec_mark, version};

const ROWS: u64 = 400;

/// `.` is calm, `d` a detour of every parcel, `u` unweighed loads, `e` more errors, `s` a small shift of one column.
fn weather(letter: char) -> Weather {
    match letter {
        '.' => CALM,
        'd' => Weather { detour: 40.0, ..CALM },
        'u' => Weather { unweighed: 1.0, ..CALM },
        'e' => Weather { wrong: 0.45, ..CALM },
        's' => Weather { detour: 5.0, ..CALM },
        other => unreachable!("no weather is called {other}"),
    }
}

/// A window of labelled and observed rows for each letter, 10 minutes each.
fn follow(
    monitor: &mut Monitor,
    stream: &mut Stream,
    second: &mut i64,
    name: &str,
    windows: &str,
) -> Vec<Said> {
    let mut window = |letter| {
        let mut said = Said::default();
        for minute in 0..10 {
            let rows = ROWS / 10;
            let mut items: Vec<_> = (0..rows).map(|_| stream.observed(weather(letter), &[name])).collect();
            items.extend((0..rows).map(|_| stream.labelled(weather(letter), &[name])));
            let more = monitor.feed(*second + minute * 60, items);
            said.windows.extend(more.windows);
            said.alerts.extend(more.alerts);
        }
        *second += 600;
        said
    };
    windows.chars().map(&mut window).collect()
}

fn watch(windows: &str) -> Vec<Said> {
    let mut stream = Stream::new(5);
    let profile = stream.profile(2_000, "m-oak");
    let mut monitor = Monitor::new(&spec(ROWS), champion("m-oak", Some(&profile)));
    follow(&mut monitor, &mut stream, &mut 60, "m-oak", windows)
}

/// The letters of the alerts of a kind, window by window.
fn states(said: &[Said], kind: AlertKind) -> String {
    let letter = |alert: Option<&Alert>| match alert.map(|a| a.state) {
        None => '.',
        Some(AlertState::Suspected) => 's',
        Some(AlertState::Detected) => 'd',
        Some(AlertState::Cleared) => 'c',
    };
    said.iter().map(|s| letter(s.alerts.iter().find(|a| a.alert == kind))).collect()
}

#[test]
fn alerts_follow_windows() {
    for (windows, drift, decay) in [
        ("......", "......", "......"),
        ("..dd..", "..sd.c", "......"),
        ("dd", "sd", ".."),
        ("..uu..", "..sd.c", "......"),
        ("..ee..", "......", "..sd.c"),
        (".ee", "...", ".sd"),
        ("ee..", "....", "...."),
        ("..d...", "..s.c.", "......"),
        ("ssssss", "......", "......"),
    ] {
        let said = watch(windows);
        assert_eq!(states(&said, AlertKind::Drift), drift, "drift of {windows}");
        assert_eq!(states(&said, AlertKind::Decay), decay, "decay of {windows}");
    }
}

#[test]
fn a_drift_alert_says_what_moved() {
    let said = watch("dd");
    let alert = &said[1].alerts[0];
    assert_eq!(alert.version, Some(version("m-oak")));
    assert_eq!(alert.window.index, 1);
    assert_eq!(alert.columns.first().map(String::as_str), Some("distance"));
    assert!(
        alert.evidence["psi.distance"] > 0.25 && alert.evidence["p_adjusted_min"] < alert.evidence["alpha"]
    );
    assert!(alert.summary.starts_with("rows moved away from what m-oak learned from"), "{}", alert.summary);
    let columns: Vec<_> =
        said[1].windows.iter().flat_map(|w| &w.drift).map(|d| (d.column.as_str(), d.test.as_str())).collect();
    let (ks, chi) = ("kolmogorov_smirnov", "chi_square");
    assert_eq!(columns, [("distance", ks), ("load", ks), ("weather", chi), ("prediction", chi)]);
}

#[test]
fn a_decay_alert_says_how_much() {
    let said = watch("..ee");
    let alert = &said[3].alerts[0];
    assert!(alert.evidence["loss"] > 1.1 * alert.evidence["baseline_loss"], "{:?}", alert.evidence);
    assert_eq!(alert.evidence["baseline_rows"], 800.0);
    assert!(
        alert.summary.starts_with("the mean loss (log_loss) of m-oak rose, 2 windows in a row:"),
        "{}",
        alert.summary
    );
}

#[test]
fn a_window_has_no_drift_below_a_hundred_rows() {
    let mut stream = Stream::new(5);
    let profile = stream.profile(2_000, "m-oak");
    for (rows, columns) in [(99, 0), (100, 4)] {
        let mut monitor = Monitor::new(&spec(rows), champion("m-oak", Some(&profile)));
        let said = monitor.feed(60, (0..rows).map(|_| stream.observed(weather('d'), &["m-oak"])).collect());
        assert_eq!(said.windows[0].drift.len(), columns, "{rows}");
    }
}

#[test]
fn a_model_that_was_replaced_alarms_nobody() {
    let (mut stream, mut second) = (Stream::new(5), 60);
    let profile = stream.profile(2_000, "m-oak");
    let mut monitor = Monitor::new(&spec(ROWS), champion("m-oak", Some(&profile)));
    let before = follow(&mut monitor, &mut stream, &mut second, "m-oak", "..e");
    assert_eq!(states(&before, AlertKind::Decay), "..s");
    monitor.feed(second, vec![champion("m-elm", Some(&profile))]);
    // Its labels still come, and so do rows that it answered at the last moment.
    let after = follow(&mut monitor, &mut stream, &mut second, "m-oak", "eded");
    assert_eq!(after.iter().map(|s| s.alerts.len()).sum::<usize>(), 0);
    assert_eq!(after.iter().map(|s| s.windows.len()).sum::<usize>(), 8);
}

#[test]
fn a_successor_starts_calm_with_a_baseline_of_its_own() {
    let (mut stream, mut second) = (Stream::new(5), 60);
    let profile = stream.profile(2_000, "m-oak");
    let mut monitor = Monitor::new(&spec(ROWS), champion("m-oak", Some(&profile)));
    follow(&mut monitor, &mut stream, &mut second, "m-oak", "..ee");
    monitor.feed(second, vec![champion("m-elm", Some(&profile))]);
    let after = follow(&mut monitor, &mut stream, &mut second, "m-elm", "eee...");
    assert_eq!(states(&after, AlertKind::Decay), "......");
    // A model that returns is held to what it showed at first.
    monitor.feed(second, vec![champion("m-oak", Some(&profile))]);
    let back = follow(&mut monitor, &mut stream, &mut second, "m-oak", "ee");
    assert_eq!(states(&back, AlertKind::Decay), "sd");
}

#[test]
fn another_metric_needs_another_baseline() {
    let (mut stream, mut second) = (Stream::new(5), 60);
    let mut monitor = Monitor::new(&spec(ROWS), champion("m-oak", None));
    follow(&mut monitor, &mut stream, &mut second, "m-oak", "..");
    let mut accuracy = spec(ROWS);
    accuracy.training.metric = Metric::Accuracy;
    monitor.feed(second, vec![spec_mark(&accuracy)]);
    let said = follow(&mut monitor, &mut stream, &mut second, "m-oak", "..ee");
    assert_eq!(states(&said, AlertKind::Decay), "..sd");
    assert!(said[3].alerts[0].evidence["loss"] <= 1.0);
}

//! Alarms by chance stay within what the spec allows, and real shifts are found in time.

use tidemill_domain::spec::AlertKind;
use tidemill_events::monitor::AlertState;

use crate::parcels::{CALM, Monitor, Said, Stream, Weather, champion, spec};

const ROWS: u64 = 500;

/// The seconds that a window lasts: with one false alarm a day, a level of 0.0058 each.
const SECONDS: i64 = 500;

/// What is said of `windows` full windows; the rows of window `from` on are as `later`.
fn watch(seed: u64, windows: i64, from: i64, later: Weather) -> Vec<Said> {
    let mut stream = Stream::new(seed);
    let profile = stream.profile(3_000, "m-oak");
    let mut monitor = Monitor::new(&spec(ROWS), champion("m-oak", Some(&profile)));
    let mut window = |number: i64| {
        let weather = if number < from { CALM } else { later };
        let mut said = Said::default();
        for part in 0..5 {
            let mut items: Vec<_> = (0..ROWS / 5).map(|_| stream.observed(weather, &["m-oak"])).collect();
            items.extend((0..ROWS / 5).map(|_| stream.labelled(weather, &["m-oak"])));
            let more = monitor.feed(1 + number * SECONDS + part * SECONDS / 4, items);
            said.windows.extend(more.windows);
            said.alerts.extend(more.alerts);
        }
        said
    };
    (0..windows).map(&mut window).collect()
}

#[test]
fn streams_that_do_not_drift_stay_within_the_budget() {
    let (mut suspected, mut detected) = (0, 0);
    for seed in 1..=5 {
        let said = watch(seed, 200, 200, CALM);
        assert_eq!(said.iter().map(|s| s.windows.len()).sum::<usize>(), 400);
        let states = || said.iter().flat_map(|s| &s.alerts).map(|a| a.state);
        suspected += states().filter(|s| *s == AlertState::Suspected).count();
        detected += states().filter(|s| *s == AlertState::Detected).count();
    }
    // 1,000 windows of 500 s are 5.8 days, and the budget as many alarms; two windows in a row keep far below it.
    assert!(suspected <= 6 && detected <= 1, "{suspected} suspected, {detected} detected");
}

#[test]
fn a_test_alone_keeps_its_level() {
    // Without the size of the effect: the adjusted p-values of 1,000 windows, at the level of one in a hundred.
    let windows: Vec<_> =
        (1..=5).flat_map(|seed| watch(seed, 200, 200, CALM)).flat_map(|s| s.windows).collect();
    let judged: Vec<_> = windows.iter().filter(|w| !w.drift.is_empty()).collect();
    let rejected = judged.iter().filter(|w| w.drift.iter().any(|c| c.p_adjusted < 0.01)).count();
    assert_eq!(judged.len(), 1_000);
    // Every window of a seed meets the same reference, so that rejections come in clusters.
    assert!(rejected <= 20, "{rejected} of 1,000");
}

#[test]
fn shifts_are_detected_in_their_second_window() {
    let shifts = [
        (AlertKind::Drift, Weather { detour: 30.0, ..CALM }),
        (AlertKind::Drift, Weather { unweighed: 0.5, ..CALM }),
        (AlertKind::Decay, Weather { wrong: 0.4, ..CALM }),
    ];
    for (kind, later) in shifts {
        for seed in 1..=10 {
            let said = watch(seed, 7, 5, later);
            let detected =
                |a: &tidemill_events::monitor::Alert| a.alert == kind && a.state == AlertState::Detected;
            let first = said.iter().position(|s| s.alerts.iter().any(detected));
            assert_eq!(first, Some(6), "seed {seed}, {later:?}");
        }
    }
}

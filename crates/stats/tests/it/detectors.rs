//! The detectors against River, value by value, and across a snapshot.

use std::collections::BTreeMap;

use serde::Deserialize;
use tidemill_stats::drift::{Adwin, AdwinConfig, Change, PageHinkley, PageHinkleyConfig};

#[derive(Deserialize)]
struct Drift {
    streams: BTreeMap<String, Vec<f64>>,
    adwin: Vec<AdwinCase>,
    page_hinkley: Vec<PageHinkleyCase>,
}

#[derive(Deserialize)]
struct AdwinCase {
    stream: String,
    config: AdwinConfig,
    detections: Vec<(usize, f64, f64)>,
    width: u64,
    estimation: f64,
}

#[derive(Deserialize)]
struct PageHinkleyCase {
    stream: String,
    config: PageHinkleyConfig,
    detections: Vec<usize>,
}

fn drift() -> Drift {
    serde_json::from_str(include_str!("../../fixtures/drift.json")).unwrap()
}

#[test]
fn adwin_detects_where_river_does() {
    let drift = drift();
    for case in drift.adwin {
        let mut adwin = Adwin::new(case.config);
        let mut found = Vec::new();
        for (i, x) in drift.streams[&case.stream].iter().enumerate() {
            if adwin.update(*x) == Change::Detected {
                found.push((i, adwin.width() as f64, adwin.estimation().unwrap()));
            }
        }
        // The operations are River's in River's order, so even the means agree to the bit.
        assert_eq!(found, case.detections, "{} {:?}", case.stream, case.config);
        assert_eq!((adwin.width(), adwin.estimation()), (case.width, Some(case.estimation)));
    }
}

#[test]
fn page_hinkley_detects_where_river_does() {
    let drift = drift();
    for case in drift.page_hinkley {
        let mut detector = PageHinkley::new(case.config);
        let found: Vec<usize> = drift.streams[&case.stream]
            .iter()
            .enumerate()
            .filter_map(|(i, x)| (detector.update(*x) == Change::Detected).then_some(i))
            .collect();
        assert_eq!(found, case.detections, "{} {:?}", case.stream, case.config);
    }
}

#[test]
fn a_detector_restored_from_json_goes_on_as_if_never_stopped() {
    let drift = drift();
    let stream = &drift.streams["normal"];
    let (mut adwin, mut page_hinkley) = (Adwin::default(), PageHinkley::default());
    let (mut adwin_copy, mut page_hinkley_copy) = (adwin.clone(), page_hinkley.clone());
    for (i, x) in stream.iter().enumerate() {
        if i % 97 == 0 {
            adwin_copy = serde_json::from_str(&serde_json::to_string(&adwin_copy).unwrap()).unwrap();
            page_hinkley_copy =
                serde_json::from_str(&serde_json::to_string(&page_hinkley_copy).unwrap()).unwrap();
        }
        assert_eq!(adwin.update(*x), adwin_copy.update(*x));
        assert_eq!(page_hinkley.update(*x), page_hinkley_copy.update(*x));
    }
    assert_eq!((adwin, page_hinkley), (adwin_copy, page_hinkley_copy));
}

#[test]
fn values_that_are_not_finite_leave_no_trace() {
    let (mut adwin, mut page_hinkley) = (Adwin::default(), PageHinkley::default());
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!((adwin.update(x), page_hinkley.update(x)), (Change::None, Change::None));
    }
    assert_eq!((adwin, page_hinkley), (Adwin::default(), PageHinkley::default()));
}

#[test]
fn odd_adwin_settings_do_no_harm() {
    let config = AdwinConfig { clock: 0, max_buckets: 0, min_window_length: 0, grace_period: 0, delta: 0.9 };
    let mut adwin = Adwin::new(config);
    for i in 0..2_000 {
        adwin.update(if i < 1_000 { 0.0 } else { 5.0 });
    }
    assert_eq!(adwin.estimation(), Some(5.0));
}

//! When parts make a whole, and what the whole says.

use tidemill_domain::Metric;
use tidemill_events::monitor::{PartWindow, WindowKind};
use tidemill_monitor_core::{Merge, Shed};

use crate::parcels::{CALM, Partitioned, Stream, champion, merged, spec, spec_mark};

/// The labelled windows of a partition that sees every `step`th row from `first` on.
fn labelled(partition: u16, first: usize, step: usize, window: u64, rows: usize) -> Vec<PartWindow> {
    let mut core = Partitioned::new(partition);
    core.feed(0, vec![spec_mark(&spec(window)), champion("m-oak", None)]);
    let mut stream = Stream::new(11);
    let all: Vec<_> = (0..rows).map(|_| stream.labelled(CALM, &["m-oak"])).collect();
    core.feed(1, all.into_iter().skip(first).step_by(step).collect())
}

#[test]
fn two_partitions_say_what_one_says() {
    let mut merge = Merge::new(2);
    let mut said = Vec::new();
    for partition in 0..2_u16 {
        for part in labelled(partition, usize::from(partition), 2, 100, 400) {
            said.extend(merged(&mut merge, part).windows);
        }
    }
    let mut alone = Merge::new(1);
    let whole: Vec<_> =
        labelled(0, 0, 1, 200, 400).into_iter().flat_map(|part| merged(&mut alone, part).windows).collect();
    assert_eq!(said.len(), 2);
    for (a, b) in said.iter().zip(&whole) {
        assert_eq!((a.key.clone(), a.rows, a.from, a.to), (b.key.clone(), b.rows, b.from, b.to));
        assert_eq!(a.metrics.keys().collect::<Vec<_>>(), ["accuracy", "balanced_accuracy", "log_loss"]);
        for (name, value) in &a.metrics {
            assert!((value - b.metrics[name]).abs() < 1e-12, "{name}");
        }
        let (a, b) = (a.loss.clone().unwrap_or_default(), b.loss.clone().unwrap_or_default());
        assert_eq!(a.count(), b.count());
        assert!((a.mean().unwrap_or_default() - b.mean().unwrap_or_default()).abs() < 1e-12);
        assert!((a.variance().unwrap_or_default() - b.variance().unwrap_or_default()).abs() < 1e-12);
    }
}

/// The numbers of the windows that each delivery completes.
fn deliver(merge: &mut Merge, part: &PartWindow) -> Vec<(u64, u64)> {
    merged(merge, part.clone()).windows.iter().map(|w| (w.key.index, w.rows)).collect()
}

#[test]
fn a_window_waits_for_every_partition_in_order() {
    let mut merge = Merge::new(2);
    let (fast, slow) = (labelled(0, 0, 1, 10, 30), labelled(1, 0, 1, 10, 30));
    assert_eq!(deliver(&mut merge, &fast[0]), []);
    assert_eq!(deliver(&mut merge, &fast[1]), []);
    assert_eq!(deliver(&mut merge, &fast[1]), [], "a part that comes again completes nothing");
    assert_eq!(deliver(&mut merge, &slow[0]), [(0, 20)]);
    assert_eq!(deliver(&mut merge, &slow[1]), [(1, 20)]);
    assert_eq!(deliver(&mut merge, &slow[1]), [], "nor does one that is merged already");
}

#[test]
fn a_partition_that_stays_silent_is_not_waited_for_for_ever() {
    let mut merge = Merge::new(2);
    let (fast, slow) = (labelled(0, 0, 1, 10, 100), labelled(1, 0, 1, 10, 10));
    for part in &fast[..8] {
        assert_eq!(deliver(&mut merge, part), []);
    }
    assert_eq!(deliver(&mut merge, &fast[8]), [(0, 10)]);
    assert_eq!(deliver(&mut merge, &fast[9]), [(1, 10)]);
    assert_eq!(deliver(&mut merge, &slow[0]), []);
    assert_eq!(merge.shed().map(|(_, reason, rows)| (reason, rows)).collect::<Vec<_>>(), [(Shed::Late, 10)]);
}

#[test]
fn figures_survive_the_journey_as_json() {
    let mut merge = Merge::new(1);
    for part in labelled(0, 0, 1, 50, 50) {
        assert_eq!(part.policy.metric, Some(Metric::LogLoss));
        let text = serde_json::to_string(&part).unwrap_or_default();
        assert_eq!(serde_json::from_str::<PartWindow>(&text).ok().as_ref(), Some(&part));
        let window = merged(&mut merge, part).windows.remove(0);
        assert_eq!(window.key.kind, WindowKind::Labelled);
        let text = serde_json::to_string(&window).unwrap_or_default();
        assert_eq!(serde_json::from_str(&text).ok(), Some(window));
    }
}

//! How rows are cut into batches is the broker's business and changes nothing.

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use tidemill_domain::Span;
use tidemill_domain::spec::Window;
use tidemill_events::monitor::PartWindow;
use tidemill_events::rollout::Role;
use tidemill_events::sample::{CleanItem, Mark};
use tidemill_events::{Core, Partition};
use tidemill_monitor_core::Measure;

use crate::parcels::{CALM, Partitioned, Stream, champion, routes, spec, spec_mark};

/// A batch for each second, of rows and marks drawn by `draws`.
fn story(seed: u64, draws: &[u8]) -> Vec<Vec<CleanItem>> {
    let mut stream = Stream::new(seed);
    let profile = stream.profile(150, "m-oak");
    let mut rows = spec(30);
    rows.rollout.min_rows = 100;
    let mut minutes = rows.clone();
    minutes.monitor.window = Window::Time(Span::seconds(7));
    let item = |draw: &u8| match draw % 40 {
        0 => champion("m-oak", Some(&profile)),
        1 => routes(&[("m-oak", Role::Champion, 100), ("m-elm", Role::Shadow, 0)], Some(&profile)),
        2 => routes(&[("m-elm", Role::Champion, 90), ("m-oak", Role::Challenger, 10)], Some(&profile)),
        3 => spec_mark(&rows),
        4 => spec_mark(&minutes),
        5 => CleanItem::Mark(Mark::Tick),
        6..15 => stream.observed(CALM, &["m-oak"]),
        15..20 => stream.observed(CALM, &["m-elm", "m-oak"]),
        20..22 => stream.observed(CALM, &[]),
        22..32 => stream.labelled(CALM, &["m-oak", "m-elm"]),
        _ => stream.labelled(CALM, &["m-elm"]),
    };
    let items: Vec<_> =
        [spec_mark(&rows), champion("m-oak", None)].into_iter().chain(draws.iter().map(item)).collect();
    items.chunks(25).map(<[CleanItem]>::to_vec).collect()
}

fn windows(story: &[Vec<CleanItem>], cut: usize, twice: bool) -> (Vec<PartWindow>, usize) {
    let mut partition = Partitioned::new(0);
    let mut found = Vec::new();
    for (second, batch) in (0_i64..).zip(story) {
        for piece in batch.chunks(cut) {
            found.extend(partition.feed(second, piece.to_vec()));
            if twice {
                found.extend(partition.again(second, piece.to_vec()));
            }
        }
    }
    let shed = partition.core.shed().count();
    (found, shed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_and_repetitions_change_no_window(
        seed in any::<u64>(),
        draws in prop::collection::vec(any::<u8>(), 100..900),
        cut in 1_usize..25,
        twice in any::<bool>(),
    ) {
        let story = story(seed, &draws);
        prop_assert_eq!(windows(&story, cut, twice), windows(&story, 25, false));
    }

    #[test]
    fn a_snapshot_goes_on_as_the_core_would(
        seed in any::<u64>(),
        draws in prop::collection::vec(any::<u8>(), 100..900),
    ) {
        let story = story(seed, &draws);
        let (mut kept, mut whole) = (Partitioned::new(0), Partitioned::new(0));
        for (second, batch) in (0_i64..).zip(&story) {
            prop_assert_eq!(kept.feed(second, batch.clone()), whole.feed(second, batch.clone()));
            let saved = kept.core.save().unwrap_or_default();
            kept.core = Measure::new(Partition(0));
            prop_assert!(kept.core.load(&saved).is_ok());
            prop_assert_eq!(&kept.core, &whole.core);
        }
        let mut other = Measure::new(Partition(1));
        prop_assert!(other.load(&kept.core.save().unwrap_or_default()).is_err(), "it is of another partition");
    }

    #[test]
    fn every_window_is_counted_once(seed in any::<u64>(), draws in prop::collection::vec(any::<u8>(), 100..900)) {
        let (found, _) = windows(&story(seed, &draws), 25, false);
        let mut next = std::collections::BTreeMap::new();
        for window in found {
            let expected = next.entry((window.key.kind, window.key.version.clone())).or_insert(0_u64);
            prop_assert_eq!(window.key.index, *expected);
            *expected += 1;
            prop_assert_eq!(window.profile.as_ref().map_or(window.rows, |p| p.rows), window.rows);
            prop_assert_eq!(window.scores.as_ref().map_or(window.rows, |s| s.rows), window.rows);
            prop_assert_eq!(window.paired.as_ref().map_or(window.rows, |p| p.difference.count()), window.rows);
        }
    }
}

//! Folders that are missing, damaged, of somebody else or ahead of the log: each is made anew, and only the one that is
//! open elsewhere is left alone.

use std::path::PathBuf;

use proptest::prelude::*;
use tidemill_domain::Span;
use tidemill_events::Recorded;
use tidemill_events::core::Core;
use tidemill_events::intake::IntakeItem;
use tidemill_ingest_core::Ingest;

use super::*;
use crate::fixtures::{intake, label, loop_id, prediction, recorded, spec};
use crate::merge::Merge;
use crate::places::Places;

const WHOSE: Whose = Whose { partition: Partition(0), partitions: 1 };
const ROWS: u64 = 400;

fn extents() -> Extents {
    let extent = |last| Extent { first: 1, last, created: Timestamp(7) };
    Extents { intake: extent(1_000), control: extent(10), samples: extent(900) }
}

fn emitter() -> Emitter {
    let mut emitter = Emitter::new("ingest-0");
    emitter.resume(rows_of(&loop_id("a"), WHOSE), Upto { sequence: 500, ordinal: 1 });
    emitter
}

fn inputs() -> Vec<Recorded> {
    let mut all = vec![recorded("a", 1, Timestamp(1), spec("a", 1, Span::days(7)))];
    for n in 1..=ROWS {
        let at = Timestamp(i64::try_from(n).unwrap_or(0) * 1_000);
        let item = match n % 3 {
            0 => IntakeItem::Label(label(&format!("p{}", n / 3), at)),
            _ => IntakeItem::Prediction(prediction(&format!("p{n}"), at)),
        };
        all.push(recorded("a", n, at, intake(vec![item])));
    }
    all
}

/// Keeps everything in a folder.
fn keep(folder: &Path) -> State {
    let (memory, found) = recovered(folder, &extents());
    assert!(found.is_none());
    let mut core = Ingest::with(Partition(0), 1, memory);
    for (n, input) in inputs().iter().enumerate() {
        core.fold(input);
        core.check().unwrap_or_else(|e| unreachable!("{e}"));
        if n % 50 == 0 || n == inputs().len() - 1 {
            let mut merge = Merge::new("ingest-0", Places::default());
            merge.intake.add([], n as u64, true);
            merge.control.add([], 1, true);
            let place = (merge.stand(Upto::default()), Order::default());
            let (state, memory) = core.parts();
            let kept = Kept::new(WHOSE, &extents(), &emitter(), place, state);
            memory.commit(&kept, &state.control).unwrap_or_else(|e| unreachable!("{e}"));
        }
    }
    core.state().clone()
}

fn recovered(folder: &Path, log: &Extents) -> (Local, Option<(Kept, State)>) {
    recover(folder, false, WHOSE, log, &emitter()).unwrap_or_else(|e| unreachable!("{}", chain(&e)))
}

/// A folder with everything, its state, and what holds it.
fn kept() -> (tempfile::TempDir, PathBuf, State) {
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let folder = dir.path().join("ingest").join("0");
    let state = keep(&folder);
    (dir, folder, state)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| unreachable!("{e}")).flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => all.extend(files(&entry.path())),
            _ => all.push(entry.path()),
        }
    }
    all.sort();
    all
}

#[test]
fn what_was_kept_is_found_again() {
    let (_dir, folder, state) = kept();
    let (memory, found) = recovered(&folder, &extents());
    let Some((kept, found)) = found else { unreachable!("nothing was found") };
    assert_eq!((found, kept.merge.intake, kept.samples()), (state.clone(), ROWS, 900));
    let mut core = Ingest::resume(Partition(0), 1, memory, state).unwrap_or_else(|e| unreachable!("{e}"));
    // A prediction that is known, and the label that another one waited for.
    let at = Timestamp(10_000_000);
    assert!(
        core.fold(&recorded("a", 901, at, intake(vec![IntakeItem::Prediction(prediction("p7", at))])))
            .is_empty()
    );
    assert!(
        !core.fold(&recorded("a", 902, at, intake(vec![IntakeItem::Label(label("p400", at))]))).is_empty()
    );
}

#[test]
fn a_folder_that_is_gone_is_made_anew() {
    let (_dir, folder, _) = kept();
    fs::remove_dir_all(&folder).unwrap_or_else(|e| unreachable!("{e}"));
    let state = keep(&folder);
    assert_eq!(recovered(&folder, &extents()).1.map(|(_, found)| found), Some(state));
}

#[test]
fn a_folder_that_does_not_fit_is_made_anew() {
    let other_partition = Whose { partition: Partition(1), partitions: 2 };
    let ahead = Extents { intake: Extent { last: ROWS - 1, ..extents().intake }, ..extents() };
    let shorter = Extents { samples: Extent { last: 899, ..extents().samples }, ..extents() };
    let anew = Extents { control: Extent { created: Timestamp(8), ..extents().control }, ..extents() };
    let gone = Extents { intake: Extent { first: ROWS + 2, ..extents().intake }, ..extents() };
    let good = extents();
    let none = Emitter::new("ingest-0");
    let cases: [(&str, bool, Whose, &Extents, &Emitter); 7] = [
        ("of another partition", false, other_partition, &good, &emitter()),
        ("ahead of the messages", false, WHOSE, &ahead, &emitter()),
        ("ahead of the rows", false, WHOSE, &shorter, &emitter()),
        ("ahead of what was written", false, WHOSE, &good, &none),
        ("of another log", false, WHOSE, &anew, &emitter()),
        ("too old", false, WHOSE, &gone, &emitter()),
        ("found damaged", true, WHOSE, &good, &emitter()),
    ];
    for (what, is_damaged, whose, log, emitter) in cases {
        let (_dir, folder, _) = kept();
        let (memory, found) =
            recover(&folder, is_damaged, whose, log, emitter).unwrap_or_else(|e| unreachable!("{e}"));
        assert!(found.is_none(), "{what}");
        drop(memory);
        // It stays so: nothing of it is left.
        assert!(recovered(&folder, &good).1.is_none(), "{what}");
    }
    // With exactly what was seen of it, it fits.
    let (_dir, folder, _) = kept();
    let exact = Extents { intake: Extent { first: ROWS + 1, last: ROWS, ..extents().intake }, ..extents() };
    assert!(recovered(&folder, &exact).1.is_some());
}

#[test]
fn another_format_is_made_anew() {
    let (_dir, folder, state) = kept();
    let mut memory = Local::on(open(&folder).unwrap_or_else(|e| unreachable!("{e}")));
    memory
        .commit(&serde_json::json!({ "format": FORMAT + 1, "of": "later" }), &state.control)
        .unwrap_or_else(|e| unreachable!("{e}"));
    drop(memory);
    assert!(recovered(&folder, &extents()).1.is_none());
}

#[test]
fn a_folder_that_is_open_is_left_alone() {
    let (_dir, folder, state) = kept();
    let (memory, _) = recovered(&folder, &extents());
    let again = recover(&folder, false, WHOSE, &extents(), &emitter());
    assert!(matches!(again, Err(LocalError::Busy(_))), "{again:?}");
    drop(memory);
    assert_eq!(recovered(&folder, &extents()).1.map(|(_, found)| found), Some(state));
}

#[test]
fn what_is_no_index_at_all_is_made_anew() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let folder = dir.path().join("0");
    fs::create_dir_all(folder.join("keyspaces")).unwrap_or_else(|e| unreachable!("{e}"));
    for name in ["version", "0.jnl", "keyspaces/1"] {
        fs::write(folder.join(name), b"not ours").unwrap_or_else(|e| unreachable!("{e}"));
    }
    assert!(recovered(&folder, &extents()).1.is_none());
    let state = keep(&folder);
    assert_eq!(recovered(&folder, &extents()).1.map(|(_, found)| found), Some(state));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever happens to one of its files: what is found is what was kept at some time, or nothing.
    #[test]
    fn a_damaged_file_costs_time_and_nothing_else(which in any::<prop::sample::Index>(), cut in 0.0..1.0_f64, flips: bool) {
        let (_dir, folder, _) = kept();
        let files = files(&folder);
        let file = &files[which.index(files.len())];
        let mut bytes = fs::read(file).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a length")]
        let at = (bytes.len() as f64 * cut) as usize;
        match bytes.get_mut(at) {
            Some(byte) if flips => *byte = !*byte,
            _ => bytes.truncate(at),
        }
        fs::write(file, &bytes).unwrap_or_else(|e| unreachable!("{e}"));
        let (memory, found) = recovered(&folder, &extents());
        let Some((kept, state)) = found else { return Ok(()) };
        // What was kept earlier is as good: it is a place in the same order.
        let mut expected = Ingest::new(Partition(0), 1);
        for input in &inputs()[..=usize::try_from(kept.merge.intake).unwrap_or(0)] {
            expected.fold(input);
        }
        prop_assert_eq!(&state, expected.state());
        let mut core = Ingest::resume(Partition(0), 1, memory, state).unwrap_or_else(|e| unreachable!("{e}"));
        for n in 1..=ROWS {
            let at = Timestamp(10_000_000);
            let input = recorded("a", 2_000 + n, at, intake(vec![IntakeItem::Label(label(&format!("p{n}"), at))]));
            let drafts = core.fold(&input);
            // Damage that shows only now stops the core, and the next start makes the index anew.
            if core.check().is_err() {
                return Ok(());
            }
            prop_assert_eq!(drafts, expected.fold(&input));
        }
    }
}

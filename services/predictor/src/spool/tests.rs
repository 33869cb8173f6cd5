//! The spool on a real folder: order, restarts, the bound, damage.

use tempfile::TempDir;
use tidemill_domain::LoopId;
use tidemill_service::Metrics;

use super::*;

struct Rig {
    folder: TempDir,
    metrics: Metrics,
    counted: Counted,
}

impl Rig {
    fn new() -> Self {
        let metrics = Metrics::default();
        let counted = Counted::new(&metrics);
        Self { folder: TempDir::new().unwrap_or_else(|e| unreachable!("{e}")), metrics, counted }
    }

    fn open(&self, max_bytes: u64) -> Spool {
        let opened = Spool::open(self.folder.path().to_owned(), max_bytes, self.counted.clone());
        opened.unwrap_or_else(|e| unreachable!("{e}"))
    }

    fn shed(&self, reason: &str) -> usize {
        let name = format!("tidemill_predictor_log_shed_total{{reason=\"{reason}\"}} ");
        let text = self.metrics.text();
        text.lines().find_map(|line| line.strip_prefix(&name)).and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    fn logs(&self) -> Vec<PathBuf> {
        let all = files(self.folder.path()).unwrap_or_default();
        all.into_iter().filter(|path| number(path).is_some()).collect()
    }
}

fn rows(range: std::ops::Range<usize>) -> Vec<Row> {
    let loop_id = LoopId::new("parcels").unwrap_or_else(|e| unreachable!("{e}"));
    range.map(|i| Row { loop_id: loop_id.clone(), json: format!("{{\"row\":{i}}}").into_bytes() }).collect()
}

fn read_all(spool: &Spool, cursor: &mut Cursor) -> (Vec<Row>, u64) {
    let (mut all, mut damaged) = (Vec::new(), 0);
    loop {
        let batch = spool.read(cursor).unwrap_or_else(|e| unreachable!("{e}"));
        if batch.is_empty() {
            return (all, damaged);
        }
        all.extend(batch.rows);
        damaged += batch.damaged;
    }
}

#[test]
fn rows_come_out_in_order_also_after_a_restart_and_files_go() {
    let rig = Rig::new();
    let spool = rig.open(1 << 14);
    for start in (0..100).step_by(10) {
        spool.append(&rows(start..start + 10));
    }
    assert!(rig.logs().len() > 3, "{:?}", rig.logs());
    let mut cursor = spool.cursor();
    let first = spool.read(&mut cursor).unwrap_or_else(|e| unreachable!("{e}"));
    let n_delivered = first.rows.len();
    assert_eq!(first.rows, rows(0..n_delivered));
    spool.delivered(first.upto);
    drop(spool);

    let spool = rig.open(1 << 14);
    assert_eq!(spool.waiting(), 100 - n_delivered as u64);
    spool.append(&rows(100..110));
    let mut cursor = spool.cursor();
    assert_eq!(read_all(&spool, &mut cursor), (rows(n_delivered..110), 0));
    spool.delivered(110);
    assert_eq!((spool.waiting(), rig.logs().len()), (0, 1));
    drop(spool);
    assert_eq!(rig.open(1 << 14).waiting(), 0);
}

#[test]
fn what_the_bound_sheds_is_counted_exactly() {
    let rig = Rig::new();
    let spool = rig.open(4_096);
    for start in (0..1_000).step_by(10) {
        spool.append(&rows(start..start + 10));
        assert!(spool.state().bytes() <= 4_096);
    }
    let mut cursor = spool.cursor();
    let (kept, _) = read_all(&spool, &mut cursor);
    assert_eq!(kept, rows(0..kept.len()));
    assert_eq!(kept.len() + rig.shed("spool_full"), 1_000);
    // Once delivered there is room again.
    spool.delivered(kept.len() as u64);
    spool.append(&rows(0..10));
    assert_eq!(read_all(&spool, &mut cursor), (rows(0..10), 0));
}

#[test]
fn a_torn_end_and_damage_cost_their_own_rows_only() {
    let rig = Rig::new();
    let spool = rig.open(1 << 20);
    spool.append(&rows(0..10));
    drop(spool);
    let path = rig.logs().remove(0);
    let mut text = fs::read(&path).unwrap_or_default();
    text.truncate(text.len() - 5);
    text[3] ^= 1;
    assert!(fs::write(&path, &text).is_ok());

    let spool = rig.open(1 << 20);
    spool.append(&rows(10..20));
    let (read, damaged) = read_all(&spool, &mut spool.cursor());
    assert_eq!((read, damaged), ([rows(1..9), rows(10..20)].concat(), 1));
}

#[test]
fn a_file_that_is_gone_is_passed_over_and_its_rows_are_counted() {
    let rig = Rig::new();
    let spool = rig.open(1 << 12);
    for start in (0..30).step_by(10) {
        spool.append(&rows(start..start + 10));
    }
    assert_eq!(rig.logs().len(), 3);
    assert!(fs::remove_file(&rig.logs()[1]).is_ok());
    let mut cursor = spool.cursor();
    let first = spool.read(&mut cursor).unwrap_or_else(|e| unreachable!("{e}"));
    assert_eq!(first.rows, rows(0..10));
    assert!(spool.read(&mut cursor).is_err());
    assert_eq!(spool.pass_over(&mut cursor).map(|b| (b.damaged, b.upto)).ok(), Some((10, 20)));
    assert_eq!(read_all(&spool, &mut cursor), (rows(20..30), 0));
}

#[test]
fn without_its_mark_everything_is_delivered_again() {
    let rig = Rig::new();
    let spool = rig.open(1 << 20);
    spool.append(&rows(0..10));
    spool.delivered(5);
    drop(spool);
    assert!(fs::write(rig.folder.path().join(MARK), "nonsense").is_ok());
    let spool = rig.open(1 << 20);
    assert_eq!(read_all(&spool, &mut spool.cursor()), (rows(0..10), 0));
    assert!(rig.metrics.text().contains("damaged_files_total{file=\"spool_mark\"} 1"));
}

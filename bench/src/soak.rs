//! A long run at a steady rate with a turn every minute: memory and open files of every process must be flat after the
//! warm-up, and the books exact at the end. The broker is shown and not judged: what it keeps in memory is its own business.
//!
//! `cargo xtask bench soak [--minutes N] [--rate ROWS]`

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_integration::cluster::{BROKER, Cluster, Options, Usage};
use tidemill_integration::faults::Trial;
use tokio::time::{Instant, sleep_until};

use crate::{BenchError, say};

/// How often the processes are looked at.
const EVERY: Duration = Duration::from_secs(5);
/// The part of the run after which nothing may grow any more: bounded caches have to fill first.
const WARM_UP: f64 = 0.5;
/// What may be added to resident memory within an hour: a tenth, and what an allocator may do at any time.
const GROWTH_AN_HOUR: f64 = 0.10;
const SLACK_BYTES: f64 = 8.0 * MIB;
/// Files that may be open at a time and not at another.
const SLACK_FILES: f64 = 4.0;
const MIB: f64 = 1_048_576.0;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments {
    minutes: u64,
    rate: u32,
}

impl Arguments {
    /// Reads the words after the name.
    pub(crate) fn read(words: &[String]) -> Result<Self, BenchError> {
        let options = crate::numbers(words, &["--minutes", "--rate"])?;
        let get = |name: &str, default: u64| options.get(name).copied().unwrap_or(default).max(1);
        let rate = u32::try_from(get("--rate", 200));
        Ok(Self {
            minutes: get("--minutes", 60),
            rate: rate.map_err(|_| BenchError::Other("--rate is too large".to_owned()))?,
        })
    }
}

pub(crate) async fn main(arguments: Arguments) -> Result<String, BenchError> {
    let Arguments { minutes, rate } = arguments;
    let mut trial = Trial::start(Cluster::start(Options::default()).await?).await?;
    // A turn every minute, and ids that are forgotten within the warm-up.
    let labels_a_turn = u64::from(rate) * 60;
    let file = tidemill_integration::quick::LOOP
        .replace("new_labels: 100", &format!("new_labels: {labels_a_turn}"))
        .replace("    - on: [drift, decay]\n", "")
        .replace("horizon: 1h", "horizon: 30s");
    trial.cluster.apply(&file).await?;
    let turns = trial.auditor.ledger.turns();
    let rows = usize::try_from(minutes * 60 * u64::from(rate)).unwrap_or(usize::MAX);
    let load = trial.load(rows, Some(rate))?;

    let began = Instant::now();
    let end = began + Duration::from_secs(minutes * 60);
    let mut samples: BTreeMap<String, Vec<(f64, Usage)>> = BTreeMap::new();
    let mut next = began + EVERY;
    let mut told = 0;
    while next < end {
        sleep_until(next).await;
        next += EVERY;
        trial.cluster.check()?;
        let hours = began.elapsed().as_secs_f64() / 3_600.0;
        let cluster = &trial.cluster;
        for process in cluster.replicas.iter().map(|r| &r.process).chain([&cluster.broker]) {
            if let Some(usage) = process.usage() {
                samples.entry(process.name().to_owned()).or_default().push((hours, usage));
            }
        }
        let minute = began.elapsed().as_secs() / 60;
        if minute > told {
            told = minute;
            say(&format!("  minute {minute}: {} rows sent", load.sent()));
        }
    }
    let sent = load.finish().await?;
    let (answered, slowest) = (sent.answered, sent.slowest);
    let failed = sent.failures.len();
    let expected = turns + usize::try_from(minutes).unwrap_or(0).saturating_sub(1).max(1);
    if let Err(error) = trial.settle(sent, expected).await {
        let folder = trial.cluster.keep();
        return Err(BenchError::Other(format!("{}; see {}", tidemill_bus::chain(&error), folder.display())));
    }
    let mut text = String::new();
    let grown = report(&samples, &mut text);
    let account = trial.auditor.ledger.account();
    let turns = trial.auditor.ledger.turns() - turns;
    text.push_str(&format!(
        "  {minutes} minutes at {rate} rows/s, {turns} turns, {answered} answered, {failed} tried again, slowest {slowest:.0?}\n  \
         {account}\n"
    ));
    if grown.is_empty() {
        return Ok(text);
    }
    Err(BenchError::Other(format!("not flat after the warm-up: {}\n{text}", grown.join(", "))))
}

/// Writes a line for each process, and names those that grow.
fn report(samples: &BTreeMap<String, Vec<(f64, Usage)>>, text: &mut String) -> Vec<String> {
    let mut grown = Vec::new();
    text.push_str(&format!(
        "  {:<18} {:>9} {:>9} {:>12} {:>7} {:>9}\n",
        "process", "rss MiB", "at end", "MiB an hour", "files", "an hour"
    ));
    for (name, samples) in samples {
        let warm = &samples[(samples.len() as f64 * WARM_UP) as usize..];
        let of = |value: fn(&Usage) -> f64| -> Vec<(f64, f64)> {
            warm.iter().map(|(at, usage)| (*at, value(usage))).collect()
        };
        let (rss, files) = (of(|u| u.rss as f64), of(|u| u.files as f64));
        let hours = rss.last().map_or(0.0, |l| l.0) - rss.first().map_or(0.0, |f| f.0);
        let (mean_rss, rss_slope) = line(&rss);
        let (mean_files, files_slope) = line(&files);
        text.push_str(&format!(
            "  {name:<18} {:>9.1} {:>9.1} {:>12.2} {:>7.0} {:>9.1}\n",
            mean_rss / MIB,
            rss.last().map_or(0.0, |l| l.1) / MIB,
            rss_slope / MIB,
            mean_files,
            files_slope
        ));
        if name == BROKER {
            continue;
        }
        if rss_slope * hours > mean_rss * GROWTH_AN_HOUR * hours + SLACK_BYTES {
            grown.push(format!("memory of {name}"));
        }
        if files_slope * hours > SLACK_FILES {
            grown.push(format!("open files of {name}"));
        }
    }
    grown
}

/// Mean and slope of the line through points, by least squares.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len().max(1) as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0 / n, sum.1 + p.1 / n));
    let (above, below) =
        points.iter().fold((0.0, 0.0), |s, p| (s.0 + (p.0 - x) * (p.1 - y), s.1 + (p.0 - x) * (p.0 - x)));
    (y, if below > 0.0 { above / below } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_has_its_slope() {
        let (mean, slope) = line(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]);
        assert!((mean - 3.0).abs() < 1e-9 && (slope - 2.0).abs() < 1e-9, "{mean} {slope}");
    }
}

//! Faults with real processes, many of them: services killed at seeded moments, the broker away for longer than it remembers
//! message ids, owners frozen longer than their lease. After each the books must be exact; the first that are not end it.
//!
//! `cargo xtask bench faults [--moments N] [--seed S] [--outage SECONDS]`

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_integration::cluster::{Cluster, Options, Service};
use tidemill_integration::faults::{Moment, Trial};
use tokio::time::{Instant, sleep};

use crate::{BenchError, say};

/// Moments on one cluster; a start reads the whole log, so that clusters get slower.
const MOMENTS_A_CLUSTER: u64 = 25;
/// Rows a second while the broker is away.
const RATE: u32 = 40;
/// How long before and after.
const AROUND: Duration = Duration::from_secs(3);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments {
    moments: u64,
    seed: u64,
    outage: Duration,
}

impl Arguments {
    /// Reads the words after the name.
    pub(crate) fn read(words: &[String]) -> Result<Self, BenchError> {
        let options = crate::numbers(words, &["--moments", "--seed", "--outage"])?;
        let get = |name: &str, default: u64| options.get(name).copied().unwrap_or(default);
        Ok(Self {
            moments: get("--moments", 100),
            seed: get("--seed", 1),
            // The broker remembers ids for two minutes.
            outage: Duration::from_secs(get("--outage", 180)),
        })
    }
}

/// How the moments of a service went.
#[derive(Default)]
struct Group {
    moments: u32,
    live: Vec<f64>,
    settled: Vec<f64>,
    lost: usize,
}

pub(crate) async fn main(arguments: Arguments) -> Result<String, BenchError> {
    let Arguments { moments, seed, outage } = arguments;
    let mut groups: BTreeMap<&'static str, Group> = BTreeMap::new();
    let (mut done, mut rows) = (0, 0);
    while done < moments {
        let mut trial = Trial::start(Cluster::start(Options::default()).await?).await?;
        for number in done..moments.min(done + MOMENTS_A_CLUSTER) {
            let moment = Moment::of(seed + number);
            let survived = trial.survive(&moment).await?;
            let (live, settled) = (survived.live_after.as_secs_f64(), survived.settled_after.as_secs_f64());
            say(&format!(
                "  {:>4}  {moment}: live after {live:.1} s, settled after {settled:.1} s",
                seed + number
            ));
            let group = groups.entry(moment.service.name()).or_default();
            group.moments += 1;
            group.live.push(live);
            group.settled.push(settled);
            group.lost += survived.lost;
        }
        done = moments.min(done + MOMENTS_A_CLUSTER);
        let account = trial.auditor.ledger.account();
        say(&format!("        {account}"));
        rows += account.sent;
    }
    let mut text = table(&groups);
    text.push_str(&format!(
        "  {done} moments, {rows} rows: none lost but those in the last column, none doubled, routes legal at every step\n"
    ));
    if outage > Duration::ZERO {
        text.push_str(&broker_away(outage).await?);
    }
    for service in Service::CONTROL {
        text.push_str(&frozen(service).await?);
    }
    text.push_str(&two_owners().await?);
    Ok(text)
}

fn table(groups: &BTreeMap<&'static str, Group>) -> String {
    let mut text = format!(
        "  {:<16} {:>7} {:>22} {:>25} {:>22}\n",
        "killed", "moments", "live after s (max)", "settled after s (max)", "answered, not written"
    );
    for (name, group) in groups {
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
        let max = |of: &[f64]| of.iter().copied().fold(0.0, f64::max);
        text.push_str(&format!(
            "  {name:<16} {:>7} {:>14.1} ({:>5.1}) {:>17.1} ({:>5.1}) {:>22}\n",
            group.moments,
            mean(&group.live),
            max(&group.live),
            mean(&group.settled),
            max(&group.settled),
            group.lost
        ));
    }
    text
}

/// The broker is away under load, for longer than it remembers message ids.
async fn broker_away(outage: Duration) -> Result<String, BenchError> {
    let mut trial = Trial::start(Cluster::start(Options::default()).await?).await?;
    let turns = trial.auditor.ledger.turns();
    let seconds = (outage + 2 * AROUND).as_secs();
    let load = trial.load(usize::try_from(seconds).unwrap_or(0) * RATE as usize, Some(RATE))?;
    sleep(AROUND).await;
    trial.cluster.kill_broker();
    sleep(outage).await;
    trial.cluster.restart_broker().await?;
    let back = Instant::now();
    let sent = load.finish().await?;
    let failed = sent.failures.len() + sent.unanswered;
    let (answered, slowest) = (sent.answered, sent.slowest);
    if let Err(error) = trial.settle(sent, turns + 1).await {
        let folder = trial.cluster.keep();
        return Err(BenchError::Other(format!("{}; see {}", tidemill_bus::chain(&error), folder.display())));
    }
    if failed > 0 {
        return Err(BenchError::Other(format!("{failed} predictions failed while the broker was away")));
    }
    Ok(format!(
        "  broker away for {outage:?}: {answered} of {answered} predictions answered (slowest {slowest:.0?}), all accounted for \
         {:.1} s after it was back\n",
        back.elapsed().as_secs_f64()
    ))
}

/// The owner of a role is frozen until another has taken over and the turn is complete.
async fn frozen(service: Service) -> Result<String, BenchError> {
    let options = Options { control_replicas: 2, lease: Duration::from_secs(10) };
    let mut trial = Trial::start(Cluster::start(options).await?).await?;
    let frozen = trial.freeze_owner(service).await?;
    Ok(format!(
        "  {} frozen: taken over after {:.1} s (lease 10 s), the old owner gave up after {:.1} s: {}\n",
        service.name(),
        frozen.taken_over_after.as_secs_f64(),
        frozen.gave_up_after.as_secs_f64(),
        frozen.reason
    ))
}

/// Leases are taken away from owners who go on writing.
async fn two_owners() -> Result<String, BenchError> {
    let options = Options { control_replicas: 2, lease: Duration::from_secs(60) };
    let mut trial = Trial::start(Cluster::start(options).await?).await?;
    let told = trial.two_owners().await?.into_iter();
    Ok(told
        .map(|(s, reason)| format!("  two owners of {}: the old one gave up: {reason}\n", s.name()))
        .collect())
}

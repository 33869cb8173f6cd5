//! Faults with real processes: services are killed in the middle of a turn, the broker under load, and owners frozen longer
//! than their lease. Afterwards every row is accounted for, every decision was made once, and routes were legal throughout.

use std::time::Duration;

use tidemill_integration::cluster::{Cluster, Options, Service};
use tidemill_integration::faults::{Moment, ROWS, Trial};
use tokio::time::sleep;

/// Seeds whose moments strike the predictor, the trainer, the deployer, the evaluator and ingest; `cargo xtask bench faults` tries
/// many more.
const SEEDS: [u64; 5] = [3, 4, 5, 12, 13];

async fn trial(options: Options) -> Trial {
    Trial::start(Cluster::start(options).await.unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_costs_no_row_and_no_turn() {
    let mut trial = trial(Options::default()).await;
    for seed in SEEDS {
        let moment = Moment::of(seed);
        trial.survive(&moment).await.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
    let account = trial.auditor.ledger.account();
    assert_eq!(account.lost + account.pending + account.unread, 0, "{account}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_under_load_fails_no_prediction() {
    let mut trial = trial(Options::default()).await;
    let turns = trial.auditor.ledger.turns();
    let load = trial.load(4 * ROWS, Some(80)).unwrap();
    sleep(Duration::from_secs(1)).await;
    trial.cluster.kill_broker();
    sleep(Duration::from_secs(2)).await;
    trial.cluster.restart_broker().await.unwrap();
    let sent = load.finish().await.unwrap();
    assert_eq!(sent.failures, Vec::<String>::new());
    assert_eq!(sent.unanswered, 0, "every row must be answered by a model");
    trial.settle(sent, turns + 1).await.unwrap();
    let account = trial.auditor.ledger.account();
    assert_eq!(account.lost + account.pending + account.unread, 0, "{account}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_frozen_longer_than_its_lease_decides_nothing_twice() {
    let options = Options { control_replicas: 2, ..Options::default() };
    let lease = options.lease;
    let mut trial = trial(options).await;
    for service in Service::CONTROL {
        let replaced =
            trial.freeze_owner(service).await.unwrap_or_else(|e| panic!("{}: {e}", service.name()));
        assert!(replaced.taken_over_after < lease + Duration::from_secs(8), "{replaced:?}");
        assert!(!replaced.reason.is_empty(), "the old owner must say why it gave up");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_owners_at_once_only_the_newer_one_is_heard() {
    // Renewed every 18 s: the old owners do not learn in time that their leases are gone, only their writes tell them.
    let options = Options { control_replicas: 2, lease: Duration::from_secs(60) };
    let mut trial = trial(options).await;
    let given_up = trial.two_owners().await.unwrap();
    for (service, reason) in given_up {
        // Not because its time was over: the log refused what it wrote.
        assert!(reason.contains("with epoch"), "{}: {reason}", service.name());
    }
}

//! The prediction log when the bus is away, too slow, or gone at the end.

use std::collections::BTreeSet;

use tidemill_domain::Span;
use tidemill_events::rollout::Role;
use tidemill_predictor::Options;
use tidemill_proto::v1;
use tokio::time::timeout;

use crate::rig::{CEILING, Rig, request, until};

async fn ready(options: Options) -> Rig {
    let mut rig = Rig::start_with(options).await;
    rig.apply(1, 1);
    let champion = rig.shelved(1.0, 1);
    rig.route(1, vec![(&champion, Role::Champion, 100)]);
    rig.in_force(1, 1).await;
    rig
}

async fn ask(rig: &mut Rig, n: usize) {
    for i in 0..n {
        let answer = rig.client.predict(request(&format!("p-{i}"), None)).await;
        assert!(answer.is_ok(), "{answer:?}");
    }
}

/// Asks for so many thousand rows, each with an id of its own.
async fn ask_in_batches(rig: &mut Rig, n_batches: usize) {
    for batch in 0..n_batches {
        let requests = (0..1_000).map(|i| request(&format!("p-{batch}-{i}"), None)).collect();
        let answered = rig.client.predict_batch(v1::PredictBatchRequest { requests }).await;
        assert!(answered.is_ok_and(|a| a.get_ref().results.len() == 1_000));
    }
}

#[tokio::test]
async fn answers_go_on_while_the_bus_is_away_and_the_log_follows() {
    let mut rig = ready(Options::default()).await;
    rig.log.set_away(true);
    ask(&mut rig, 300).await;
    assert!(rig.log.records().is_empty());
    rig.log.set_away(false);
    assert_eq!(rig.logged(300).await.len(), 300);
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_counted() {
    let mut rig = ready(Options { log_queue: 10, ..Options::default() }).await;
    ask_in_batches(&mut rig, 1).await;
    let shed = "log_shed_total{reason=\"queue_full\"}";
    until("all are logged or shed", || rig.log.records().len() + rig.counter(shed) == 1_000).await;
    assert!(rig.counter(shed) > 0);
}

#[tokio::test]
async fn what_does_not_fit_on_disk_is_counted_and_the_rest_arrives() {
    let mut rig = ready(Options { log_spool_mib: 1, ..Options::default() }).await;
    rig.log.set_away(true);
    ask_in_batches(&mut rig, 20).await;
    let shed = "log_shed_total{reason=\"spool_full\"}";
    let written = || rig.counter("spool_rows") + rig.counter(shed);
    until("all are written down or shed", || written() == 20_000).await;
    let n_shed = rig.counter(shed);
    assert!(n_shed > 0 && rig.counter("spool_bytes") <= 1 << 20, "{n_shed}");
    rig.log.set_away(false);
    until("the spool is empty", || rig.counter("spool_rows") == 0).await;
    let ids: BTreeSet<_> = rig.log.records().into_iter().map(|r| r.prediction_id).collect();
    assert_eq!((ids.len() + n_shed, rig.counter(shed)), (20_000, n_shed));
    assert_eq!(rig.counter("logged_total"), ids.len());
    assert!(rig.counter("spool_bytes") < 1 << 17);
}

#[tokio::test]
async fn what_waits_is_logged_before_the_end() {
    let mut rig = ready(Options::default()).await;
    rig.log.set_away(true);
    ask(&mut rig, 250).await;
    rig.stop.cancel();
    until("all are written down", || rig.counter("spool_rows") == 250).await;
    rig.log.set_away(false);
    let Rig { serving, log, client, .. } = rig;
    drop(client);
    assert!(timeout(CEILING, serving).await.is_ok());
    assert_eq!(log.records().len(), 250);
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever_and_the_next_start_delivers() {
    let mut rig = ready(Options { log_drain: Span::millis(100), ..Options::default() }).await;
    rig.log.set_away(true);
    ask(&mut rig, 5).await;
    let rig = rig.restart(true).await;
    assert_eq!(rig.counter("spool_rows"), 5);
    rig.log.set_away(false);
    assert_eq!(rig.logged(5).await.len(), 5);
    until("the spool is empty", || rig.counter("spool_rows") == 0).await;
}

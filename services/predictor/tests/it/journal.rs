//! The prediction log when the bus is away, too slow, or gone at the end.

use std::time::Duration;

use tidemill_domain::Span;
use tidemill_events::rollout::Role;
use tidemill_predictor::Options;
use tokio::time::{sleep, timeout};

use crate::rig::{CEILING, Rig, request};

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
    rig.log.set_away(true);
    ask(&mut rig, 1_000).await;
    rig.log.set_away(false);
    sleep(Duration::from_millis(200)).await;
    let text = rig.metrics.text();
    let value = |name: &str| -> usize {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|v| v.trim().parse().ok()).unwrap_or_else(|| unreachable!("{name} is not in {text}"))
    };
    let n_shed = value("tidemill_predictor_log_shed_total{reason=\"queue_full\"}");
    assert!(n_shed > 0);
    rig.logged(1_000 - n_shed).await;
}

#[tokio::test]
async fn what_waits_is_logged_before_the_end() {
    let mut rig = ready(Options::default()).await;
    rig.log.set_away(true);
    ask(&mut rig, 250).await;
    rig.stop.cancel();
    sleep(Duration::from_millis(100)).await;
    rig.log.set_away(false);
    let Rig { serving, log, client, .. } = rig;
    drop(client);
    assert!(timeout(CEILING, serving).await.is_ok());
    assert_eq!(log.records().len(), 250);
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let mut rig = ready(Options { log_drain: Span::millis(100), ..Options::default() }).await;
    rig.log.set_away(true);
    ask(&mut rig, 5).await;
    rig.stop.cancel();
    let Rig { serving, metrics, client, .. } = rig;
    drop(client);
    assert!(timeout(CEILING, serving).await.is_ok());
    assert!(metrics.text().contains("tidemill_predictor_log_shed_total{reason=\"stopped\"} 5"));
}

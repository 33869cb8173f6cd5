//! INV-1 at the shell: however often a role stops, crashes or moves, each output is there once.

use tidemill_bus::NatsServer;
use tidemill_service::PartState;

use crate::harness::{Rig, echoes, start_echo, until};

const ROLE: &str = "automl-trainer";

#[tokio::test(flavor = "multi_thread")]
async fn orderly_restarts_give_each_output_once() {
    let rig = Rig::new().await;
    for round in 0..3 {
        let context = rig.context("a");
        let role = start_echo(&context);
        rig.commands(round * 50 + 1..=round * 50 + 50).await;
        // Somewhere in the middle.
        let metrics = context.metrics.role(ROLE);
        until("some are out", || std::future::ready(metrics.events_published.get() > 20)).await;
        context.stop.cancel();
        role.await.unwrap().unwrap();
        assert_eq!(context.health.get(ROLE), Some(PartState::Stopped));
    }
    let context = rig.context("a");
    let role = start_echo(&context);
    until("all are out", || async { rig.triggers().await.len() >= 300 }).await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(rig.triggers().await, echoes(150));
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_give_each_output_once() {
    let rig = Rig::new().await;
    for crash in 1..=4 {
        // So that there is something left to do, however late the crash comes.
        rig.commands(crash * 50 - 49..=crash * 50).await;
        let context = rig.context(&format!("replica-{crash}"));
        let role = start_echo(&context);
        let metrics = context.metrics.role(ROLE);
        until("some are out", || std::future::ready(metrics.events_published.get() >= crash * 10)).await;
        // As if its process had died: no lease is given back, and an answer may be lost.
        role.abort();
        assert!(role.await.unwrap_err().is_cancelled());
    }
    let context = rig.context("last");
    let role = start_echo(&context);
    until("all are out", || async { rig.triggers().await.len() >= 400 }).await;
    until("it is live", || std::future::ready(context.health.get(ROLE) == Some(PartState::Live))).await;
    assert!(context.metrics.role(ROLE).events_suppressed.get() > 0);
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(rig.triggers().await, echoes(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over() {
    let rig = Rig::new().await;
    let (first, second) = (rig.context("first"), rig.context("second"));
    let active = start_echo(&first);
    until("the first is live", || std::future::ready(first.health.get(ROLE) == Some(PartState::Live))).await;
    let standby = start_echo(&second);
    rig.commands(1..=20).await;
    until("its outputs are out", || async { rig.triggers().await.len() == 40 }).await;
    assert_eq!(second.health.get(ROLE), Some(PartState::Standby));
    assert!(second.health.is_ready(), "a standby is ready");
    active.abort();
    rig.commands(21..=40).await;
    until("the second goes on", || async { rig.triggers().await.len() >= 80 }).await;
    second.stop.cancel();
    standby.await.unwrap().unwrap();
    assert_eq!(rig.triggers().await, echoes(40));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_under_way_costs_nothing() {
    let rig = Rig::new().await;
    let context = rig.context("a");
    let role = start_echo(&context);
    rig.commands(1..=50).await;
    until("some are out", || std::future::ready(context.metrics.role(ROLE).events_published.get() > 5)).await;
    let Rig { bus, server, dir } = rig;
    let port = server.port();
    server.kill();
    let server = NatsServer::start_with(dir.path(), Some(port), &[]).await.unwrap();
    until("the connection is back", || std::future::ready(bus.is_connected())).await;
    let rig = Rig { bus, server, dir };
    until("the server takes commands", || async {
        rig.bus
            .tail(&tidemill_events::Subject::log(crate::harness::loop_id(), tidemill_events::Log::Command))
            .await
            .is_ok()
    })
    .await;
    rig.commands(51..=60).await;
    until("all are out", || async { rig.triggers().await.len() >= 120 }).await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(rig.triggers().await, echoes(60));
}

//! Leases: one owner at a time, epochs that count up, take-over when an owner is gone.

use std::time::Duration;

use tidemill_bus::{Lease, NatsServer, Provision, provision};
use tidemill_events::stream::Role;
use tokio_util::sync::CancellationToken;

use crate::harness::{Rig, connect, quick, until};

#[tokio::test]
async fn a_lease_that_is_given_back_is_taken_at_once_and_counts_up() {
    let rig = Rig::new().await;
    let role = Role::evaluator();
    let first = rig.lease(&role, "a").await;
    assert!(first.is_valid());
    let epoch = first.epoch();
    first.release().await.unwrap();
    let second = rig.lease(&role, "b").await;
    assert!(second.epoch() > epoch);
    assert_eq!(second.owner(), "b");
}

#[tokio::test]
async fn a_standby_waits_while_the_lease_is_renewed() {
    let rig = Rig::with(quick()).await;
    let role = Role::evaluator();
    let held = rig.lease(&role, "a").await;
    let stop = CancellationToken::new();
    let waiting = {
        let (bus, name, stop) = (rig.bus.clone(), role.name.clone(), stop.clone());
        tokio::spawn(async move { Lease::acquire(&bus, &name, "b", &stop).await })
    };
    // Longer than a lease lasts without renewal.
    tokio::select! {
        () = held.lost() => panic!("lost"),
        () = tokio::time::sleep(Duration::from_millis(2_500)) => {}
    }
    assert!(held.is_valid() && !waiting.is_finished());
    stop.cancel();
    assert!(waiting.await.unwrap().unwrap().is_none());
}

#[tokio::test]
async fn a_standby_takes_over_when_a_lease_runs_out() {
    let rig = Rig::with(quick()).await;
    let role = Role::evaluator();
    let held = rig.lease(&role, "a").await;
    let epoch = held.epoch();
    // As if its process had died: nothing is given back.
    drop(held);
    assert!(rig.lease(&role, "b").await.epoch() > epoch);
}

#[tokio::test]
async fn a_lease_that_cannot_be_renewed_is_given_up() {
    let rig = Rig::with(quick()).await;
    let held = rig.lease(&Role::evaluator(), "a").await;
    rig.server.kill();
    held.lost().await;
    assert!(!held.is_valid());
}

#[tokio::test]
async fn epochs_go_on_after_a_restart_of_the_server_with_no_lease_left() {
    let rig = Rig::with(quick()).await;
    let role = Role::evaluator();
    let lease = rig.lease(&role, "a").await;
    let epoch = lease.epoch();
    drop(lease);
    let stream = async_nats::connect(rig.server.url()).await.map(async_nats::jetstream::new).unwrap();
    let stream = stream.get_stream("KV_tidemill-leases").await.unwrap();
    until("the lease has run out", || async { stream.get_info().await.unwrap().state.messages == 0 }).await;
    rig.server.stop().await;
    let server = NatsServer::start(rig.dir.path()).await.unwrap();
    let bus = connect(server.url()).await;
    provision(&bus, &Provision { ..quick() }).await.unwrap();
    let next = Lease::acquire(&bus, &role.name, "b", &CancellationToken::new()).await.unwrap().unwrap();
    assert!(next.epoch() > epoch, "{} after {epoch}", next.epoch());
}

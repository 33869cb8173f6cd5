//! Provisioning: created once, kept, changed where it differs; and connecting.

use std::time::Duration;

use tidemill_bus::{Bus, BusConfig, Change, Error, Lease, Limits, NatsServer, Provision, provision};
use tidemill_domain::{LoopId, Span};
use tidemill_events::stream::Role;
use tidemill_events::{Intake, Subject, Topic};
use tokio_util::sync::CancellationToken;

use crate::harness::{Rig, connect, until};

#[tokio::test]
async fn everything_is_created_once_and_then_kept() {
    let dir = tempfile::tempdir().unwrap();
    let server = NatsServer::start(dir.path()).await.unwrap();
    let bus = connect(server.url()).await;
    let first = provision(&bus, &Provision::default()).await.unwrap();
    assert_eq!(first.len(), 8);
    assert!(first.iter().all(|p| p.change == Change::Created), "{first:?}");
    let second = provision(&bus, &Provision::default()).await.unwrap();
    assert!(second.iter().all(|p| p.change == Change::Kept), "{second:?}");
}

#[tokio::test]
async fn other_settings_change_only_what_they_mean() {
    let rig = Rig::new().await;
    let longer =
        Provision { horizon: Span::days(60), ack_wait: Duration::from_secs(60), ..Provision::default() };
    let updated: Vec<String> = provision(&rig.bus, &longer)
        .await
        .unwrap()
        .into_iter()
        .filter(|p| p.change == Change::Updated)
        .map(|p| p.name)
        .collect();
    assert_eq!(updated, ["TIDEMILL_INTAKE", "TIDEMILL_SAMPLES", "automl-trainer-workers"]);
    assert!(provision(&rig.bus, &longer).await.unwrap().iter().all(|p| p.change == Change::Kept));
}

#[tokio::test]
async fn what_is_not_provisioned_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = NatsServer::start(dir.path()).await.unwrap();
    let bus = connect(server.url()).await;
    let missing = Lease::acquire(&bus, &Role::trainer().name, "a", &CancellationToken::new()).await;
    assert!(matches!(missing, Err(Error::NotProvisioned { .. })), "{missing:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let config = BusConfig { url: "nats://127.0.0.1:1".into(), credentials: None, name: "test".into() };
    let error = Bus::connect(config).await.err().map(|e| e.to_string());
    assert_eq!(error.as_deref(), Some("TM-0101 cannot connect to NATS at nats://127.0.0.1:1"));
}

#[tokio::test]
async fn a_server_stops_in_order_and_keeps_what_it_has() {
    let rig = Rig::new().await;
    assert!(rig.bus.server_version().starts_with("2."));
    rig.server.stop().await;
    let again = NatsServer::start(rig.dir.path()).await.unwrap();
    let bus = connect(again.url()).await;
    assert!(provision(&bus, &Provision::default()).await.unwrap().iter().all(|p| p.change == Change::Kept));
}

#[tokio::test]
async fn what_must_serve_without_a_server_connects_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let first = NatsServer::start(dir.path()).await.unwrap();
    let port = first.port();
    first.kill();
    let config =
        BusConfig { url: format!("nats://127.0.0.1:{port}"), credentials: None, name: "test".into() };
    let bus = Bus::connect_later(config).await.unwrap();
    assert!(!bus.is_connected());
    let _server = NatsServer::start_with(dir.path(), Some(port), &[]).await.unwrap();
    until("it is connected", || std::future::ready(bus.is_connected())).await;
    assert_eq!(provision(&bus, &Provision::default()).await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_full_stream_says_so_and_takes_more_once_there_is_room() {
    let full = Limits { intake: Some(4 << 10), ..Limits::default() };
    let rig = Rig::with(Provision { limits: full, ..Provision::default() }).await;
    let subject = intake();
    let mut refused = None;
    for n in 0..64 {
        let sent = rig.bus.publish_raw(&subject, Some(&n.to_string()), &[], vec![b'x'; 512].into()).await;
        if let Err(error) = sent {
            refused = Some(error);
            break;
        }
    }
    // A stream of four kibibytes cannot take thirty-two.
    let refused = refused.unwrap();
    assert!(matches!(refused, Error::Full { .. }) && !refused.is_fatal(), "{refused:?}");
    assert_eq!(refused.to_string(), format!("TM-0109 the stream of {subject} is full"));
    provision(&rig.bus, &Provision::default()).await.unwrap();
    rig.bus.publish_raw(&subject, Some("again"), &[], "x".into()).await.unwrap();
}

fn intake() -> String {
    let loop_id = LoopId::new("test").unwrap();
    Subject::new(loop_id, Topic::Intake(Intake::Label)).to_string()
}

//! A missing permission shows as itself, not as a time-out.

use std::time::Duration;

use tidemill_bus::{Bus, BusConfig, Error, NatsServer, Provision, provision};
use tidemill_events::stream::Role;
use tokio_util::sync::CancellationToken;

use crate::harness::{command, output};

const CONFIG: &str = r#"
authorization {
  users = [
    { user: admin, password: x },
    { user: guest, password: x, permissions: { publish: { deny: ["tidemill.*.log.>", "$KV.tidemill-leases.deployer"] } } },
  ]
}
"#;

async fn connect(server: &NatsServer, user: &str) -> Bus {
    let url = format!("nats://{user}:x@127.0.0.1:{}", server.port());
    Bus::connect(BusConfig { url, credentials: None, name: user.into() }).await.unwrap()
}

#[tokio::test]
async fn a_missing_permission_is_told_and_fatal() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("nats.conf");
    std::fs::write(&config, CONFIG).unwrap();
    let server = NatsServer::start_with(dir.path(), None, &["-c", config.to_str().unwrap()]).await.unwrap();
    provision(&connect(&server, "admin").await, &Provision::default()).await.unwrap();
    let guest = connect(&server, "guest").await;

    let refused =
        tokio::time::timeout(Duration::from_secs(10), guest.unfenced(&command(1), None)).await.unwrap();
    assert!(matches!(&refused, Err(e @ Error::Permission { .. }) if e.is_fatal()), "{refused:?}");

    // The broker itself says nothing to the request: that is why it has to be heard beside it.
    let options = async_nats::ConnectOptions::with_user_and_password("guest".into(), "x".into());
    let client = options.connect(server.url()).await.unwrap();
    let asked = client.request("tidemill.test.log.command", "{}".into());
    let silent = tokio::time::timeout(Duration::from_millis(300), asked).await;
    assert!(silent.is_err(), "{silent:?}");

    let stop = CancellationToken::new();
    let lease = tidemill_bus::Lease::acquire(&guest, &Role::deployer().name, "a", &stop).await;
    assert!(matches!(&lease, Err(e @ Error::Permission { .. }) if e.is_fatal()), "{lease:?}");

    let role = Role::trainer();
    let lease = tidemill_bus::Lease::acquire(&guest, &role.name, "a", &stop).await.unwrap().unwrap();
    let mut publisher = tidemill_bus::Publisher::claim(guest.clone(), &role, &lease).await.unwrap();
    let refused = publisher.publish(&output(1), None).await;
    assert!(matches!(&refused, Err(Error::Permission { .. })), "{refused:?}");
}

//! Two replicas of a role as processes: one killed, one frozen for longer than its lease. Each output is there once.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidemill_bus::{Item, ReadFrom, Reader};
use tidemill_events::Event;
use tidemill_events::stream::Stream;
use tidemill_service::Context;
use tidemill_store::Store;

use crate::harness::{Rig, connect, echoes, start_echo, until};

const URL: &str = "TIDEMILL_TEST_REPLICA_URL";
const OWNER: &str = "TIDEMILL_TEST_REPLICA_OWNER";
/// The leases of the harness last a second; a standby asks ten times within that.
const TAKE_OVER: Duration = Duration::from_secs(10);

/// What a replica's process runs: the tests of this file start it with an address. Without one there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn process() {
    let (Ok(url), Ok(owner)) = (std::env::var(URL), std::env::var(OWNER)) else { return };
    let store = Store::open("memory:").unwrap();
    let context = Context::new(connect(&url).await, store, 1, owner);
    start_echo(&context).await.unwrap().unwrap();
}

/// A replica's process, killed at the latest when the test ends.
struct Replica(Child);

impl Replica {
    fn start(rig: &Rig, owner: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "replica::process"])
            .env(URL, rig.server.url())
            .env(OWNER, owner)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    /// SIGSTOP or SIGCONT.
    fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.0.id())).status();
        assert!(sent.unwrap().success());
    }

    fn kill(&mut self) {
        // What has ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Who claimed the role's subject, one after the other.
async fn owners(rig: &Rig) -> Vec<String> {
    let from = ReadFrom::first(Stream::Loop, "tidemill.*.log.trigger");
    let mut reader = Reader::open(&rig.bus, from).await.unwrap();
    let mut owners = Vec::new();
    while !reader.caught_up() {
        for item in reader.next_batch(256, Duration::from_secs(1)).await.unwrap() {
            let Item::Event(received) = item else { panic!("{item:?}") };
            if let Event::Claimed(claim) = received.event.event {
                owners.push(claim.owner);
            }
        }
    }
    owners
}

async fn until_out(rig: &Rig, n_commands: u64) {
    until("all are out", || async { rig.triggers().await.len() as u64 >= 2 * n_commands }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_within_seconds_from_a_replica_that_is_killed() {
    let rig = Rig::new().await;
    let mut first = Replica::start(&rig, "first");
    rig.commands(1..=10).await;
    until_out(&rig, 10).await;
    let _second = Replica::start(&rig, "second");
    rig.commands(11..=200).await;
    // Somewhere in the middle of its work.
    until("some are out", || async { rig.triggers().await.len() > 30 }).await;
    first.kill();
    let killed = Instant::now();
    until_out(&rig, 200).await;
    assert!(killed.elapsed() < TAKE_OVER, "{:?}", killed.elapsed());
    assert_eq!(rig.triggers().await, echoes(200));
    // If the first had said everything before it was killed, the second has claimed or will.
    until("the second is the owner", || async { owners(&rig).await == ["first", "second"] }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_frozen_for_longer_than_its_lease_is_refused_and_stands_by() {
    let rig = Rig::new().await;
    let first = Replica::start(&rig, "first");
    rig.commands(1..=10).await;
    until_out(&rig, 10).await;
    let mut second = Replica::start(&rig, "second");
    rig.commands(11..=200).await;
    until("some are out", || async { rig.triggers().await.len() > 30 }).await;
    // It is in the middle of its work and has more before it.
    first.signal("STOP");
    until("the second is the owner", || async { owners(&rig).await == ["first", "second"] }).await;
    until_out(&rig, 200).await;
    rig.commands(201..=210).await;
    first.signal("CONT");
    // What the first sends now, it sends in vain.
    rig.commands(211..=300).await;
    until_out(&rig, 300).await;
    assert_eq!(rig.triggers().await, echoes(300));
    assert_eq!(owners(&rig).await, ["first", "second"]);
    // It stands by in order, so that it takes over when the second is gone.
    second.kill();
    rig.commands(301..=310).await;
    until_out(&rig, 310).await;
    assert_eq!(rig.triggers().await, echoes(310));
    assert_eq!(owners(&rig).await, ["first", "second", "first"]);
}

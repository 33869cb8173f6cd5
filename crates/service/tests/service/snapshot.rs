//! Snapshots: a start goes on from the newest one, and from the first message if that is of no use. Outputs are the same.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidemill_events::core::NoJob;
use tidemill_events::snapshot::BadSnapshot;
use tidemill_events::stream::{Role, SNAPSHOTS};
use tidemill_events::{Core, Draft, Recorded};
use tidemill_service::{Context, NoJobs, Pace, PartState, RoleError, RoleSetup, run};
use tidemill_store::Store;
use tokio::task::JoinHandle;

use crate::harness::{Echo, Rig, echoes, until};

const ROLE: &str = "automl-trainer";

/// Often, so that a test sees some.
fn often() -> RoleSetup {
    let snapshots = Pace { inputs: 10, every: Duration::from_secs(3_600) };
    RoleSetup { snapshots, ..Role::trainer().into() }
}

fn start(context: &Context) -> JoinHandle<Result<(), RoleError>> {
    tokio::spawn(run(often(), Echo::default, Arc::new(NoJobs), context.clone()))
}

/// The folder of the store, and a replica that keeps its snapshots there.
fn replica(rig: &Rig, owner: &str) -> (Context, PathBuf) {
    let folder = rig.dir.path().join("store");
    let store = Store::open(folder.to_str().unwrap()).unwrap();
    (Context { store, ..rig.context(owner) }, folder)
}

fn objects(folder: &PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { objects(&path) } else { vec![path] }).collect()
}

async fn until_live(context: &Context) {
    let live = Some(PartState::Live);
    until("it is live", || std::future::ready(context.health.get(ROLE) == live)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_goes_on_from_the_snapshot_of_an_orderly_stop() {
    let rig = Rig::new().await;
    rig.commands(1..=50).await;
    let (context, folder) = replica(&rig, "a");
    let role = start(&context);
    until("all are out", || async { rig.triggers().await.len() >= 100 }).await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert!(context.metrics.role(ROLE).snapshots_written.get() > 0);
    assert_eq!(objects(&folder).len(), 1, "older ones are cleared away");

    let (context, _) = replica(&rig, "b");
    let metrics = context.metrics.role(ROLE);
    let role = start(&context);
    until_live(&context).await;
    assert_eq!(metrics.snapshots_used.get(), 1);
    // Its own outputs lie beyond the snapshot, and claims; not the commands.
    assert!(metrics.events_folded.get() <= 105, "{}", metrics.events_folded.get());
    rig.commands(51..=60).await;
    until("all are out", || async { rig.triggers().await.len() >= 120 }).await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(rig.triggers().await, echoes(60), "what it had counted goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_go_on_from_the_last_snapshot_and_give_each_output_once() {
    let rig = Rig::new().await;
    for crash in 1..=3 {
        rig.commands(crash * 50 - 49..=crash * 50).await;
        let (context, _) = replica(&rig, &format!("replica-{crash}"));
        let role = start(&context);
        let metrics = context.metrics.role(ROLE);
        until("some are kept", || std::future::ready(metrics.snapshots_written.get() > 0)).await;
        role.abort();
        assert!(role.await.unwrap_err().is_cancelled());
        assert_eq!(metrics.snapshots_used.get(), u64::from(crash > 1));
    }
    let (context, _) = replica(&rig, "last");
    let role = start(&context);
    until("all are out", || async { rig.triggers().await.len() >= 300 }).await;
    until_live(&context).await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(rig.triggers().await, echoes(150));
}

/// Makes something else of the log than [`Echo`] did.
#[derive(Default)]
struct Newer(Echo);

impl Core for Newer {
    type Job = NoJob;
    const FOLD: u32 = Echo::FOLD + 1;
    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        self.0.fold(input)
    }
    fn save(&self) -> Option<Vec<u8>> {
        self.0.save()
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        self.0.load(bytes)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_of_no_use_costs_only_time() {
    let rig = Rig::new().await;
    let mut n_commands = 0;
    for (nth, trouble) in ["none yet", "damaged", "missing", "of another version"].into_iter().enumerate() {
        let (context, folder) = replica(&rig, &format!("replica-{nth}"));
        for object in objects(&folder) {
            match trouble {
                "damaged" => std::fs::write(object, "nonsense").unwrap(),
                "missing" => std::fs::remove_file(object).unwrap(),
                _ => {}
            }
        }
        rig.commands(n_commands + 1..=n_commands + 10).await;
        n_commands += 10;
        let role = if trouble == "of another version" {
            tokio::spawn(run(often(), Newer::default, Arc::new(NoJobs), context.clone()))
        } else {
            start(&context)
        };
        until("all are out", || async { rig.triggers().await.len() as u64 >= 2 * n_commands }).await;
        let metrics = context.metrics.role(ROLE);
        until("one is written", || std::future::ready(metrics.snapshots_written.get() > 0)).await;
        context.stop.cancel();
        role.await.unwrap().unwrap();
        assert_eq!(rig.triggers().await, echoes(n_commands), "{trouble}");
        assert_eq!(metrics.snapshots_used.get(), 0, "{trouble}");
        assert_eq!(metrics.snapshots_failed.get(), u64::from(nth > 0), "{trouble}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bucket_for_them_a_role_works_without_snapshots() {
    let rig = Rig::new().await;
    let js = async_nats::jetstream::new(async_nats::connect(rig.server.url()).await.unwrap());
    js.delete_stream(format!("KV_{SNAPSHOTS}")).await.unwrap();
    rig.commands(1..=20).await;
    let (context, folder) = replica(&rig, "a");
    let role = start(&context);
    until("all are out", || async { rig.triggers().await.len() >= 40 }).await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(objects(&folder).len(), 0);
}

//! Jobs and workers: each result once, nothing done again after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tidemill_bus::error::Cause;
use tidemill_domain::{Algorithm, DatasetId, Metric, Span, Strategy, TrialId, TurnId};
use tidemill_events::dataset::{Located, RowRange};
use tidemill_events::stream::Role;
use tidemill_events::training::{Choice, Purpose, Report, Trial, TrialJob};
use tidemill_events::{Core, Draft, Event, Log, Recorded, Subject, Topic};
use tidemill_service::{PartState, Performer, RoleSetup, run, run_workers};

use crate::harness::{Rig, loop_id, number, schema, until};

fn reported(input: &Recorded) -> Option<TrialId> {
    match &input.event {
        Event::Report(report) => match &**report {
            Report::TrialFailed { trial, .. } | Report::TrialFinished { trial, .. } => Some(trial.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn report(trial: &TrialId, reason: &str) -> Draft {
    let report =
        Report::TrialFailed { trial: trial.clone(), turn: TurnId::new("turn"), reason: reason.into() };
    Draft::new(Subject::log(loop_id(), Log::Report), Event::Report(Box::new(report)))
}

/// Wants one job for each command until its report is there.
#[derive(Default)]
struct Wanting(BTreeMap<String, TrialId>);

impl Core for Wanting {
    type Job = TrialId;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        if let Some(n) = number(input) {
            self.0.insert(format!("job-{n}"), TrialId::new(n.to_string()));
        }
        if let Some(trial) = reported(input) {
            self.0.remove(&format!("job-{trial}"));
        }
        Vec::new()
    }

    fn jobs(&self) -> Vec<(String, TrialId)> {
        self.0.clone().into_iter().collect()
    }
}

/// Fails now and then, panics once, and counts what it did.
#[derive(Default)]
struct Clumsy {
    n_tries: AtomicU32,
    n_done: AtomicU32,
}

impl Performer<TrialId> for Clumsy {
    async fn perform(&self, name: &str, trial: TrialId) -> Result<Draft, Cause> {
        match self.n_tries.fetch_add(1, Ordering::SeqCst) {
            1 => panic!("clumsy"),
            n if n % 5 == 2 => Err(format!("{name} failed").into()),
            _ => {
                self.n_done.fetch_add(1, Ordering::SeqCst);
                Ok(report(&trial, "done"))
            }
        }
    }
}

/// More than are folded at once, so that a role that catches up looks up from its inputs in between.
const N_JOBS: u64 = 600;

#[tokio::test(flavor = "multi_thread")]
async fn every_job_is_reported_once_and_not_begun_again_after_a_restart() {
    let rig = Rig::new().await;
    rig.commands(1..=N_JOBS).await;
    let context = rig.context("a");
    let clumsy = Arc::new(Clumsy::default());
    let setup = RoleSetup { concurrency: 64, ..Role::evaluator().into() };
    let role = tokio::spawn(run(setup, Wanting::default, Arc::clone(&clumsy), context.clone()));
    let metrics = context.metrics.role("evaluator");
    until("all are reported", || std::future::ready(metrics.jobs_finished.get() >= N_JOBS)).await;
    until("they are folded too", || std::future::ready(metrics.events_folded.get() >= 2 * N_JOBS)).await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(rig.log(Log::Report).await.len() as u64, N_JOBS);
    assert_eq!(u64::from(clumsy.n_done.load(Ordering::SeqCst)), N_JOBS, "none was done twice");
    assert!(clumsy.n_tries.load(Ordering::SeqCst) > 600, "some were tried again");

    let (context, unused) = (rig.context("b"), Arc::new(Clumsy::default()));
    let role = tokio::spawn(run(Role::evaluator(), Wanting::default, Arc::clone(&unused), context.clone()));
    until("it is live", || std::future::ready(context.health.get("evaluator") == Some(PartState::Live)))
        .await;
    context.stop.cancel();
    role.await.unwrap().unwrap();
    assert_eq!(unused.n_tries.load(Ordering::SeqCst), 0);
}

/// Plans a trial for each command, wants it queued until its report is there, and takes the first report of each.
#[derive(Default)]
struct Planner(BTreeMap<TrialId, TrialJob>);

impl Core for Planner {
    type Job = TrialJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        let to = Subject::log(loop_id(), Log::Trial);
        if let Some(n) = number(input) {
            let job = trial(n);
            self.0.insert(job.trial.clone(), job.clone());
            return vec![Draft::new(to, Event::Trial(Box::new(Trial::Planned { job })))];
        }
        let ended = reported(input).and_then(|trial| self.0.remove(&trial));
        let failed =
            |job: TrialJob| Trial::Failed { trial: job.trial, turn: job.turn, reason: "as told".into() };
        ended.map(|job| Draft::new(to, Event::Trial(Box::new(failed(job))))).into_iter().collect()
    }

    fn jobs(&self) -> Vec<(String, TrialJob)> {
        self.0.iter().map(|(trial, job)| (trial.to_string(), job.clone())).collect()
    }
}

/// Puts trials on the queue.
struct Enqueue;

impl Performer<TrialJob> for Enqueue {
    async fn perform(&self, _: &str, job: TrialJob) -> Result<Draft, Cause> {
        Ok(Draft::new(Subject::new(loop_id(), Topic::Work), Event::Work(Box::new(job))))
    }
}

/// Counts the trials that it is given.
#[derive(Default)]
struct Counting(AtomicU32);

impl Performer<TrialJob> for Counting {
    async fn perform(&self, _: &str, job: TrialJob) -> Result<Draft, Cause> {
        self.0.fetch_add(1, Ordering::SeqCst);
        if job.trial.as_str() == "trial-3" {
            return Err("never".into());
        }
        Ok(report(&job.trial, "done"))
    }
}

async fn ended(rig: &Rig) -> usize {
    let events = rig.log(Log::Trial).await;
    events
        .iter()
        .filter(|e| matches!(&e.event, Event::Trial(t) if matches!(**t, Trial::Failed { .. })))
        .count()
}

fn start_planner(
    context: &tidemill_service::Context,
) -> tokio::task::JoinHandle<Result<(), tidemill_service::RoleError>> {
    tokio::spawn(run(Role::trainer(), Planner::default, Arc::new(Enqueue), context.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_end_every_trial_and_a_restart_sends_only_what_is_left() {
    let rig = Rig::new().await;
    rig.commands(1..=5).await;
    // Planned and queued, but nobody works yet; then the planner is restarted and queues what is unfinished again.
    for owner in ["a", "b"] {
        let context = rig.context(owner);
        let planner = start_planner(&context);
        until("it is live", || {
            std::future::ready(context.health.get("automl-trainer") == Some(PartState::Live))
        })
        .await;
        until("all are planned", || async { rig.log(Log::Trial).await.len() == 5 }).await;
        context.stop.cancel();
        planner.await.unwrap().unwrap();
    }
    let context = rig.context("c");
    let planner = start_planner(&context);
    let counting = Arc::new(Counting::default());
    let workers = tokio::spawn(run_workers(2, Arc::clone(&counting), context.clone()));
    until("all have ended", || async { ended(&rig).await == 5 }).await;
    // Four at once, and the third three times before it was given up.
    assert_eq!(counting.0.load(Ordering::SeqCst), 4 + 3);
    context.stop.cancel();
    planner.await.unwrap().unwrap();
    workers.await.unwrap().unwrap();

    let context = rig.context("d");
    let published = context.metrics.role("automl-trainer").events_published;
    let planner = start_planner(&context);
    until("it is live", || std::future::ready(context.health.get("automl-trainer") == Some(PartState::Live)))
        .await;
    context.stop.cancel();
    planner.await.unwrap().unwrap();
    assert_eq!(published.get(), 0, "nothing is left to send");
    assert_eq!(ended(&rig).await, 5);
}

fn trial(n: u64) -> TrialJob {
    TrialJob {
        loop_id: loop_id(),
        turn: TurnId::new("turn"),
        trial: TrialId::new(format!("trial-{n}")),
        purpose: Purpose::Search,
        choice: Choice { algorithm: Algorithm::Linear, parameters: BTreeMap::new(), strategy: Strategy::All },
        members: Vec::new(),
        temperature: None,
        seed: n,
        schema: schema(),
        metric: Metric::LogLoss,
        dataset: DatasetId::new("d-1"),
        located: Located::default(),
        train: RowRange::default(),
        validate: RowRange::default(),
        modelled: Span::seconds(1),
    }
}

//! The work queue: handed out once, again when a worker is gone, kept by progress.

use std::time::Duration;

use tidemill_bus::{Pulled, Work, WorkQueue};
use tidemill_domain::{
    Algorithm, DatasetId, EventId, LoopId, Metric, Schema, Span, Strategy, Target, TargetKind, TrialId,
    TurnId,
};
use tidemill_events::dataset::{Located, RowRange};
use tidemill_events::emit::Outgoing;
use tidemill_events::training::{Choice, Purpose, TrialJob};
use tidemill_events::{Event, Meta, Subject, Topic};

use crate::harness::{Rig, command, quick};

const WAIT: Duration = Duration::from_secs(5);

fn trial(n: u64) -> Outgoing {
    let loop_id = LoopId::new("test").unwrap();
    let job = TrialJob {
        loop_id: loop_id.clone(),
        turn: TurnId::new("turn"),
        trial: TrialId::new(format!("trial-{n}")),
        purpose: Purpose::Search,
        choice: choice(),
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
    };
    Outgoing {
        subject: Subject::new(loop_id, Topic::Work),
        meta: Meta {
            id: EventId::new(format!("work-{n}")),
            source: "automl-trainer".into(),
            causation: None,
            correlation: None,
            upto: None,
        },
        event: Event::Work(Box::new(job)),
        content: None,
    }
}

async fn pull(queue: &WorkQueue) -> Work {
    match queue.next(WAIT).await.unwrap() {
        Some(Pulled::Work(work)) => *work,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn work_that_is_done_is_gone() {
    let rig = Rig::with(quick()).await;
    let queue = WorkQueue::open(&rig.bus).await.unwrap();
    rig.bus.unfenced(&trial(1), None).await.unwrap();
    let work = pull(&queue).await;
    assert_eq!((work.job.trial.as_str(), work.delivery), ("trial-1", 1));
    work.done().await.unwrap();
    assert!(queue.next(Duration::from_millis(1_500)).await.unwrap().is_none());
}

#[tokio::test]
async fn work_of_a_worker_that_is_gone_is_handed_out_again() {
    let rig = Rig::with(quick()).await;
    let queue = WorkQueue::open(&rig.bus).await.unwrap();
    rig.bus.unfenced(&trial(1), None).await.unwrap();
    for delivery in 1..=4 {
        let work = pull(&queue).await;
        assert_eq!(work.delivery, delivery);
        assert_eq!(work.is_exhausted(), delivery == 4);
        // As if its process had died: neither done nor given back.
    }
}

#[tokio::test]
async fn progress_keeps_work_from_others() {
    let rig = Rig::with(quick()).await;
    let queue = WorkQueue::open(&rig.bus).await.unwrap();
    rig.bus.unfenced(&trial(1), None).await.unwrap();
    let work = pull(&queue).await;
    // Twice as long as a silent worker is waited for.
    assert!(queue.next(Duration::from_millis(1_300)).await.unwrap().is_none());
    work.give_back().await.unwrap();
    assert_eq!(pull(&queue).await.delivery, 2);
}

#[tokio::test]
async fn what_is_no_trial_is_taken_off_the_queue() {
    let rig = Rig::with(quick()).await;
    let queue = WorkQueue::open(&rig.bus).await.unwrap();
    rig.bus.publish_raw("tidemill.test.work", None, &[], "nonsense".into()).await.unwrap();
    let mut misplaced = command(1);
    misplaced.subject.topic = Topic::Work;
    assert!(rig.bus.unfenced(&misplaced, None).await.is_err(), "encoding refuses it");
    assert!(matches!(queue.next(WAIT).await.unwrap(), Some(Pulled::Poison(_))));
    assert!(queue.next(Duration::from_millis(800)).await.unwrap().is_none());
}

fn choice() -> Choice {
    Choice { algorithm: Algorithm::Linear, parameters: Default::default(), strategy: Strategy::All }
}

fn schema() -> Schema {
    Schema {
        entity: None,
        features: Vec::new(),
        target: Target { name: "y".into(), kind: TargetKind::Numeric },
        slices: Vec::new(),
    }
}

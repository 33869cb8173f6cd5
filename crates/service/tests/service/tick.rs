//! Deadlines become ticks on the log.

use std::sync::Arc;

use tidemill_domain::Timestamp;
use tidemill_events::core::NoJob;
use tidemill_events::stream::Role;
use tidemill_events::{Core, Draft, Log, Recorded};
use tidemill_service::{NoJobs, run};

use crate::harness::{Rig, later, number, saying, until};

/// Wakes three times after the first command, each time a while after the last.
#[derive(Default)]
struct Sleeper {
    due: Option<Timestamp>,
    woken: u32,
}

impl Core for Sleeper {
    type Job = NoJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        if number(input).is_some() {
            self.due = Some(later(input.time, 50));
        }
        let Some(due) = self.due.filter(|due| *due <= input.time) else { return Vec::new() };
        self.woken += 1;
        self.due = (self.woken < 3).then(|| later(due, 50));
        vec![saying(format!("woken {}", self.woken))]
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.due
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_wake_a_core_by_logged_ticks() {
    let rig = Rig::new().await;
    rig.commands([1]).await;
    for _ in 0..2 {
        let context = rig.context("a");
        let role = tokio::spawn(run(Role::trainer(), Sleeper::default, Arc::new(NoJobs), context.clone()));
        until("it was woken", || async { rig.triggers().await.len() >= 3 }).await;
        let live = Some(tidemill_service::PartState::Live);
        until("it is live", || std::future::ready(context.health.get("automl-trainer") == live)).await;
        context.stop.cancel();
        role.await.unwrap().unwrap();
        // The second time the ticks lie on the log, and nobody asks for more.
        assert_eq!(rig.triggers().await, ["woken 1", "woken 2", "woken 3"]);
    }
    assert!(rig.log(Log::Tick).await.len() >= 3);
}

//! Puts planned trials on the queue of the workers.

use tidemill_bus::error::Cause;
use tidemill_events::training::TrialJob;
use tidemill_events::{Draft, Event, Subject, Topic};
use tidemill_service::Performer;

/// Does the jobs of the trainer: each is a message on the queue. One that is sent twice wastes only compute.
#[derive(Clone, Copy, Debug)]
pub struct Enqueue;

impl Performer<TrialJob> for Enqueue {
    async fn perform(&self, _: &str, job: TrialJob) -> Result<Draft, Cause> {
        let turn = job.turn.clone();
        let to = Subject::new(job.loop_id.clone(), Topic::Work);
        Ok(Draft::new(to, Event::Work(Box::new(job))).in_turn(turn))
    }
}

//! Control events as JSON: which type name stands for which event. It must not know of headers or subjects.
//!
//! What is written is read back before it leaves: an event that would come back as another one is refused here, where
//! somebody can still act, and not by every reader of the log.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::WireError;
use crate::event::Event;

/// The payload of a control event.
pub(super) fn encode(event: &Event) -> Result<Vec<u8>, WireError> {
    let name = event.type_name();
    let payload = match event {
        Event::Alert(x) => to_json(x, name),
        Event::Candidate(x) => to_json(x, name),
        Event::Claimed(x) => to_json(x, name),
        Event::Command(x) => to_json(x, name),
        Event::Dataset(x) => to_json(x, name),
        Event::Dead(x) => to_json(x, name),
        Event::PartWindow(x) => to_json(x, name),
        Event::Quarantined(x) => to_json(x, name),
        Event::Report(x) => to_json(x, name),
        Event::Rollout(x) => to_json(x, name),
        Event::Segment(x) => to_json(x, name),
        Event::Spec(x) => to_json(x, name),
        Event::Tick(x) => to_json(x, name),
        Event::Trial(x) => to_json(x, name),
        Event::Trigger(x) => to_json(x, name),
        Event::Verdict(x) => to_json(x, name),
        Event::Window(x) => to_json(x, name),
        Event::Work(x) => to_json(x, name),
        Event::Clean(_) | Event::Intake(_) | Event::Sample(_) | Event::Unknown { .. } => {
            Err(WireError::NotWritable(name.to_owned()))
        }
    }?;
    match decode(name, &payload) {
        Ok(back) if back == *event => Ok(payload),
        _ => Err(WireError::NotExact(name.to_owned())),
    }
}

/// The event of a payload; of a type that is not known only the name is kept.
pub(super) fn decode(name: &str, payload: &[u8]) -> Result<Event, WireError> {
    Ok(match name {
        "dev.tidemill.alert.changed.v1" => Event::Alert(from_json(payload, name)?),
        "dev.tidemill.candidate.chosen.v1" => Event::Candidate(from_json(payload, name)?),
        "dev.tidemill.command.given.v1" => Event::Command(from_json(payload, name)?),
        "dev.tidemill.dataset.created.v1" => Event::Dataset(from_json(payload, name)?),
        "dev.tidemill.message.refused.v1" => Event::Dead(from_json(payload, name)?),
        "dev.tidemill.job.reported.v1" => Event::Report(from_json(payload, name)?),
        "dev.tidemill.owner.claimed.v1" => Event::Claimed(from_json(payload, name)?),
        "dev.tidemill.rollout.moved.v1" => Event::Rollout(from_json(payload, name)?),
        "dev.tidemill.row.quarantined.v1" => Event::Quarantined(from_json(payload, name)?),
        "dev.tidemill.segment.sealed.v1" => Event::Segment(from_json(payload, name)?),
        "dev.tidemill.spec.applied.v1" => Event::Spec(from_json(payload, name)?),
        "dev.tidemill.time.passed.v1" => Event::Tick(from_json(payload, name)?),
        "dev.tidemill.trial.changed.v1" => Event::Trial(from_json(payload, name)?),
        "dev.tidemill.trial.requested.v1" => Event::Work(from_json(payload, name)?),
        "dev.tidemill.trigger.decided.v1" => Event::Trigger(from_json(payload, name)?),
        "dev.tidemill.verdict.given.v1" => Event::Verdict(from_json(payload, name)?),
        "dev.tidemill.window.closed.v1" => Event::Window(from_json(payload, name)?),
        "dev.tidemill.window.measured.v1" => Event::PartWindow(from_json(payload, name)?),
        other => Event::Unknown { type_name: other.to_owned() },
    })
}

fn to_json<T: Serialize>(value: &T, name: &str) -> Result<Vec<u8>, WireError> {
    serde_json::to_vec(value).map_err(|source| WireError::Json { type_name: name.to_owned(), source })
}

fn from_json<T: DeserializeOwned>(payload: &[u8], name: &str) -> Result<T, WireError> {
    serde_json::from_slice(payload).map_err(|source| WireError::Json { type_name: name.to_owned(), source })
}

//! What the console knows and allows: a fold of every loop's log into what people ask, and the checks of what they want.
//!
//! Pure: no clock, no HTTP, no broker. It must not decide what a loop does next, only whether a request makes sense now; and it
//! keeps a bounded memory of the log, which says what it let go (INV-8).

mod answers;
mod decide;
mod loops;
mod newest;
mod quarantine;
mod record;
mod refused;
mod status;
#[cfg(test)]
mod tests;
mod trials;
mod turns;
mod view;
mod why;

pub use answers::{Page, SegmentRecord};
pub use decide::{Ask, Asked, Plan};
pub use newest::Newest;
pub use quarantine::{Quarantine, QuarantineAnswer, QuarantineRecord};
pub use record::{
    AlertRecord, At, CandidateRecord, CommandRecord, DatasetRecord, RolloutRecord, SpecRecord, StepCause,
    TrialRecord, TrialState, TriggerRecord, VerdictRecord, Weight, WindowRecord,
};
pub use refused::{Refused, Why};
pub use status::{DatasetStatus, LoopSummary, ModelStatus, Status};
pub use trials::{Sort, TrialFilter};
pub use turns::{Stage, TrialCounts, TurnSummary};
pub use view::View;
pub use why::{LIVE, Node};

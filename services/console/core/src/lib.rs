//! What the console knows and allows: a fold of every loop's log into what people ask, and the checks of what they want.
//!
//! Pure: no clock, no HTTP, no broker, no SQL. It must not decide what a loop does next, only whether a request makes sense
//! now; and it keeps a bounded memory of the log (INV-8). Lists are not answered from it but from the SQL view, which keeps the
//! same records.

mod answers;
mod decide;
mod loops;
mod make;
mod newest;
mod quarantine;
mod record;
mod refused;
mod status;
mod summary;
#[cfg(test)]
mod tests;
mod turns;
mod view;
mod why;

pub use answers::{Page, Place, SegmentRecord, Since};
pub use decide::{Ask, Asked, Plan};
pub use newest::Newest;
pub use quarantine::{QuarantineAnswer, QuarantineRecord, reason_kind};
pub use record::{
    AlertRecord, At, CandidateRecord, CommandRecord, DatasetRecord, RolloutRecord, SpecRecord, StepCause,
    TrialRecord, TrialState, TriggerRecord, VerdictRecord, Weight, WindowRecord,
};
pub use refused::{Refused, Why};
pub use status::{DatasetStatus, LoopSummary, ModelStatus, Status};
pub use summary::{Stage, TrialCounts, TurnSummary};
pub use view::View;
pub use why::{LIVE, Node, Past};

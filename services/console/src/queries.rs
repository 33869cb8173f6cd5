//! What a question may say after the `?`. A word that is not understood is refused, or a filter that was meant would be
//! passed over unseen.

use serde::{Deserialize, Serialize};
use tidemill_console_core::{Stage, TrialState};
use tidemill_domain::Algorithm;
use tidemill_domain::spec::AlertKind;
use tidemill_events::monitor::{AlertState, WindowKind};
use tidemill_events::rollout::RolloutStep;
use tidemill_events::training::{Purpose, TurnOutcome};
use tidemill_events::verdict::GateOutcome;

use crate::sql::DEFAULT_PAGE;

fn default_page() -> u64 {
    DEFAULT_PAGE
}

/// Declares what a list may be asked by, beside its page.
macro_rules! query {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$attribute])* #[serde(default)] pub(crate) $field: $kind,)*
            #[serde(default = "default_page")]
            pub(crate) limit: u64,
            #[serde(default)]
            pub(crate) after: Option<String>,
        }
    };
}

query! {
    /// A page.
    PageQuery {}
}
query! {
    /// Alerts.
    AlertsQuery { kind: Option<AlertKind>, state: Option<AlertState>, version: Option<String>, }
}
query! {
    /// Commands.
    CommandsQuery { kind: Option<CommandWord>, }
}
query! {
    /// The leaderboard of a turn.
    LeaderboardQuery { turn: Option<String>, algorithm: Option<Algorithm>, }
}
query! {
    /// Steps of rollouts.
    RolloutsQuery { step: Option<RolloutStep>, version: Option<String>, }
}
query! {
    /// Trials.
    TrialsQuery {
        turn: Option<String>,
        algorithm: Option<Algorithm>,
        state: Option<TrialState>,
        purpose: Option<Purpose>,
        sort: Sort,
    }
}
query! {
    /// Decisions about triggers.
    TriggersQuery { decision: Option<Decision>, }
}
query! {
    /// Turns.
    TurnsQuery { stage: Option<Stage>, outcome: Option<TurnOutcome>, cause: Option<String>, }
}
query! {
    /// Verdicts.
    VerdictsQuery { outcome: Option<GateOutcome>, version: Option<String>, }
}
query! {
    /// Windows.
    WindowsQuery { kind: Option<WindowKind>, version: Option<String>, }
}

/// The order of trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sort {
    /// The dearest first, by processor time.
    Cost,
    /// The newest first.
    #[default]
    Newest,
    /// The best first; trials without a score come last. Scores compare within a turn: each has its own rows.
    Score,
}

/// A command without what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CommandWord {
    Approve,
    Freeze,
    Pause,
    Pin,
    Reject,
    Resume,
    Retrain,
    Rollback,
    Unpin,
}

/// A decision about a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    Accepted,
    Closed,
    Declined,
}

//! Lists: answered from the view in SQL, page by page.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use tidemill_console_core::{
    AlertRecord, CommandRecord, DatasetRecord, Page, Place, QuarantineAnswer, QuarantineRecord,
    RolloutRecord, SegmentRecord, SpecRecord, TrialRecord, TriggerRecord, TurnSummary, VerdictRecord,
    WindowRecord,
};

use super::{Console, Query, loop_id};
use crate::api::Failure;
use crate::queries::{
    AlertsQuery, CommandsQuery, LeaderboardQuery, PageQuery, RolloutsQuery, TrialsQuery, TriggersQuery,
    TurnsQuery, VerdictsQuery, WindowsQuery,
};

/// A handler for each list about a loop that is known: it waits until the view is as new as memory, and asks.
macro_rules! lists {
    ($($name:ident($query:ty) -> $record:ty;)+) => {$(
        pub(crate) async fn $name(
            State(console): State<Arc<Console>>,
            Path(name): Path<String>,
            Query(query): Query<$query>,
        ) -> Result<Json<Page<$record>>, Failure> {
            let id = loop_id(&name)?;
            console.shared.view(|view| view.has(&id))?;
            let view = console.up_to_date().await?;
            Ok(Json(view.$name(&id, &query).await?))
        }
    )+};
}

lists! {
    alerts(AlertsQuery) -> AlertRecord;
    commands(CommandsQuery) -> CommandRecord;
    datasets(PageQuery) -> DatasetRecord;
    leaderboard(LeaderboardQuery) -> Place;
    rollouts(RolloutsQuery) -> RolloutRecord;
    segments(PageQuery) -> SegmentRecord;
    specs(PageQuery) -> SpecRecord;
    trials(TrialsQuery) -> TrialRecord;
    triggers(TriggersQuery) -> TriggerRecord;
    turns(TurnsQuery) -> TurnSummary;
    verdicts(VerdictsQuery) -> VerdictRecord;
    windows(WindowsQuery) -> WindowRecord;
}

/// Rows may be refused before their loop has a spec, so an unknown loop has an empty list.
pub(crate) async fn quarantine(
    State(console): State<Arc<Console>>,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<QuarantineAnswer>, Failure> {
    let id = loop_id(&name)?;
    Ok(Json(console.with_rows().await?.quarantine(&id, &query).await?))
}

pub(crate) async fn quarantined(
    State(console): State<Arc<Console>>,
    Path((name, row)): Path<(String, String)>,
) -> Result<Json<QuarantineRecord>, Failure> {
    let id = loop_id(&name)?;
    Ok(Json(console.with_rows().await?.quarantined(&id, &row).await?))
}

//! What people ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use tidemill_console_core::{
    AlertRecord, LoopSummary, Node, Page, QuarantineAnswer, QuarantineRecord, Refused, RolloutRecord,
    SegmentRecord, Status, TrialFilter, TrialRecord, TurnSummary, View, WindowRecord,
};
use tidemill_domain::LoopId;
use tidemill_domain::spec::write::to_yaml;

use super::{Console, Query, loop_id};
use crate::api::{ErrorKind, Failure};

type Asked = State<Arc<Console>>;
type Answer<T> = Result<Json<T>, Failure>;

/// How many items a list may have.
#[derive(Deserialize)]
pub(crate) struct Limit {
    #[serde(default = "Limit::default_limit")]
    limit: usize,
}

impl Limit {
    fn default_limit() -> usize {
        100
    }
}

/// The answer of the view about a loop.
fn about<T>(
    console: &Console,
    name: &str,
    ask: impl FnOnce(&View, &LoopId) -> Result<T, Refused>,
) -> Answer<T> {
    let id = loop_id(name)?;
    Ok(Json(console.shared.view(|view| ask(view, &id))?))
}

pub(crate) async fn loops(State(console): Asked) -> Json<Vec<LoopSummary>> {
    Json(console.shared.view(View::loops))
}

pub(crate) async fn status(State(console): Asked, Path(name): Path<String>) -> Answer<Status> {
    about(&console, &name, View::status)
}

pub(crate) async fn turns(
    State(console): Asked,
    Path(name): Path<String>,
    Query(Limit { limit }): Query<Limit>,
) -> Answer<Page<TurnSummary>> {
    about(&console, &name, |view, id| view.turns(id, limit))
}

pub(crate) async fn trials(
    State(console): Asked,
    Path(name): Path<String>,
    Query(filter): Query<TrialFilter>,
) -> Answer<Page<TrialRecord>> {
    about(&console, &name, |view, id| view.trials(id, &filter))
}

pub(crate) async fn windows(
    State(console): Asked,
    Path(name): Path<String>,
    Query(Limit { limit }): Query<Limit>,
) -> Answer<Page<WindowRecord>> {
    about(&console, &name, |view, id| view.windows(id, limit))
}

pub(crate) async fn alerts(
    State(console): Asked,
    Path(name): Path<String>,
    Query(Limit { limit }): Query<Limit>,
) -> Answer<Page<AlertRecord>> {
    about(&console, &name, |view, id| view.alerts(id, limit))
}

pub(crate) async fn rollouts(
    State(console): Asked,
    Path(name): Path<String>,
    Query(Limit { limit }): Query<Limit>,
) -> Answer<Page<RolloutRecord>> {
    about(&console, &name, |view, id| view.rollouts(id, limit))
}

pub(crate) async fn segments(
    State(console): Asked,
    Path(name): Path<String>,
    Query(Limit { limit }): Query<Limit>,
) -> Answer<Page<SegmentRecord>> {
    about(&console, &name, |view, id| view.segments(id, limit))
}

pub(crate) async fn why(
    State(console): Asked,
    Path((name, version)): Path<(String, String)>,
) -> Answer<Node> {
    about(&console, &name, |view, id| view.why(id, &version))
}

/// The loop file of the spec in force.
pub(crate) async fn spec(
    State(console): Asked,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    let id = loop_id(&name)?;
    let spec = console.shared.view(|view| {
        // The refusal names the loops that there are.
        view.status(&id).map(|_| view.spec(&id))
    })?;
    let text = spec.map_or_else(String::new, |applied| to_yaml(&applied.spec));
    Ok(([(header::CONTENT_TYPE, "application/yaml; charset=utf-8")], text))
}

/// Rows may be refused before their loop has a spec, so an unknown loop has an empty list.
pub(crate) async fn quarantine(
    State(console): Asked,
    Path(name): Path<String>,
    Query(Limit { limit }): Query<Limit>,
) -> Answer<QuarantineAnswer> {
    let id = loop_id(&name)?;
    Ok(Json(console.shared.quarantine(|q| q.of(&id, limit))))
}

pub(crate) async fn quarantined(
    State(console): Asked,
    Path((name, row)): Path<(String, String)>,
) -> Answer<QuarantineRecord> {
    let id = loop_id(&name)?;
    let found = console.shared.quarantine(|q| q.find(&id, &row));
    found.map(Json).ok_or_else(|| {
        let remedy = format!("see `tidemill quarantine list {id}`; only the newest rows are kept here");
        Failure::new(ErrorKind::NotFound, format!("no refused row \"{row}\" is known in {id}"), remedy)
    })
}

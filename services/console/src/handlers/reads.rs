//! What people ask about now: answered from memory. For a model that memory let go, the view in SQL is asked.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use tidemill_console_core::{LIVE, LoopSummary, Node, Refused, Status, View};
use tidemill_domain::LoopId;
use tidemill_domain::spec::write::to_yaml;

use super::{Console, loop_id};
use crate::api::Failure;

type Asked = State<Arc<Console>>;
type Answer<T> = Result<Json<T>, Failure>;

/// The API, for programs and for those who write them.
const OPENAPI: &str = include_str!("../../openapi.json");

/// The answer of the fold about a loop.
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

/// The causal chain of a model. Where memory has none, or one with links missing, the view may know more.
pub(crate) async fn why(
    State(console): Asked,
    Path((name, version)): Path<(String, String)>,
) -> Answer<Node> {
    let id = loop_id(&name)?;
    console.shared.view(|view| view.has(&id))?;
    let remembered = console.shared.view(|view| view.why(&id, &version));
    let is_whole = remembered.as_ref().is_ok_and(|tree| tree.walk().all(|node| !node.missing));
    if is_whole || version == LIVE {
        return Ok(Json(remembered?));
    }
    match console.past(&id, &version).await {
        Ok(Some(past)) => Ok(Json(console.shared.view(|view| view.why_past(&id, past))?)),
        Ok(None) => Ok(Json(remembered?)),
        // What memory has is better than nothing; where it has nothing, it is said why.
        Err(failure) => remembered.map(Json).map_err(|_| failure),
    }
}

/// The loop file of the spec in force.
pub(crate) async fn spec(
    State(console): Asked,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, Failure> {
    let id = loop_id(&name)?;
    // The refusal names the loops that there are.
    let spec = console.shared.view(|view| view.has(&id).map(|()| view.spec(&id)))?;
    let text = spec.map_or_else(String::new, |applied| to_yaml(&applied.spec));
    Ok(([(header::CONTENT_TYPE, "application/yaml; charset=utf-8")], text))
}

pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

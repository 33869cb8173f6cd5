//! Requests in, answers out: handlers read the fold, or decide with it and write to the log.

pub(crate) mod reads;
pub(crate) mod writes;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tidemill_domain::LoopId;
use tokio::sync::Mutex;

use crate::api::Failure;
use crate::log::Log;
use crate::shared::Shared;

/// What a query may say.
const PARAMETERS: &str = "limit is a number; sort is newest, score or cost; algorithm is boosting, linear or mlp; turn is a number \
                          or a name; dry_run is true or false";

/// What every handler works with.
pub(crate) struct Console {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Arc<dyn Log>,
    /// Held from decision to fold, so that each write is decided with the one before in sight.
    pub(crate) writing: Mutex<()>,
}

impl Console {
    pub(crate) fn new(shared: Arc<Shared>, log: Arc<dyn Log>) -> Self {
        Self { shared, log, writing: Mutex::new(()) }
    }
}

/// The name of a loop in a path.
pub(crate) fn loop_id(text: &str) -> Result<LoopId, Failure> {
    LoopId::new(text).map_err(|e| {
        let all = e.to_string();
        let (what, remedy) = all.split_once(": ").unwrap_or((&all, "write the name of a loop"));
        Failure::invalid(what, remedy)
    })
}

/// A query string whose mistakes are answered like all others.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query: Result<axum::extract::Query<T>, QueryRejection> =
            axum::extract::Query::from_request_parts(parts, state).await;
        let wrong = |e: QueryRejection| Failure::invalid(e.body_text(), PARAMETERS);
        query.map(|q| Self(q.0)).map_err(wrong)
    }
}

//! Requests in, answers out: handlers read the folds, or decide with them and write to the log.

pub(crate) mod lists;
pub(crate) mod reads;
pub(crate) mod writes;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tidemill_console_core::{Past, View};
use tidemill_domain::LoopId;
use tokio::sync::Mutex;
use tracing::warn;

use crate::api::Failure;
use crate::log::Log;
use crate::shared::Shared;
use crate::sql::SqlView;

/// What a query may say; the document says it path by path.
const PARAMETERS: &str = "see /v1/openapi.json for what this path takes; limit is a number, after the \"next\" of the page before, sort \
                          is newest, score or cost, algorithm is boosting, linear or mlp, turn a number or a name, dry_run is \
                          true or false";

/// How long a question waits for a view that is not there yet.
const BUILDING: Duration = Duration::from_secs(2);
/// How long it waits for a view that is behind memory, before it is answered from what there is.
const BEHIND: Duration = Duration::from_secs(2);

/// What every handler works with.
pub(crate) struct Console {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) sql: Arc<SqlView>,
    /// Held from decision to fold, so that each write is decided with the one before in sight.
    pub(crate) writing: Mutex<()>,
}

impl Console {
    pub(crate) fn new(shared: Arc<Shared>, log: Arc<dyn Log>, sql: Arc<SqlView>) -> Self {
        Self { shared, log, sql, writing: Mutex::new(()) }
    }

    /// The view of the loops' logs, as new as memory is now, so that a list never contradicts a status before it.
    pub(crate) async fn up_to_date(&self) -> Result<&SqlView, Failure> {
        let last = self.shared.view(View::last);
        self.sql.ready(false, BUILDING).await.map_err(not_ready)?;
        if !self.sql.seen(last, BEHIND).await {
            warn!(sequence = last, "the view is behind, the answer is of what it has");
        }
        Ok(&self.sql)
    }

    /// The view of refused rows.
    pub(crate) async fn with_rows(&self) -> Result<&SqlView, Failure> {
        self.sql.ready(true, BUILDING).await.map_err(not_ready)?;
        Ok(&self.sql)
    }

    /// What the view has of the turn of a model.
    pub(crate) async fn past(&self, id: &LoopId, version: &str) -> Result<Option<Past>, Failure> {
        Ok(self.up_to_date().await?.past(id, version).await?)
    }
}

fn not_ready(why: String) -> Failure {
    Failure::unavailable(why, "ask again in a moment; status and writes go on meanwhile")
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

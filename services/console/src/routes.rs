//! Every path of the API, in one table; the document at `/v1/openapi.json` describes the same ones, and a test sees to it.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get, post, put};

use crate::handlers::{Console, lists, reads, writes};

/// A path, a method in lower case, and who answers.
pub(crate) type Route = (&'static str, &'static str, MethodRouter<Arc<Console>>);

/// All of them.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        ("/v1/loops", "get", get(reads::loops)),
        ("/v1/loops", "put", put(writes::apply)),
        ("/v1/loops/{loop}", "get", get(reads::status)),
        ("/v1/loops/{loop}/alerts", "get", get(lists::alerts)),
        ("/v1/loops/{loop}/commands", "get", get(lists::commands)),
        ("/v1/loops/{loop}/commands", "post", post(writes::command)),
        ("/v1/loops/{loop}/datasets", "get", get(lists::datasets)),
        ("/v1/loops/{loop}/leaderboard", "get", get(lists::leaderboard)),
        ("/v1/loops/{loop}/quarantine", "get", get(lists::quarantine)),
        ("/v1/loops/{loop}/quarantine/{row}", "get", get(lists::quarantined)),
        ("/v1/loops/{loop}/rollouts", "get", get(lists::rollouts)),
        ("/v1/loops/{loop}/segments", "get", get(lists::segments)),
        ("/v1/loops/{loop}/spec", "get", get(reads::spec)),
        ("/v1/loops/{loop}/specs", "get", get(lists::specs)),
        ("/v1/loops/{loop}/trials", "get", get(lists::trials)),
        ("/v1/loops/{loop}/triggers", "get", get(lists::triggers)),
        ("/v1/loops/{loop}/turns", "get", get(lists::turns)),
        ("/v1/loops/{loop}/verdicts", "get", get(lists::verdicts)),
        ("/v1/loops/{loop}/why/{version}", "get", get(reads::why)),
        ("/v1/loops/{loop}/windows", "get", get(lists::windows)),
        ("/v1/openapi.json", "get", get(reads::openapi)),
    ]
}

/// The paths as the server serves them.
pub(crate) fn router() -> Router<Arc<Console>> {
    routes().into_iter().fold(Router::new(), |router, (path, _, answer)| router.route(path, answer))
}

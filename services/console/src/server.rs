//! Wires the parts: routes, limits, readers, the writer; and stops them in order.

use std::sync::Arc;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{BoxError, Router};
use futures::future::BoxFuture;
use tidemill_events::Partition;
use tidemill_service::{Context, RoleError, run_all};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::trace::TraceLayer;
use tracing::info;

use crate::api::{ErrorKind, Failure, MAX_BODY};
use crate::feed;
use crate::handlers::{Console, reads, writes};
use crate::log::Log;
use crate::options::Options;
use crate::shared::Shared;
use crate::writer::{self, BusLog};

/// Requests that are answered at once; more are told to come again.
const MAX_REQUESTS: usize = 256;
/// How long a request may take.
const LONGEST: Duration = Duration::from_secs(18);

/// How long a request waits for a console that still reads the log.
const READING: Duration = Duration::from_secs(2);

/// Why a console ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// When its address cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// When it can neither read nor write the log.
    #[error("the console cannot go on")]
    Role(#[source] RoleError),
    /// When answering stops.
    #[error("cannot serve HTTP")]
    Serve(#[source] std::io::Error),
}

/// Runs a console until `context.stop`.
///
/// # Errors
/// When it cannot listen, or trying again cannot help.
pub async fn run(options: Options, context: Context) -> Result<(), ConsoleError> {
    let address = options.address;
    let listener =
        TcpListener::bind(address).await.map_err(|source| ConsoleError::Listen { address, source })?;
    run_on(listener, context).await
}

/// The same with a listener that is there already.
///
/// # Errors
/// When trying again cannot help.
pub async fn run_on(listener: TcpListener, context: Context) -> Result<(), ConsoleError> {
    let shared = Arc::new(Shared::default());
    let log = Arc::new(BusLog::new(context.bus.clone()));
    let mut parts: Vec<BoxFuture<'static, Result<(), RoleError>>> = vec![
        Box::pin(feed::loops(Arc::clone(&shared), context.clone())),
        Box::pin(writer::hold(Arc::clone(&log), Arc::clone(&shared), context.clone())),
    ];
    for partition in (0..context.partitions).map(Partition) {
        parts.push(Box::pin(feed::quarantine(Arc::clone(&shared), partition, context.clone())));
    }
    if let Ok(address) = listener.local_addr() {
        info!(%address, "the console answers");
    }
    let serve = axum::serve(listener, router(shared, log))
        .with_graceful_shutdown(context.stop.clone().cancelled_owned());
    // Roles stop at the same signal; whichever part fails stops the rest.
    let (served, roles) = tokio::join!(
        async {
            let served = serve.await;
            context.stop.cancel();
            served
        },
        run_all(&context, parts)
    );
    roles.map_err(ConsoleError::Role)?;
    served.map_err(ConsoleError::Serve)
}

/// The routes over a view and a log; for embedding and for tests.
pub fn router(shared: Arc<Shared>, log: Arc<dyn Log>) -> Router {
    let console = Arc::new(Console::new(shared, log));
    let limits = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(overloaded))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(MAX_REQUESTS))
        .timeout(LONGEST);
    Router::new()
        .route("/v1/loops", get(reads::loops).put(writes::apply))
        .route("/v1/loops/{loop}", get(reads::status))
        .route("/v1/loops/{loop}/alerts", get(reads::alerts))
        .route("/v1/loops/{loop}/commands", post(writes::command))
        .route("/v1/loops/{loop}/quarantine", get(reads::quarantine))
        .route("/v1/loops/{loop}/quarantine/{row}", get(reads::quarantined))
        .route("/v1/loops/{loop}/rollouts", get(reads::rollouts))
        .route("/v1/loops/{loop}/segments", get(reads::segments))
        .route("/v1/loops/{loop}/spec", get(reads::spec))
        .route("/v1/loops/{loop}/trials", get(reads::trials))
        .route("/v1/loops/{loop}/turns", get(reads::turns))
        .route("/v1/loops/{loop}/why/{version}", get(reads::why))
        .route("/v1/loops/{loop}/windows", get(reads::windows))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&console), only_when_ready))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(limits)
        .layer(TraceLayer::new_for_http())
        .with_state(console)
}

async fn only_when_ready(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    if console.shared.ready(READING).await {
        return next.run(request).await;
    }
    Failure::unavailable("the console is still reading the log", "ask again in a moment").into_response()
}

async fn overloaded(error: BoxError) -> Failure {
    let what = if error.is::<tower::timeout::error::Elapsed>() {
        format!("the answer took longer than {} s", LONGEST.as_secs())
    } else {
        format!("more than {MAX_REQUESTS} requests at once")
    };
    Failure::unavailable(what, "ask again in a moment")
}

async fn unknown_path(request: Request) -> Failure {
    let remedy = "begin with GET /v1/loops";
    Failure::new(ErrorKind::NotFound, format!("there is nothing at {}", request.uri().path()), remedy)
}

async fn unknown_method(request: Request) -> Response {
    let what = format!("{} is not possible at {}", request.method(), request.uri().path());
    let failure = Failure::invalid(what, "use GET to read, PUT for a loop file and POST for a command");
    (axum::http::StatusCode::METHOD_NOT_ALLOWED, axum::Json(failure)).into_response()
}

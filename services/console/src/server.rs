//! Wires the parts: routes, limits, readers, the writer; and stops them in order.

use std::sync::Arc;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use futures::future::BoxFuture;
use tidemill_domain::Code;
use tidemill_events::Partition;
use tidemill_service::{Context, RoleError, run_all};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::trace::TraceLayer;
use tracing::info;

use crate::api::{ErrorKind, Failure, MAX_BODY};
use crate::feed;
use crate::handlers::Console;
use crate::log::Log;
use crate::options::Options;
use crate::routes;
use crate::shared::Shared;
use crate::sql::{self, Source, SqlView};
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
    #[error("{code} cannot listen on {address}", code = Code::AddressTaken)]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// When it can neither read nor write the log.
    #[error("the console cannot go on")]
    Role(#[source] RoleError),
    /// When there can be no view where it should be.
    #[error("cannot keep a view of the log")]
    View(#[source] tidemill_view::Error),
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
    run_on(listener, options, context).await
}

/// The same with a listener that is there already.
///
/// # Errors
/// When trying again cannot help.
pub async fn run_on(listener: TcpListener, options: Options, context: Context) -> Result<(), ConsoleError> {
    let shared = Arc::new(Shared::default());
    let quarantines = (0..context.partitions).map(|p| Source::Quarantine(Partition(p)));
    let sources: Vec<Source> = std::iter::once(Source::Loops).chain(quarantines).collect();
    let view = Arc::new(SqlView::open(&options.view_url, &sources).map_err(ConsoleError::View)?);
    let log = Arc::new(BusLog::new(context.bus.clone()));
    let mut parts: Vec<BoxFuture<'static, Result<(), RoleError>>> = vec![
        Box::pin(feed::loops(Arc::clone(&shared), context.clone())),
        Box::pin(writer::hold(Arc::clone(&log), Arc::clone(&shared), context.clone())),
    ];
    for source in sources {
        parts.push(Box::pin(sql::run(Arc::clone(&view), source, context.clone())));
    }
    if let Ok(address) = listener.local_addr() {
        info!(%address, "the console answers");
    }
    let serve = axum::serve(listener, router(shared, log, Arc::clone(&view)))
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
    view.close().await;
    roles.map_err(ConsoleError::Role)?;
    served.map_err(ConsoleError::Serve)
}

/// The routes over memory, log and view; for embedding and for tests.
pub fn router(shared: Arc<Shared>, log: Arc<dyn Log>, view: Arc<SqlView>) -> Router {
    let console = Arc::new(Console::new(shared, log, view));
    let limits = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(overloaded))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(MAX_REQUESTS))
        .timeout(LONGEST);
    routes::router()
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
    let what = format!("{} the console is still reading the log", Code::ConsoleReading);
    Failure::unavailable(what, "ask again in a moment").into_response()
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
    let remedy = "begin with GET /v1/loops; GET /v1/openapi.json tells all";
    Failure::new(ErrorKind::NotFound, format!("there is nothing at {}", request.uri().path()), remedy)
}

async fn unknown_method(request: Request) -> Response {
    let what = format!("{} is not possible at {}", request.method(), request.uri().path());
    let failure = Failure::invalid(what, "use GET to read, PUT for a loop file and POST for a command");
    (axum::http::StatusCode::METHOD_NOT_ALLOWED, axum::Json(failure)).into_response()
}

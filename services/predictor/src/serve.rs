//! The predictor from its parts: follows the log, answers, logs, and stops in order.

use std::sync::Arc;
use std::time::Duration;

use tidemill_bus::{Error, clock};
use tidemill_proto::v1::predictor_server::PredictorServer;
use tidemill_service::{Context, Health, Metrics, PartState};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracing::{info, warn};

use crate::answer::Ids;
use crate::counted::Counted;
use crate::follow::{BusControl, Control, Follower, PART};
use crate::journal::{BusSink, Sink, journal};
use crate::load::Artefacts;
use crate::options::Options;
use crate::rpc::Rpc;
use crate::serving::Snapshot;

/// The largest request: a thousand rows of a kibibyte and more.
const MAX_REQUEST: usize = 4 << 20;
/// How long requests under way may take when the predictor stops.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why the predictor cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum PredictorError {
    /// When the address is taken.
    #[error("cannot listen for gRPC on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// When the loops' log cannot be read.
    #[error("cannot read the log of the loops")]
    Read(#[source] Error),
    /// When gRPC cannot be served.
    #[error("cannot serve gRPC")]
    Serve(#[source] tonic::transport::Error),
}

/// What the predictor works with.
pub struct Predictor<A, C, S> {
    /// Where models come from.
    pub artefacts: A,
    /// The loops' log.
    pub control: C,
    /// Where the prediction log goes.
    pub sink: S,
    /// The name of this replica.
    pub owner: String,
    /// What is told to whoever watches the process.
    pub health: Health,
    /// What is counted.
    pub metrics: Metrics,
    /// Says when to stop.
    pub stop: CancellationToken,
}

/// Answers on the address of the options until `context.stop`.
///
/// # Errors
/// When the address is taken, or the log of the loops may not be read.
pub async fn run(context: Context, options: Options) -> Result<(), PredictorError> {
    let address = options.grpc_listen;
    let listen = |source| PredictorError::Listen { address, source };
    run_on(TcpListener::bind(address).await.map_err(listen)?, context, options).await
}

/// Answers on a listener that is open already.
///
/// # Errors
/// As [`run`].
pub async fn run_on(listener: TcpListener, context: Context, options: Options) -> Result<(), PredictorError> {
    let Context { bus, store, stop, metrics, health, owner, .. } = context;
    let control = BusControl::new(bus.clone(), &metrics);
    let sink = BusSink { bus, owner: owner.clone() };
    Predictor { artefacts: store, control, sink, owner, health, metrics, stop }.serve(listener, options).await
}

impl<A: Artefacts, C: Control, S: Sink> Predictor<A, C, S> {
    /// Answers until told to stop; then ends what is under way and logs what waits.
    ///
    /// # Errors
    /// When the connection to clients fails, or the log of the loops may not be read.
    pub async fn serve(self, listener: TcpListener, options: Options) -> Result<(), PredictorError> {
        let Self { artefacts, control, sink, owner, health, metrics, stop } = self;
        let counted = Counted::new(&metrics);
        let (in_force, shown) = watch::channel(Arc::<Snapshot>::default());
        let max_bytes = options.log_queue_mib as usize * (1 << 20);
        let (journal, writers) = journal(options.log_queue as usize, max_bytes, counted.clone());
        let answered = CancellationToken::new();
        // Also when this is dropped, what waits is logged.
        let guard = answered.clone().drop_guard();
        let writing = tokio::spawn(writers.run(Arc::new(sink), answered, options.drain()));
        if let Ok(address) = listener.local_addr() {
            info!(%address, "gRPC is served");
        }
        let rpc = Rpc {
            in_force: shown,
            journal,
            ids: Ids::new(owner, clock::now()),
            room: Semaphore::new(options.max_requests as usize),
            counted: counted.clone(),
        };
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .add_service(PredictorServer::new(rpc).max_decoding_message_size(MAX_REQUEST))
            .serve_with_incoming_shutdown(
                TcpIncoming::from(listener).with_nodelay(Some(true)),
                stop.clone().cancelled_owned(),
            );
        let follower = Follower::new(Arc::new(artefacts), in_force, counted, health.clone());
        let ended = tokio::select! {
            served = server => served.map_err(PredictorError::Serve),
            followed = follower.run(control) => followed.map_err(PredictorError::Read),
            () = overdue(&stop) => {
                warn!("requests are still under way, they are broken off");
                Ok(())
            }
        };
        drop(guard);
        if writing.await.is_err() {
            warn!("the writers of the prediction log failed");
        }
        health.set(PART, PartState::Stopped);
        ended
    }
}

/// Comes back when the last requests should have ended a while ago.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(LAST_REQUESTS).await;
}

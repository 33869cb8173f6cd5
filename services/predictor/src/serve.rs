//! The predictor from its parts: follows the log, answers, keeps, logs, and stops in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidemill_bus::clock;
use tidemill_domain::Code;
use tidemill_proto::v1::predictor_server::PredictorServer;
use tidemill_service::{Context, Health, Metrics, PartState};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracing::{info, warn};

use crate::answer::Ids;
use crate::away;
use crate::control::{BusControl, Control};
use crate::counted::Counted;
use crate::data::{Data, DataError};
use crate::deliver::{BusSink, Sink, deliver, sync};
use crate::follow::{Follower, PART};
use crate::journal::{Writer, journal};
use crate::keep::{Kept, keep, read_all};
use crate::load::Artefacts;
use crate::options::Options;
use crate::rpc::Rpc;
use crate::serving::Snapshot;
use crate::shelf::{OnDisk, Shelf};
use crate::spool::Spool;

/// The largest request: a thousand rows of a kibibyte and more.
const MAX_REQUEST: usize = 4 << 20;
/// How long requests under way may take when the predictor stops.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why the predictor cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum PredictorError {
    /// When the data folder cannot be used.
    #[error("cannot use the data folder")]
    Data(#[source] DataError),
    /// When the address is taken.
    #[error("{code} cannot listen for gRPC on {address}", code = Code::AddressTaken)]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
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
/// When the address is taken, or the data folder cannot be used.
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
    let sink = BusSink { bus: bus.clone(), owner: owner.clone() };
    let watching = away::watch(bus, health.clone());
    let predictor = Predictor { artefacts: store, control, sink, owner, health, metrics, stop };
    tokio::select! {
        served = predictor.serve(listener, options) => served,
        never = watching => match never {},
    }
}

impl<A: Artefacts, C: Control, S: Sink> Predictor<A, C, S> {
    /// Answers until told to stop; then ends what is under way and logs what waits.
    ///
    /// # Errors
    /// When the connection to clients fails, or the data folder cannot be used.
    pub async fn serve(self, listener: TcpListener, options: Options) -> Result<(), PredictorError> {
        let Self { artefacts, control, sink, owner, health, metrics, stop } = self;
        let counted = Counted::new(&metrics);
        let max_bytes = u64::from(options.log_spool_mib) << 20;
        let opened = open(options.data.clone(), max_bytes, counted.clone()).await;
        let Opened { data, spool, kept } = opened.map_err(PredictorError::Data)?;
        let (in_force, shown) = watch::channel(Arc::<Snapshot>::default());
        let queue_bytes = (options.log_queue_mib as usize) << 20;
        let (journal, writer) = journal(options.log_queue as usize, queue_bytes, counted.clone());
        let answered = CancellationToken::new();
        // Also when this is dropped, what waits is logged.
        let guard = answered.clone().drop_guard();
        let log = Log { spool, counted: counted.clone(), _data: Arc::clone(&data) };
        let logging = tokio::spawn(log.run(writer, Arc::new(sink), answered, options.drain()));
        if let Ok(address) = listener.local_addr() {
            info!(%address, "gRPC is served");
        }
        let rpc = Rpc {
            in_force: shown.clone(),
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
        let shelf = Arc::new(Shelf { kept: OnDisk { data, counted: counted.clone() }, store: artefacts });
        let keeping = keep(Arc::clone(&shelf), shown, counted.clone());
        let follower = Follower::new(shelf, in_force, counted, health.clone());
        let ended = tokio::select! {
            served = server => served.map_err(PredictorError::Serve),
            never = follower.run(kept, control) => match never {},
            never = keeping => match never {},
            () = overdue(&stop) => {
                warn!("requests are still under way, they are broken off");
                Ok(())
            }
        };
        drop(guard);
        if logging.await.is_err() {
            warn!("the writers of the prediction log failed");
        }
        health.set(PART, PartState::Stopped);
        ended
    }
}

/// What is in the data folder.
struct Opened {
    data: Arc<Data>,
    spool: Arc<Spool>,
    kept: Vec<Kept>,
}

async fn open(folder: PathBuf, max_bytes: u64, counted: Counted) -> Result<Opened, DataError> {
    let path = folder.clone();
    let opening = spawn_blocking(move || {
        let data = Data::open(&folder)?;
        let spool = Spool::open(data.spool(), max_bytes, counted.clone());
        let spool = spool.map_err(|source| DataError::Io { path: data.spool(), source })?;
        let kept = read_all(&data, &counted);
        Ok(Opened { data: Arc::new(data), spool: Arc::new(spool), kept })
    });
    // It fails only when the runtime ends.
    opening.await.unwrap_or_else(|e| Err(DataError::Io { path, source: std::io::Error::other(e) }))
}

/// The way of the prediction log: down to disk, and from there to the bus.
struct Log {
    spool: Arc<Spool>,
    counted: Counted,
    /// The folder is ours for as long as anything is written there.
    _data: Arc<Data>,
}

impl Log {
    async fn run<S: Sink>(self, writer: Writer, sink: Arc<S>, stop: CancellationToken, drain: Duration) {
        let Self { spool, counted, .. } = &self;
        let finish = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(sync(Arc::clone(spool)));
        let mut delivering = tokio::spawn(deliver(Arc::clone(spool), sink, counted.clone(), finish.clone()));
        writer.run(Arc::clone(spool), stop).await;
        finish.cancel();
        if timeout(drain, &mut delivering).await.is_err() {
            delivering.abort();
            // A message under way is delivered again by the next start.
            let _ = delivering.await;
        }
        tasks.shutdown().await;
        let left = spool.waiting();
        if left > 0 {
            info!(rows = left, "predictions wait on disk, the next start delivers them");
            let spool = Arc::clone(spool);
            // Twice: what came since the last time counts as old only then.
            let _ = spawn_blocking(move || {
                spool.sync();
                spool.sync();
            })
            .await;
        }
    }
}

/// Comes back when the last requests should have ended a while ago.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(LAST_REQUESTS).await;
}

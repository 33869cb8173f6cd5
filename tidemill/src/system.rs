//! The whole system in one process: a nats-server that is started or given, every service, the predictor, the console.
//!
//! In production each service is a process of its own; here the same code runs side by side.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use tidemill_automl_trainer::Options as TrainerOptions;
use tidemill_bus::{Bus, BusConfig, NatsServer, Provision, ServerError, provision};
use tidemill_console::Options as ConsoleOptions;
use tidemill_events::stream::roles;
use tidemill_predictor::Options as PredictorOptions;
use tidemill_service::{Context, PartState};
use tidemill_store::Store;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How a system is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is kept.
    pub data: PathBuf,
    /// A NATS server that is there already; none starts one.
    pub nats_url: Option<String>,
    /// The port of a NATS server that is started; none takes a free one.
    pub nats_port: Option<u16>,
    /// Where the console answers; port 0 takes a free one.
    pub console: SocketAddr,
    /// Where the view of the log in SQL is; none keeps it in a file in `data`.
    pub view_url: Option<String>,
    /// Where the predictor answers; port 0 takes a free one.
    pub grpc: SocketAddr,
    /// Trials at the same time.
    pub workers: u16,
    /// Partitions of the data.
    pub partitions: u16,
}

impl Options {
    /// Everything on free ports of this machine, kept in `data`.
    #[must_use]
    pub fn on_free_ports(data: impl Into<PathBuf>) -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            data: data.into(),
            nats_url: None,
            nats_port: None,
            console: free,
            view_url: None,
            grpc: free,
            workers: 2,
            partitions: 1,
        }
    }
}

/// Why the system does not run.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// When the broker cannot be reached or set up.
    #[error("the bus cannot be used")]
    Bus(#[source] tidemill_bus::Error),
    /// When an address is taken.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// When no broker can be started.
    #[error("nats-server does not run")]
    Server(#[source] ServerError),
    /// When a service cannot go on.
    #[error("{service} cannot go on: {reason}")]
    Service {
        /// The service.
        service: &'static str,
        /// Why, with everything that led to it.
        reason: String,
    },
    /// When the store cannot be opened.
    #[error("the store in {} cannot be opened", path.display())]
    Store {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        source: tidemill_store::Error,
    },
}

impl SystemError {
    /// Whether nats-server is not installed.
    #[must_use]
    pub fn is_missing_server(&self) -> bool {
        matches!(self, Self::Server(ServerError::Missing))
    }
}

/// A running system.
#[derive(Debug)]
pub struct System {
    server: Option<NatsServer>,
    context: Context,
    console: SocketAddr,
    grpc: SocketAddr,
    services: Vec<(&'static str, JoinHandle<Result<(), SystemError>>)>,
}

impl System {
    /// Starts everything.
    ///
    /// # Errors
    /// When something does not start; what was started is stopped.
    pub async fn start(options: Options) -> Result<Self, SystemError> {
        let server = match &options.nats_url {
            Some(_) => None,
            None => {
                let started = NatsServer::start_with(options.data.join("nats"), options.nats_port, &[]).await;
                Some(started.map_err(SystemError::Server)?)
            }
        };
        let url = options.nats_url.clone();
        let url = url.unwrap_or_else(|| server.as_ref().map_or_else(String::new, |s| s.url().to_owned()));
        let config = BusConfig { url, credentials: None, name: "tidemill".to_owned() };
        let bus = Bus::connect(config).await.map_err(SystemError::Bus)?;
        provision(&bus, &Provision::default()).await.map_err(SystemError::Bus)?;
        let path = options.data.join("store");
        let store = Store::open(&path.display().to_string());
        let store = store.map_err(|source| SystemError::Store { path, source })?;
        let owner = format!("local-{}", std::process::id());
        let context = Context::new(bus, store, options.partitions, owner);
        let context = Context { local: Some(options.data.clone()), ..context };
        let (console_listener, console) = listen(options.console).await?;
        let (grpc_listener, grpc) = listen(options.grpc).await?;
        let trainer = TrainerOptions { workers: options.workers, ..TrainerOptions::default() };
        let predictor = PredictorOptions {
            grpc_listen: grpc,
            data: options.data.join("predictor"),
            ..PredictorOptions::default()
        };
        let view_url = options.view_url.unwrap_or_else(|| options.data.join("view.db").display().to_string());
        let view = ConsoleOptions { view_url, ..ConsoleOptions::default() };
        let mut system = Self { server, context: context.clone(), console, grpc, services: Vec::new() };
        let c = || context.clone();
        system.run("ingest", tidemill_ingest::run_all(c()));
        system.run("validator", tidemill_validator::run(c()));
        system.run("monitor", tidemill_monitor::run(c()));
        system.run("automl-trainer", tidemill_automl_trainer::run(c(), trainer));
        system.run("evaluator", tidemill_evaluator::run(c()));
        system.run("deployer", tidemill_deployer::run(c()));
        system.run("console", tidemill_console::run_on(console_listener, view, c()));
        system.run("predictor", tidemill_predictor::run_on(grpc_listener, c(), predictor));
        Ok(system)
    }

    fn run<E: std::error::Error + Send + 'static>(
        &mut self,
        service: &'static str,
        running: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let running: BoxFuture<'static, Result<(), E>> = Box::pin(running);
        let named = async move {
            let named = |e: E| SystemError::Service { service, reason: tidemill_bus::chain(&e).to_string() };
            running.await.map_err(named)
        };
        self.services.push((service, tokio::spawn(named)));
    }

    /// The context that the services share.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The address of the console, as a URL.
    #[must_use]
    pub fn console_url(&self) -> String {
        format!("http://{}", self.console)
    }

    /// The address of the predictor, as a URL.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// The address of the NATS server.
    #[must_use]
    pub fn nats_url(&self) -> String {
        self.context.bus.url().to_owned()
    }

    /// Waits until every part is live.
    ///
    /// # Errors
    /// When a part fails instead, or is not live after `ceiling`.
    pub async fn ready(&mut self, ceiling: Duration) -> Result<(), SystemError> {
        let until = tokio::time::Instant::now() + ceiling;
        while !(self.all_live() && self.console_answers().await) {
            self.check().await?;
            if tokio::time::Instant::now() > until {
                let reason = format!("not every part is live after {ceiling:?}");
                return Err(SystemError::Service { service: "system", reason });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Whether every role has folded what there is; roles that have not begun yet are not live.
    fn all_live(&self) -> bool {
        let live = |name: &str| self.context.health.get(name) == Some(PartState::Live);
        roles(self.context.partitions).iter().all(|role| live(&role.name)) && self.context.health.is_ready()
    }

    async fn console_answers(&self) -> bool {
        reqwest::get(format!("{}/v1/loops", self.console_url())).await.is_ok_and(|a| a.status().is_success())
    }

    /// Comes back with an error as soon as a service ends by itself.
    ///
    /// # Errors
    /// When one did.
    pub async fn check(&mut self) -> Result<(), SystemError> {
        for (service, handle) in &mut self.services {
            if handle.is_finished() {
                return Err(match handle.await {
                    Ok(Err(error)) => error,
                    Ok(Ok(())) => SystemError::Service { service, reason: "it ended by itself".to_owned() },
                    Err(error) => SystemError::Service { service, reason: error.to_string() },
                });
            }
        }
        Ok(())
    }

    /// Stops everything in order.
    pub async fn stop(self) {
        self.context.stop.cancel();
        for (_, handle) in self.services {
            // What a service says when it is told to stop is in its log.
            let _ = tokio::time::timeout(Duration::from_secs(15), handle).await;
        }
        self.context.bus.close().await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SystemError> {
    let wrap = |source| SystemError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(wrap)?;
    let bound = listener.local_addr().map_err(wrap)?;
    Ok((listener, bound))
}

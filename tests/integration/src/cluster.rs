//! A system of real processes for one test: nats-server and each service as a program of its own, on free ports, each with
//! its own folder, killed and frozen at will.
//!
//! The folder stays behind when a test fails, with the output of every process.

mod broker;
mod group;
mod port;
mod process;
mod service;
mod watch;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tidemill::producer::Producer;
use tidemill_bus::{Bus, BusConfig, Provision, provision};
use tidemill_domain::LoopId;
use tidemill_store::Store;
use tokio::net::TcpStream;

use crate::{HarnessError, wait};
use broker::{answers, broker_program, url};
use group::Group;
use process::Program;

pub use broker::BROKER;
pub use process::Process;
pub use service::Service;
pub use watch::Usage;

/// How long anything may take to start.
const READY: Duration = Duration::from_secs(60);

/// How a cluster is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a lease lasts: how long a role is orphaned when its owner is killed.
    pub lease: Duration,
    /// Replicas of each service of [`Service::CONTROL`].
    pub control_replicas: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { lease: Duration::from_secs(2), control_replicas: 1 }
    }
}

/// One process of a service.
#[derive(Debug)]
pub struct Replica {
    /// The service.
    pub service: Service,
    /// The process.
    pub process: Process,
    /// Where its health is served.
    health: u16,
}

/// The running processes and their folder.
#[derive(Debug)]
pub struct Cluster {
    /// The broker.
    pub broker: Process,
    /// The services, those with several replicas several times.
    pub replicas: Vec<Replica>,
    nats: u16,
    console: u16,
    grpc: u16,
    bus: Bus,
    store: Store,
    http: reqwest::Client,
    // Dropped last: what is still running then is killed.
    group: Group,
    folder: Option<TempDir>,
}

impl Cluster {
    /// Starts everything and waits until every role is live.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(options: Options) -> Result<Self, HarnessError> {
        let folder = TempDir::new().map_err(HarnessError::Folder)?;
        let root = folder.path().to_owned();
        let group = Group::new().map_err(HarnessError::Folder)?;
        let port = || port::free().map_err(HarnessError::Folder);
        let (nats, console, grpc) = (port()?, port()?, port()?);
        let mut broker = Process::start(broker_program(&root, nats, group.id()))?;
        answers(&mut broker, nats).await?;
        let config = BusConfig { url: url(nats), credentials: None, name: "harness".to_owned() };
        let bus = Bus::connect(config).await.map_err(HarnessError::Bus)?;
        let wanted = Provision { lease: options.lease, ..Provision::default() };
        provision(&bus, &wanted).await.map_err(HarnessError::Bus)?;
        let store = Store::open(&root.join("store").display().to_string()).map_err(HarnessError::Store)?;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build();
        let http = http.map_err(HarnessError::Http)?;
        let replicas = Vec::new();
        let mut cluster =
            Self { broker, replicas, nats, console, grpc, bus, store, http, group, folder: Some(folder) };
        for service in Service::ALL {
            let is_control = Service::CONTROL.contains(&service);
            for number in 0..if is_control { options.control_replicas.max(1) } else { 1 } {
                cluster.add(service, number, &root)?;
            }
        }
        cluster.ready().await?;
        Ok(cluster)
    }

    fn add(&mut self, service: Service, number: usize, root: &Path) -> Result<(), HarnessError> {
        let health = port::free().map_err(HarnessError::Folder)?;
        let name = format!("{}-{number}", service.name());
        let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
        let mut arguments = vec![
            ("--nats-url", url(self.nats)),
            ("--store", root.join("store").display().to_string()),
            ("--listen", local(health)),
            ("--replica", name.clone()),
        ];
        match service {
            Service::Console => arguments.push(("--address", local(self.console))),
            Service::Predictor => arguments.push(("--grpc-listen", local(self.grpc))),
            _ => {}
        }
        let arguments = arguments.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        let program = Program {
            path: service.program()?,
            arguments,
            folder: root.join(&name),
            name,
            group: self.group.id(),
        };
        self.replicas.push(Replica { service, process: Process::start(program)?, health });
        Ok(())
    }

    /// Waits until every role is live.
    ///
    /// # Errors
    /// When a process ends instead, or it takes too long.
    pub async fn ready(&mut self) -> Result<(), HarnessError> {
        for service in Service::ALL {
            self.live(service).await?;
        }
        Ok(())
    }

    /// Waits until every role of a service is live, and its address answers if it has one.
    ///
    /// # Errors
    /// When a process ends instead, or it takes too long.
    pub async fn live(&mut self, service: Service) -> Result<(), HarnessError> {
        let end = tokio::time::Instant::now() + READY;
        loop {
            self.check()?;
            let mut missing = Vec::new();
            for part in service.parts() {
                if self.owner(service, &part).await.is_none() {
                    missing.push(part);
                }
            }
            let address = match service {
                Service::Console => Some(self.console),
                Service::Predictor => Some(self.grpc),
                _ => None,
            };
            if let Some(port) = address
                && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err()
            {
                missing.push(format!("port {port}"));
            }
            if missing.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() > end {
                let what = format!("not live after {READY:?}: {}", missing.join(", "));
                return Err(HarnessError::NotReady { what, log: self.logs_of(service) });
            }
            tokio::time::sleep(wait::EVERY).await;
        }
    }

    /// Comes back with an error when a process ended by itself.
    ///
    /// # Errors
    /// When one did.
    pub fn check(&mut self) -> Result<(), HarnessError> {
        let processes = self.replicas.iter_mut().map(|r| &mut r.process).chain([&mut self.broker]);
        for process in processes {
            if let Some(status) = process.ended() {
                return Err(HarnessError::Ended {
                    name: process.name().to_owned(),
                    status,
                    log: process.log_tail(),
                });
            }
        }
        Ok(())
    }

    /// Kills the broker.
    pub fn kill_broker(&mut self) {
        self.broker.kill();
    }

    /// Starts the broker again on what it stored, and waits until it answers.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn restart_broker(&mut self) -> Result<(), HarnessError> {
        self.broker.restart()?;
        answers(&mut self.broker, self.nats).await
    }

    /// The only process of a service that has one replica, or its first.
    ///
    /// # Errors
    /// When there is none.
    pub fn process(&mut self, service: Service) -> Result<&mut Process, HarnessError> {
        let found = self.replicas.iter_mut().find(|r| r.service == service).map(|r| &mut r.process);
        found.ok_or_else(|| HarnessError::Other(format!("no process of {} was started", service.name())))
    }

    /// The bus.
    #[must_use]
    pub fn bus(&self) -> Bus {
        self.bus.clone()
    }

    /// Where artefacts and segments lie.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// The address of the console.
    #[must_use]
    pub fn console_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.console)
    }

    /// The address of the predictor.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc)
    }

    /// A producer of a loop.
    ///
    /// # Errors
    /// When the address of the predictor is none.
    pub fn producer(&self, loop_id: LoopId) -> Result<Producer, HarnessError> {
        let made = Producer::with_bus(self.bus(), &self.grpc_url(), loop_id);
        made.map_err(|e| HarnessError::Other(e.to_string()))
    }

    /// Applies a loop file.
    ///
    /// # Errors
    /// When the console does not take it.
    pub async fn apply(&self, file: &str) -> Result<(), HarnessError> {
        let url = format!("{}/v1/loops", self.console_url());
        let answer = self.http.put(url).body(file.to_owned()).send().await.map_err(HarnessError::Http)?;
        if answer.status().is_success() {
            return Ok(());
        }
        let text = answer.text().await.unwrap_or_default();
        Err(HarnessError::Other(format!("the loop file is refused: {text}")))
    }

    /// The folder of everything.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.as_ref().map(|f| f.path().to_owned()).unwrap_or_default()
    }

    /// Keeps the folder when this is dropped, and tells where it is: for whoever looks into a failure.
    pub fn keep(&mut self) -> PathBuf {
        self.folder.take().map(TempDir::keep).unwrap_or_default()
    }

    fn logs_of(&self, service: Service) -> String {
        let of_service = self.replicas.iter().filter(|r| r.service == service);
        of_service.map(|r| r.process.log_tail()).collect::<Vec<_>>().join("\n---\n")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() && self.folder.is_some() {
            use std::io::Write;
            let folder = self.keep();
            // Nobody is left to tell if even this cannot be written.
            let _ = writeln!(std::io::stderr(), "the processes wrote into {}", folder.display());
        }
    }
}

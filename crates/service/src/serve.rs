//! The main of every service: parse, connect, serve, stop in order.

use std::fmt::Display;
use std::future::Future;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tidemill_bus::{Bus, chain};
use tidemill_domain::Code;
use tidemill_store::Store;
use tokio::net::TcpListener;
use tracing::{error, info};

use crate::config::Common;
use crate::context::Context;
use crate::shutdown::{Shutdown, asked_to_stop};
use crate::{health, telemetry};

/// The exit code for options that cannot be.
pub const BAD_CONFIGURATION: u8 = 64;
/// The exit code when a service fails.
pub const FAILED: u8 = 1;

/// What threads may still take once everything has stopped.
const LAST_THREADS: Duration = Duration::from_secs(1);

/// Why a service could not start or go on.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("cannot connect to the bus")]
    Bus(#[source] tidemill_bus::Error),
    #[error("{code} cannot listen on {address}", code = Code::AddressTaken)]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    #[error("the service failed: {0}")]
    Service(String),
    #[error("{code} the service did not stop in order", code = Code::NotInOrder)]
    Shutdown(#[source] crate::shutdown::StillRunning),
}

/// Whether a service needs the broker from the start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broker {
    Needed,
    /// It is connected to when it comes, and readiness does not depend on it.
    Awaited,
}

/// Runs a service: parses its options, connects, serves health, and runs `service` until a signal comes or it ends.
pub fn main<A, F, Fut, E>(name: &'static str, common: fn(&A) -> &Common, service: F) -> ExitCode
where
    A: Parser,
    F: FnOnce(Context, A) -> Fut,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: std::error::Error + Send + 'static,
{
    start(name, common, Broker::Needed, service)
}

/// The same for a service that starts and is ready also while the broker is down (INV-7).
pub fn main_without_bus<A, F, Fut, E>(name: &'static str, common: fn(&A) -> &Common, service: F) -> ExitCode
where
    A: Parser,
    F: FnOnce(Context, A) -> Fut,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: std::error::Error + Send + 'static,
{
    start(name, common, Broker::Awaited, service)
}

fn start<A, F, Fut, E>(name: &'static str, common: fn(&A) -> &Common, broker: Broker, service: F) -> ExitCode
where
    A: Parser,
    F: FnOnce(Context, A) -> Fut,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: std::error::Error + Send + 'static,
{
    let arguments = match A::try_parse() {
        Ok(arguments) => arguments,
        Err(e) => {
            // Nobody is left to tell if even this cannot be written.
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { BAD_CONFIGURATION } else { 0 });
        }
    };
    let options = common(&arguments).clone();
    if let Err(e) = telemetry::start(&options.log, options.log_format) {
        return bad(&format!("--log {}: {e}", options.log));
    }
    let store = match Store::open(&options.store) {
        Ok(store) => store,
        Err(e) => return bad(&format!("--store {}: {}", options.store, chain(&e))),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name(name).build() {
        Ok(runtime) => runtime,
        Err(e) => return failed(&format!("cannot start threads: {e}")),
    };
    let ended = runtime.block_on(serve(name, &options, broker, store, |context| service(context, arguments)));
    runtime.shutdown_timeout(LAST_THREADS);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            error!(service = name, error = chain(&e), "failed");
            ExitCode::from(FAILED)
        }
    }
}

fn bad(text: &dyn Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {text}");
    ExitCode::from(BAD_CONFIGURATION)
}

fn failed(text: &dyn Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {text}");
    ExitCode::from(FAILED)
}

async fn serve<Fut, E>(
    name: &'static str,
    options: &Common,
    broker: Broker,
    store: Store,
    service: impl FnOnce(Context) -> Fut,
) -> Result<(), Failed>
where
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: std::error::Error + Send + 'static,
{
    let bus = match broker {
        Broker::Needed => Bus::connect(options.bus(name)).await,
        Broker::Awaited => Bus::connect_later(options.bus(name)).await,
    };
    let bus = bus.map_err(Failed::Bus)?;
    let listen = |source| Failed::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
    info!(service = name, address = %listener.local_addr().map_err(listen)?, "health is served");

    let mut shutdown = Shutdown::new(options.shutdown_timeout());
    let work = shutdown.stage("work");
    let support = shutdown.stage("support");
    let context = Context {
        stop: work.token(),
        local: Some(options.local.clone()),
        ..Context::new(bus.clone(), store, options.partitions, options.owner())
    };
    if broker == Broker::Needed {
        context.health.watch_bus(bus.clone());
    }
    support.spawn(health::serve(listener, context.health.clone(), context.metrics.clone(), support.token()));
    let mut service = work.spawn(service(context));
    let ended = tokio::select! {
        ended = &mut service => Some(ended),
        signal = asked_to_stop() => {
            info!(service = name, signal = signal.map_err(Failed::Signals)?, "stopping");
            None
        }
    };
    let stopped = shutdown.run().await.map_err(Failed::Shutdown);
    let ended = match ended {
        Some(ended) => ended,
        None if stopped.is_ok() => service.await,
        None => Ok(Ok(())),
    };
    bus.close().await;
    telemetry::flush().await;
    match ended {
        Ok(Ok(())) => stopped,
        Ok(Err(e)) => Err(Failed::Service(chain(&e))),
        Err(e) => Err(Failed::Service(e.to_string())),
    }
}

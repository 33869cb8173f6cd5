//! The connection to the broker, shared by everything in a process.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{ConnectOptions, Event, ServerError};
use tracing::{info, warn};

use crate::error::Error;

/// How long an answer of the broker may take.
const ANSWER: Duration = Duration::from_secs(3);
/// How many refused permissions are remembered.
const MAX_DENIED: usize = 64;
/// The oldest server that has what we use.
const OLDEST: (i64, i64, i64) = (2, 9, 0);

/// Where the broker is and who we are.
#[derive(Clone, Debug)]
pub struct BusConfig {
    /// Its address, for example `nats://127.0.0.1:4222`; several are separated by commas.
    pub url: String,
    /// A file of NATS credentials.
    pub credentials: Option<PathBuf>,
    /// Our name, as the broker shows it.
    pub name: String,
}

/// A connection. Clones share it.
#[derive(Clone, Debug)]
pub struct Bus {
    pub(crate) js: jetstream::Context,
    client: async_nats::Client,
    url: Arc<str>,
    denied: Denied,
}

/// What the broker refused us lately. It says so beside the connection and leaves the request without an answer.
#[derive(Clone, Debug, Default)]
struct Denied(Arc<Mutex<VecDeque<String>>>);

impl Denied {
    fn add(&self, said: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == MAX_DENIED {
            all.pop_front();
        }
        all.push_back(said);
    }

    fn about(&self, subject: &str) -> Option<String> {
        let quoted = format!("\"{subject}\"");
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rev().find(|said| said.contains(&quoted)).cloned()
    }
}

impl Bus {
    /// Connects, and sees that the server is new enough and carries JetStream.
    ///
    /// # Errors
    /// When it cannot be reached, refuses us, is too old or has no JetStream.
    pub async fn connect(config: BusConfig) -> Result<Self, Error> {
        let denied = Denied::default();
        let heard = denied.clone();
        let mut options = ConnectOptions::new()
            .name(&config.name)
            .request_timeout(Some(ANSWER))
            .reconnect_delay_callback(|attempt| Duration::from_millis(50 << attempt.min(5)))
            .event_callback(move |event| {
                hear(&heard, event);
                std::future::ready(())
            });
        if let Some(path) = config.credentials {
            options = match options.credentials_file(&path).await {
                Ok(options) => options,
                Err(source) => return Err(Error::Credentials { path, source }),
            };
        }
        let addresses: Vec<&str> = config.url.split(',').map(str::trim).collect();
        let client = options
            .connect(addresses)
            .await
            .map_err(|e| Error::Connect { url: config.url.clone(), source: e.into() })?;
        let bus = Self {
            js: ContextBuilder::new().timeout(ANSWER).build(client.clone()),
            client,
            url: config.url.into(),
            denied,
        };
        let (major, minor, patch) = OLDEST;
        if !bus.client.is_server_compatible(major, minor, patch) {
            return Err(Error::TooOld { url: bus.url.to_string(), version: bus.server_version() });
        }
        match bus.js.query_account().await {
            Ok(_) => {}
            Err(e) => return Err(Error::JetStream { url: bus.url.to_string(), source: e.into() }),
        }
        info!(url = %bus.url, version = bus.server_version(), "connected to nats");
        Ok(bus)
    }

    /// The version of the server.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.client.server_info().version
    }

    /// Where the broker is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether there is a connection right now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Sends what is still buffered and closes the connection.
    pub async fn close(&self) {
        if let Err(error) = self.client.flush().await {
            warn!(%error, "cannot flush the connection");
        }
        if let Err(error) = self.client.drain().await {
            warn!(%error, "cannot close the connection in order");
        }
    }

    /// A stream and its state.
    pub(crate) async fn stream(&self, name: &str) -> Result<jetstream::stream::Stream, Error> {
        self.js.get_stream(name).await.map_err(|e| match e.kind() {
            GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Error::NotProvisioned { name: name.to_owned() }
            }
            _ => {
                let api = format!("$JS.API.STREAM.INFO.{name}");
                self.explain(&api, Error::Look { stream: name.to_owned(), source: e.into() })
            }
        })
    }

    /// A text that nobody else uses.
    pub(crate) fn unique(&self) -> String {
        self.client.new_inbox()
    }

    /// What the error really is: without permission the broker answers nothing, so that it looks like a time-out.
    pub(crate) fn explain(&self, subject: &str, error: Error) -> Error {
        match self.denied.about(subject) {
            Some(said) => Error::Permission { subject: subject.to_owned(), said },
            None => error,
        }
    }
}

fn hear(denied: &Denied, event: Event) {
    match event {
        Event::ServerError(ServerError::Other(said)) if said.to_lowercase().contains("permissions violation") => {
            warn!(said, "the broker refused a permission");
            denied.add(said);
        }
        Event::ServerError(error) => warn!(%error, "the broker reports an error"),
        Event::ClientError(error) => warn!(%error, "the connection reports an error"),
        Event::SlowConsumer(subscription) => warn!(subscription, "reading too slowly, messages were dropped"),
        Event::Disconnected => warn!("disconnected from nats"),
        Event::Connected | Event::LameDuckMode | Event::Draining | Event::Closed => info!(%event, "nats"),
    }
}

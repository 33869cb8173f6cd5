//! The connection to the broker, shared by everything in a process.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{ContextBuilder, GetStreamErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{ConnectOptions, Event, ServerAddr, ServerError};
use tracing::{info, warn};

use crate::counts::Counts;
use crate::error::{Cause, Error};

/// How long an answer of the broker may take.
const ANSWER: Duration = Duration::from_secs(3);
/// How many refused permissions are remembered.
const MAX_DENIED: usize = 64;
/// The oldest server that has what we use.
const OLDEST: (i64, i64, i64) = (2, 9, 0);

/// Where the broker is and who we are.
#[derive(Clone, Debug)]
pub struct BusConfig {
    /// Its address, for example `nats://127.0.0.1:4222` or `nats://user:password@host`; several are separated by commas.
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
    counts: Counts,
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
        let bus = Self::open(config, false).await?;
        let (major, minor, patch) = OLDEST;
        if !bus.client.is_server_compatible(major, minor, patch) {
            return Err(Error::TooOld { url: bus.url.to_string(), version: bus.server_version() });
        }
        bus.see_jetstream().await.map_err(|source| Error::JetStream { url: bus.url.to_string(), source })?;
        info!(url = %bus.url, version = bus.server_version(), "connected to nats");
        Ok(bus)
    }

    /// Comes back at once and connects as soon as the server is there: for what must serve without it. Nothing is known of
    /// the server yet; what is asked of it meanwhile waits for a moment and then fails.
    ///
    /// # Errors
    /// When the address cannot be read, or the credentials.
    pub async fn connect_later(config: BusConfig) -> Result<Self, Error> {
        Self::open(config, true).await
    }

    async fn open(config: BusConfig, later: bool) -> Result<Self, Error> {
        let denied = Denied::default();
        let counts = Counts::default();
        let (heard, counted) = (denied.clone(), counts.clone());
        let mut options = ConnectOptions::new()
            .name(&config.name)
            .request_timeout(Some(ANSWER))
            .reconnect_delay_callback(|attempt| Duration::from_millis(50 << attempt.min(5)))
            .event_callback(move |event| {
                hear(&heard, &counted, event);
                std::future::ready(())
            });
        if later {
            options = options.retry_on_initial_connect();
        }
        if let Some(path) = config.credentials {
            options = match options.credentials_file(&path).await {
                Ok(options) => options,
                Err(source) => return Err(Error::Credentials { path, source }),
            };
        }
        let url = without_secrets(&config.url);
        let failed = |source| Error::Connect { url: url.clone(), source };
        let mut addresses = Vec::new();
        for text in config.url.split(',') {
            let address: ServerAddr = text.trim().parse().map_err(|e: std::io::Error| failed(e.into()))?;
            // The client would leave these unused.
            match (address.username(), address.password()) {
                (Some(user), Some(password)) => {
                    options = options.user_and_password(user.to_owned(), password.to_owned());
                }
                (Some(token), None) => options = options.token(token.to_owned()),
                (None, _) => {}
            }
            addresses.push(address);
        }
        let client = options.connect(addresses).await.map_err(|e| failed(e.into()))?;
        let js = ContextBuilder::new().timeout(ANSWER).build(client.clone());
        Ok(Self { js, client, url: url.into(), denied, counts })
    }

    /// Asks for the account. The client's own `query_account` does not understand what 2.9 answers.
    async fn see_jetstream(&self) -> Result<(), Cause> {
        let account: serde_json::Value = self.js.request("INFO", &()).await?;
        match account.get("error") {
            None => Ok(()),
            Some(error) => Err(error.to_string().into()),
        }
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

    /// What the connection went through.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Sends what is still buffered and closes the connection; without a broker it does not wait for one.
    pub async fn close(&self) {
        match tokio::time::timeout(ANSWER, self.client.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "cannot flush the connection"),
            Err(_) => {
                warn!("the broker is away, what is still buffered is given up");
                return;
            }
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

/// Addresses as they may be shown: whoever reads the log need not know passwords.
fn without_secrets(url: &str) -> String {
    let shown = url.split(',').map(|address| match address.trim().rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
        }
        None => address.trim().to_owned(),
    });
    shown.collect::<Vec<_>>().join(",")
}

fn hear(denied: &Denied, counts: &Counts, event: Event) {
    match event {
        Event::ServerError(ServerError::Other(said))
            if said.to_lowercase().contains("permissions violation") =>
        {
            warn!(said, "the broker refused a permission");
            denied.add(said);
            counts.count_refused();
        }
        Event::ServerError(error) => warn!(%error, "the broker reports an error"),
        Event::ClientError(error) => warn!(%error, "the connection reports an error"),
        Event::SlowConsumer(subscription) => {
            counts.count_slow();
            warn!(subscription, "reading too slowly, messages were dropped");
        }
        Event::Disconnected => {
            counts.count_disconnected();
            warn!("disconnected from nats");
        }
        Event::Connected | Event::LameDuckMode | Event::Draining | Event::Closed => info!(%event, "nats"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_secrets("nats://a:b@c:1, d:2,e:f@g"), "nats://c:1,d:2,g");
    }
}

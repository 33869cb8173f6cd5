//! Requests to the console and what can go wrong with them. It must not know what is asked.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde_json::Value;
use tidemill_console::api::{ErrorKind, Failure, IDEMPOTENCY_KEY};
use tokio::time::{Instant, sleep};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);
/// A console that says "not now" is asked again for so long, and so often.
const NOT_NOW: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(300));

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// When the address is none.
    #[error("\"{address}\" is no address of a console")]
    Address { address: String },
    /// When the answer is not as this version expects it.
    #[error("the answer cannot be read")]
    Answer {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// When the bus does not take what is sent.
    #[error("the bus did not take it")]
    Bus(#[source] tidemill_bus::Error),
    /// When a file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// When the console says no.
    #[error("{}", failure.what)]
    Refused { failure: Box<Failure>, file: Option<PathBuf> },
    /// When the console does not answer.
    #[error("no console answers at {address}")]
    Unreachable {
        address: Url,
        #[source]
        source: reqwest::Error,
    },
    /// When whoever reads us went away.
    #[error("the answer cannot be written")]
    Written(#[source] std::io::Error),
}

impl AskError {
    /// What to do about it.
    pub(super) fn remedy(&self) -> &str {
        match self {
            Self::Address { .. } => "write for example --console http://127.0.0.1:7411",
            Self::Answer { .. } => {
                "is it a console, and of the same version? `tidemill --version` tells ours"
            }
            Self::Bus(_) => "is nats-server there? say where with --nats-url URL or TIDEMILL_NATS_URL",
            Self::Read { .. } => "look at its name and at who may read it",
            Self::Refused { failure, .. } => &failure.remedy,
            Self::Unreachable { .. } => {
                "start everything with `tidemill up`, or say where it is with --console URL or TIDEMILL_CONSOLE"
            }
            Self::Written(_) => "is there room, and is somebody reading?",
        }
    }
}

/// What is sent beside the path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    None,
    Json { body: &'a Value, key: &'a str },
    Text(&'a str),
}

/// A console.
pub(super) struct Client {
    base: Url,
    http: reqwest::Client,
}

impl Client {
    pub(super) fn new(address: &str) -> Result<Self, AskError> {
        let bad = || AskError::Address { address: address.to_owned() };
        let base = Url::parse(address).map_err(|_| bad())?;
        // HTTPS is not built in: a console of its own speaks HTTP, and a proxy before it is asked over HTTP too.
        if base.scheme() != "http" || base.host().is_none() {
            return Err(bad());
        }
        let http = reqwest::Client::builder().connect_timeout(CONNECT).timeout(ANSWER).build();
        http.map(|http| Self { base, http }).map_err(|source| AskError::Answer { source: source.into() })
    }

    /// Asks for what is at a path, its parts unescaped.
    pub(super) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, AskError> {
        self.ask(Method::GET, path, query, Body::None).await
    }

    /// Sends a request; one that comes too early is sent again for a while.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Body<'_>,
    ) -> Result<Value, AskError> {
        let url = self.url(path, query);
        let until = Instant::now() + NOT_NOW.0;
        loop {
            match self.once(method.clone(), url.clone(), body).await {
                Err(AskError::Refused { failure, .. })
                    if failure.error == ErrorKind::Unavailable && Instant::now() + NOT_NOW.1 < until =>
                {
                    sleep(NOT_NOW.1).await;
                }
                ended => return ended,
            }
        }
    }

    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn once(&self, method: Method, url: Url, body: Body<'_>) -> Result<Value, AskError> {
        let mut request = self.http.request(method, url);
        request = match body {
            Body::None => request,
            Body::Json { body, key } => request.json(body).header(IDEMPOTENCY_KEY, key),
            Body::Text(text) => request.body(text.to_owned()),
        };
        let unreachable =
            |source: reqwest::Error| AskError::Unreachable { address: self.base.clone(), source };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(unreachable)?;
        let unreadable = |source: serde_json::Error| AskError::Answer { source: source.into() };
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(unreadable);
        }
        let failure = serde_json::from_slice(&bytes).unwrap_or_else(|_| not_ours(status, &bytes));
        Err(AskError::Refused { failure: Box::new(failure), file: None })
    }
}

/// The refusal of somebody between us and the console.
fn not_ours(status: StatusCode, bytes: &[u8]) -> Failure {
    let text: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
    let error = match status.as_u16() {
        502..=504 => ErrorKind::Unavailable,
        404 => ErrorKind::NotFound,
        400..=499 => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    };
    let remedy = "is it a console of Tidemill that answers there? See --console".to_owned();
    Failure { error, code: None, what: format!("{status}: {}", text.trim()), remedy, problems: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_and_join_any_base() {
        for (base, expected) in [
            ("http://host:1", "http://host:1/v1/loops/a%2Fb?limit=5"),
            ("http://host:1/", "http://host:1/v1/loops/a%2Fb?limit=5"),
            ("http://host/under/", "http://host/under/v1/loops/a%2Fb?limit=5"),
        ] {
            let client = Client::new(base).unwrap_or_else(|e| unreachable!("{e}"));
            assert_eq!(client.url(&["loops", "a/b"], &[("limit", "5".into())]).as_str(), expected);
        }
    }

    #[test]
    fn only_addresses_of_http_are_taken() {
        for bad in ["", "host:7411", "https://host", "ftp://host", "http://"] {
            assert!(matches!(Client::new(bad), Err(AskError::Address { .. })), "{bad}");
        }
    }
}

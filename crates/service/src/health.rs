//! What whoever watches the process is told: alive, ready, and the counters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::{Serialize, Serializer};
use tidemill_bus::Bus;
use tidemill_domain::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// The state of a part of the process, for example of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// It reads what the log holds already.
    CatchingUp,
    /// It works on what comes now.
    Live,
    /// Another replica is active.
    Standby,
    /// It has not begun.
    Starting,
    /// It has ended.
    Stopped,
    /// What it needs to be current is away; the process does its work all the same.
    Away {
        /// Since when, as text in RFC 3339.
        #[serde(serialize_with = "as_text")]
        since: Timestamp,
    },
}

fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

impl PartState {
    fn is_ready(self) -> bool {
        match self {
            Self::Live | Self::Standby | Self::Away { .. } => true,
            Self::CatchingUp | Self::Starting | Self::Stopped => false,
        }
    }
}

/// The state of the process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<String, PartState>>>,
    bus: Arc<OnceLock<Bus>>,
}

#[derive(Serialize)]
struct Report {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<bool>,
    parts: BTreeMap<String, PartState>,
}

impl Health {
    /// Says what state a part is in.
    pub fn set(&self, part: &str, state: PartState) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_owned(), state);
    }

    /// What state a part is in.
    #[must_use]
    pub fn get(&self, part: &str) -> Option<PartState> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).get(part).copied()
    }

    /// From now on the process is ready only while it is connected.
    pub fn watch_bus(&self, bus: Bus) {
        // The first bus counts; a process has one.
        let _ = self.bus.set(bus);
    }

    /// Whether the process does what it is there for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.report().ready
    }

    /// Every part, and whether it is ready.
    pub(crate) fn parts(&self) -> Vec<(String, bool)> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|(part, state)| (part.clone(), state.is_ready())).collect()
    }

    fn report(&self) -> Report {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let connected = self.bus.get().map(Bus::is_connected);
        let ready = connected.unwrap_or(true) && parts.values().all(|state| state.is_ready());
        Report { ready, connected, parts }
    }
}

/// Serves `/livez`, `/readyz` and `/metrics` until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router(health, metrics)).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz).with_state(health))
        .route("/metrics", get(counters).with_state(metrics))
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(report))
}

async fn counters(State(metrics): State<Metrics>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], metrics.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_every_part_is() {
        let health = Health::default();
        assert!(health.is_ready());
        health.set("a", PartState::Live);
        health.set("b", PartState::CatchingUp);
        assert!(!health.is_ready());
        health.set("b", PartState::Standby);
        assert!(health.is_ready());
        health.set("bus", PartState::Away { since: Timestamp(0) });
        assert!(health.is_ready());
        let report = serde_json::to_value(health.report()).unwrap_or_default();
        assert_eq!(report["parts"]["bus"]["away"]["since"], "1970-01-01T00:00:00.000000Z");
    }

    async fn get(address: std::net::SocketAddr, path: &str) -> std::io::Result<String> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut connection = tokio::net::TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn health_and_counters_are_served_until_told_to_stop() -> std::io::Result<()> {
        let (health, metrics, stop) = (Health::default(), Metrics::default(), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener, health.clone(), metrics.clone(), stop.clone()));
        assert!(get(address, "/livez").await?.starts_with("HTTP/1.1 200"));
        health.set("validator-0", PartState::CatchingUp);
        let unready = get(address, "/readyz").await?;
        assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
        assert!(unready.ends_with(r#"{"ready":false,"parts":{"validator-0":"catching_up"}}"#), "{unready}");
        metrics.role("validator-0").lag_events.set(7);
        let counters = get(address, "/metrics").await?;
        assert!(counters.contains("tidemill_lag_events{role=\"validator-0\"} 7"), "{counters}");
        stop.cancel();
        serving.await?
    }
}

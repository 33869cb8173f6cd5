//! A console over a log in memory, and requests to it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tidemill_bus::Extent;
use tidemill_domain::Timestamp;
use tidemill_events::emit::Outgoing;
use tidemill_events::envelope::Meta;
use tidemill_events::stream::is_shared;
use tidemill_events::{Event, Partition, Recorded, Subject};
use tower::ServiceExt;

use super::history::History;
use super::story::{refused, story};
use crate::log::{Answer, Log, LogError};
use crate::server::router;
use crate::shared::Shared;
use crate::sql::{Source, SqlView};

pub(super) const LOOP: &str = "apiVersion: tidemill.dev/v1
kind: Loop
metadata: { name: tides }
spec:
  schema:
    features: [{ name: moon, type: numeric }]
    target: { name: high, type: categorical }
";

const SOURCES: [Source; 2] = [Source::Loops, Source::Quarantine(Partition(0))];

/// A log that folds what it stores at once, or refuses.
pub(super) struct Memory {
    pub(super) shared: Arc<Shared>,
    pub(super) view: Arc<SqlView>,
    pub(super) stored: Mutex<Vec<Recorded>>,
    pub(super) refuse: Mutex<Option<LogError>>,
}

impl Log for Memory {
    fn tenure(&self) -> Answer<'_, u64> {
        Box::pin(std::future::ready(Ok(1)))
    }

    fn publish(&self, event: Outgoing, tenure: Option<u64>) -> Answer<'_, Option<u64>> {
        Box::pin(async move {
            if let Some(error) = self.refuse.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                return Err(error);
            }
            let shared = is_shared(event.subject.topic);
            assert!(shared || tenure == Some(1), "a spec needs a tenure");
            Ok(Some(self.append(event.subject, event.meta, event.event).await))
        })
    }
}

impl Memory {
    async fn append(&self, subject: Subject, meta: Meta, event: Event) -> u64 {
        let sequence = self.stored.lock().map_or(0, |s| s.len()) as u64 + 1;
        let recorded = Recorded { sequence, time: Timestamp(1_000_000), subject, meta, event };
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).push(recorded.clone());
        self.shared.fold([&recorded]);
        self.see(Source::Loops, &[recorded]).await;
        sequence
    }

    /// Writes what comes next into the view.
    async fn see(&self, source: Source, events: &[Recorded]) {
        let last = events.last().map_or(0, |e| e.sequence);
        let extent = Extent { first: 1, last, created: Timestamp(1) };
        let at =
            self.view.begin(source, Timestamp(1), &extent).await.unwrap_or_else(|e| unreachable!("{e:?}"));
        let passed_over = self.view.write(source, at, last.max(at), events).await;
        assert_eq!(passed_over.unwrap_or_else(|e| unreachable!("{e:?}")), 0);
        self.view.caught_up(source);
    }
}

pub(super) struct Scene {
    router: Router,
    pub(super) log: Arc<Memory>,
}

impl Scene {
    /// A console that has read an empty log.
    pub(super) async fn new() -> Self {
        let scene = Self::reading();
        scene.log.shared.caught_up();
        for source in SOURCES {
            scene.log.see(source, &[]).await;
        }
        scene
    }

    /// A console that still reads.
    pub(super) fn reading() -> Self {
        let shared = Arc::new(Shared::default());
        let view = SqlView::open("memory:", &SOURCES).unwrap_or_else(|e| unreachable!("{e}"));
        let log = Arc::new(Memory {
            shared: Arc::clone(&shared),
            view: Arc::new(view),
            stored: Mutex::default(),
            refuse: Mutex::default(),
        });
        let view = Arc::clone(&log.view);
        Self { router: router(shared, Arc::clone(&log) as Arc<dyn Log>, view), log }
    }

    /// A console that has read a log in which much happened.
    pub(super) async fn with_story() -> Self {
        let scene = Self::new().await;
        let History { log, .. } = story();
        scene.log.shared.fold(&log);
        scene.log.see(Source::Loops, &log).await;
        scene.log.see(SOURCES[1], &refused()).await;
        *scene.log.stored.lock().unwrap_or_else(PoisonError::into_inner) = log;
        scene
    }

    /// The same, as if memory had let all but the loop's spec go.
    pub(super) fn forget(self) -> Self {
        let shared = Arc::new(Shared::default());
        shared.caught_up();
        let stored = self.log.stored.lock().unwrap_or_else(PoisonError::into_inner).clone();
        shared.fold(&stored[..1]);
        let view = Arc::clone(&self.log.view);
        Self { router: router(shared, Arc::clone(&self.log) as Arc<dyn Log>, view), log: self.log }
    }

    /// The same with the loop `tides` in force.
    pub(super) async fn with_loop() -> Self {
        let scene = Self::new().await;
        assert_eq!(scene.put("/v1/loops?by=ann", LOOP).await.0, 201);
        scene
    }

    pub(super) fn n_stored(&self) -> usize {
        self.log.stored.lock().map_or(0, |s| s.len())
    }

    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, &[], String::new()).await
    }

    pub(super) async fn put(&self, path: &str, body: &str) -> (u16, Value) {
        self.ask("PUT", path, &[], body.to_owned()).await
    }

    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        self.ask("POST", path, headers, body.to_owned()).await
    }

    /// The status and the body: JSON, or text as a JSON string.
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap_or_else(|e| unreachable!("{e}"));
        let answer = self.router.clone().oneshot(request).await;
        let answer = answer.unwrap_or_else(|e| unreachable!("{e}"));
        let status = answer.status().as_u16();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

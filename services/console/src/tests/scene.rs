//! A console over a log in memory, and requests to it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tidemill_domain::{EventId, LoopId, Timestamp};
use tidemill_events::emit::Outgoing;
use tidemill_events::envelope::Meta;
use tidemill_events::stream::is_shared;
use tidemill_events::{Event, Recorded, Subject, Topic};
use tower::ServiceExt;

use crate::log::{Answer, Log, LogError};
use crate::server::router;
use crate::shared::Shared;

pub(super) const LOOP: &str = "apiVersion: tidemill.dev/v1
kind: Loop
metadata: { name: tides }
spec:
  schema:
    features: [{ name: moon, type: numeric }]
    target: { name: high, type: categorical }
";

/// A log that folds what it stores at once, or refuses.
pub(super) struct Memory {
    shared: Arc<Shared>,
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
            Ok(Some(self.append(event.subject, event.meta, event.event)))
        })
    }
}

impl Memory {
    fn append(&self, subject: Subject, meta: Meta, event: Event) -> u64 {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = stored.len() as u64 + 1;
        let recorded = Recorded { sequence, time: Timestamp(1_000_000), subject, meta, event };
        self.shared.fold([&recorded]);
        stored.push(recorded);
        sequence
    }
}

pub(super) struct Scene {
    router: Router,
    pub(super) log: Arc<Memory>,
}

impl Scene {
    /// A console that has read an empty log.
    pub(super) fn new() -> Self {
        let scene = Self::reading();
        scene.log.shared.caught_up();
        scene
    }

    /// A console that still reads.
    pub(super) fn reading() -> Self {
        let shared = Arc::new(Shared::default());
        let log = Arc::new(Memory {
            shared: Arc::clone(&shared),
            stored: Mutex::default(),
            refuse: Mutex::default(),
        });
        Self { router: router(shared, Arc::clone(&log) as Arc<dyn Log>), log }
    }

    /// The same with the loop `tides` in force.
    pub(super) async fn with_loop() -> Self {
        let scene = Self::new();
        assert_eq!(scene.put("/v1/loops?by=ann", LOOP).await.0, 201);
        scene
    }

    pub(super) fn write(&self, topic: Topic, event: Event) {
        let id = LoopId::new("tides").unwrap_or_else(|e| unreachable!("{e}"));
        let n = self.log.stored.lock().map_or(0, |s| s.len());
        let meta = Meta {
            id: EventId::new(format!("w{n}")),
            source: "test".into(),
            causation: None,
            correlation: None,
            upto: None,
        };
        self.log.append(Subject::new(id, topic), meta, event);
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

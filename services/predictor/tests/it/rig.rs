//! A predictor that listens on a free port, and everything that it works with.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tidemill_bus::Error;
use tidemill_bus::error::Cause;
use tidemill_domain::{
    Algorithm, ContentHash, EventId, ModelRef, ModelVersion, Parameters, PredictionRecord, Timestamp, TurnId,
    Value,
};
use tidemill_events::intake::{IntakeItem, decode_json};
use tidemill_events::model::Deployed;
use tidemill_events::rollout::Role;
use tidemill_events::{Event, Intake, Log, Meta, Recorded, Subject};
use tidemill_learn::{Recipe, TrainRow, fit};
use tidemill_predictor::{Artefacts, Control, Options, Predictor, PredictorError, Sink};
use tidemill_proto::v1;
use tidemill_proto::v1::predictor_client::PredictorClient;
use tidemill_service::{Health, Metrics};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

pub(crate) use crate::make::{loop_id, number, request, route_event, schema, spec_event};

pub(crate) const CEILING: Duration = Duration::from_secs(30);

/// Models by their hash; what is not there cannot be loaded.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<Mutex<BTreeMap<ContentHash, Bytes>>>);

impl Artefacts for Shelf {
    async fn artefact(&self, hash: &ContentHash) -> Result<Bytes, Cause> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned();
        found.ok_or_else(|| "not there".into())
    }
}

impl Shelf {
    pub(crate) fn bytes(&self, model: &Deployed) -> Bytes {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&model.model.artefact).cloned();
        found.unwrap_or_else(|| unreachable!("it is on the shelf"))
    }
}

/// The loops' log.
pub(crate) struct Fed {
    events: mpsc::UnboundedReceiver<Recorded>,
    is_away: bool,
}

impl Control for Fed {
    async fn next(&mut self) -> Result<Vec<Recorded>, Error> {
        if self.is_away {
            return std::future::pending().await;
        }
        match timeout(Duration::from_millis(100), self.events.recv()).await {
            Ok(Some(event)) => Ok(vec![event]),
            Ok(None) => std::future::pending().await,
            Err(_) => Ok(Vec::new()),
        }
    }

    fn caught_up(&self) -> bool {
        !self.is_away && self.events.is_empty()
    }
}

/// What reached the bus.
#[derive(Clone, Default)]
pub(crate) struct Logged {
    records: Arc<Mutex<BTreeMap<String, Vec<PredictionRecord>>>>,
    is_away: Arc<AtomicBool>,
}

impl Sink for Logged {
    async fn publish(&self, subject: &Subject, id: &str, lines: Vec<u8>) -> Result<(), Error> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Error::Publish { subject: subject.to_string(), source: "away".into() });
        }
        let batch = decode_json(Intake::Prediction, &lines, Timestamp(0));
        let read = batch.items.into_iter().map(|item| match item {
            IntakeItem::Prediction(record) => record,
            other => unreachable!("{other:?}"),
        });
        self.records.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), read.collect());
        Ok(())
    }
}

impl Logged {
    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    pub(crate) fn records(&self) -> Vec<PredictionRecord> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect()
    }
}

pub(crate) struct Rig {
    pub(crate) client: PredictorClient<Channel>,
    pub(crate) shelf: Shelf,
    pub(crate) log: Logged,
    pub(crate) metrics: Metrics,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: JoinHandle<Result<(), PredictorError>>,
    pub(crate) folder: Arc<TempDir>,
    pub(crate) health: Health,
    control: mpsc::UnboundedSender<Recorded>,
    sequence: u64,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let folder = TempDir::new().unwrap_or_else(|e| unreachable!("{e}"));
        Self::start_in(Arc::new(folder), Shelf::default(), Logged::default(), false, options).await
    }

    /// Stops, and starts again on the same folder; without the loops' log and with an empty store, if they are away.
    pub(crate) async fn restart(self, is_away: bool) -> Self {
        self.stop.cancel();
        let Self { client, serving, folder, shelf, log, .. } = self;
        drop(client);
        assert!(matches!(timeout(CEILING, serving).await, Ok(Ok(Ok(())))));
        let shelf = if is_away { Shelf::default() } else { shelf };
        Self::start_in(folder, shelf, log, is_away, Options::default()).await
    }

    async fn start_in(
        folder: Arc<TempDir>,
        shelf: Shelf,
        log: Logged,
        is_away: bool,
        options: Options,
    ) -> Self {
        let (control, events) = mpsc::unbounded_channel();
        let (metrics, stop, health) = (Metrics::default(), CancellationToken::new(), Health::default());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap_or_else(|e| unreachable!("{e}"));
        let address = listener.local_addr().unwrap_or_else(|e| unreachable!("{e}"));
        let predictor = Predictor {
            artefacts: shelf.clone(),
            control: Fed { events, is_away },
            sink: log.clone(),
            owner: "test".into(),
            health: health.clone(),
            metrics: metrics.clone(),
            stop: stop.clone(),
        };
        let options = Options { data: folder.path().to_owned(), ..options };
        let serving = tokio::spawn(predictor.serve(listener, options));
        let client = PredictorClient::connect(format!("http://{address}")).await;
        let mut client = client.unwrap_or_else(|e| unreachable!("{e}"));
        // Whoever answers has opened its data folder.
        assert!(client.status(v1::StatusRequest::default()).await.is_ok());
        Self { client, shelf, log, metrics, stop, serving, folder, health, control, sequence: 0 }
    }

    /// Serves until it ends by itself.
    pub(crate) async fn serve_only(options: Options) -> Result<(), PredictorError> {
        let (_control, events) = mpsc::unbounded_channel();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap_or_else(|e| unreachable!("{e}"));
        let predictor = Predictor {
            artefacts: Shelf::default(),
            control: Fed { events, is_away: true },
            sink: Logged::default(),
            owner: "test".into(),
            health: Health::default(),
            metrics: Metrics::default(),
            stop: CancellationToken::new(),
        };
        predictor.serve(listener, options).await
    }

    /// The value of a counter; 0 if it was never touched.
    pub(crate) fn counter(&self, name: &str) -> usize {
        counter(&self.metrics, name)
    }

    /// Waits until the data folder has the table and exactly these models.
    pub(crate) async fn kept(&self, table: u64, models: &[&Deployed]) {
        let mut names: Vec<_> = models.iter().map(|m| m.model.artefact.to_string()).collect();
        names.sort();
        let version = format!("\"table\":{{\"version\":{table},");
        let root = self.folder.path();
        until("the table is kept", || {
            let text = std::fs::read_to_string(root.join("loops/parcels.json")).unwrap_or_default();
            let there = std::fs::read_dir(root.join("artefacts")).into_iter().flatten().flatten();
            let mut there: Vec<_> = there.map(|f| f.file_name().to_string_lossy().into_owned()).collect();
            there.sort();
            text.contains(&version) && there == names
        })
        .await;
    }

    fn tell(&mut self, log: Log, event: Event) {
        self.sequence += 1;
        let meta = Meta {
            id: EventId::new(self.sequence.to_string()),
            source: "test".into(),
            causation: None,
            correlation: None,
            upto: None,
        };
        let subject = Subject::log(loop_id(), log);
        let time = Timestamp(i64::try_from(self.sequence).unwrap_or(0));
        let event = Recorded { sequence: self.sequence, time, subject, meta, event };
        assert!(self.control.send(event).is_ok());
    }

    pub(crate) fn apply(&mut self, version: u64, n_features: usize) {
        self.tell(Log::Spec, spec_event(version, n_features));
    }

    /// A model that always answers `y`; it is not on the shelf yet.
    pub(crate) fn model(y: f64, n_features: usize) -> (Deployed, Bytes) {
        let cells = vec![Value::Number(1.0); n_features];
        let target = Value::Number(y);
        let row = TrainRow { features: &cells, target: &target, weight: 1.0 };
        let recipe = Recipe { algorithm: Algorithm::Linear, parameters: Parameters::new(), seed: 1 };
        let model = fit(&schema(n_features), &recipe, &[row, row]).unwrap_or_else(|e| unreachable!("{e}"));
        let bytes: Bytes = model.to_bytes().unwrap_or_else(|e| unreachable!("{e}")).into();
        let artefact = ContentHash::of(&bytes);
        let version = ModelVersion::of(&artefact);
        let model = ModelRef { version, artefact, algorithm: Algorithm::Linear };
        (Deployed { model, turn: TurnId::new("t"), trained_to: 0 }, bytes)
    }

    pub(crate) fn put(&self, bytes: Bytes) {
        let hash = ContentHash::of(&bytes);
        self.shelf.0.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, bytes);
    }

    /// A model on the shelf.
    pub(crate) fn shelved(&self, y: f64, n_features: usize) -> Deployed {
        let (model, bytes) = Self::model(y, n_features);
        self.put(bytes);
        model
    }

    pub(crate) fn route(&mut self, version: u64, routes: Vec<(&Deployed, Role, u8)>) {
        self.tell(Log::Rollout, route_event(version, routes));
    }

    /// Waits until this table is in force.
    pub(crate) async fn in_force(&mut self, spec: u64, table: u64) {
        let is_there = async {
            loop {
                let status =
                    self.client.status(v1::StatusRequest::default()).await.map(tonic::Response::into_inner);
                let loops = status.map(|s| s.loops).unwrap_or_default();
                if loops.iter().any(|l| (l.spec_version, l.table_version) == (spec, table)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(CEILING, is_there).await.is_ok(), "table {table} is not in force");
    }

    /// Waits until so many records are on the bus.
    pub(crate) async fn logged(&self, n: usize) -> Vec<PredictionRecord> {
        let are_there = async {
            while self.log.records().len() < n {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(CEILING, are_there).await.is_ok(), "{} of {n} are logged", self.log.records().len());
        self.log.records()
    }
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(CEILING, waiting).await.is_ok(), "not in time: {what}");
}

/// The value of a counter or gauge; 0 if it was never touched.
pub(crate) fn counter(metrics: &Metrics, name: &str) -> usize {
    let start = format!("tidemill_predictor_{name} ");
    let text = metrics.text();
    text.lines().find_map(|line| line.strip_prefix(&start)).and_then(|n| n.parse().ok()).unwrap_or(0)
}

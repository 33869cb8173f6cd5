//! A predictor that listens on a free port, and everything that it works with.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tidemill_bus::Error;
use tidemill_bus::error::Cause;
use tidemill_domain::{
    Algorithm, ContentHash, EventId, Feature, FeatureKind, LoopId, LoopSpec, ModelRef, ModelVersion,
    Parameters, PredictionRecord, Schema, Target, TargetKind, Timestamp, TurnId, Value,
};
use tidemill_events::event::SpecApplied;
use tidemill_events::intake::{IntakeItem, decode_json};
use tidemill_events::model::Deployed;
use tidemill_events::rollout::{Role, Rollout, RolloutStep, Route, RouteTable};
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

/// The loops' log.
pub(crate) struct Fed(mpsc::UnboundedReceiver<Recorded>);

impl Control for Fed {
    async fn next(&mut self) -> Result<Vec<Recorded>, Error> {
        match timeout(Duration::from_millis(100), self.0.recv()).await {
            Ok(Some(event)) => Ok(vec![event]),
            Ok(None) => std::future::pending().await,
            Err(_) => Ok(Vec::new()),
        }
    }

    fn caught_up(&self) -> bool {
        self.0.is_empty()
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
    control: mpsc::UnboundedSender<Recorded>,
    sequence: u64,
}

pub(crate) fn loop_id() -> LoopId {
    LoopId::new("parcels").unwrap_or_else(|e| unreachable!("{e}"))
}

pub(crate) fn schema(n_features: usize) -> Schema {
    let kind = FeatureKind::Numeric { min: None, max: None };
    let feature = |i| Feature { name: format!("x{i}"), kind: kind.clone(), required: true };
    Schema {
        features: (0..n_features).map(feature).collect(),
        target: Target { name: "y".into(), kind: TargetKind::Numeric },
        entity: None,
        slices: vec![],
    }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let (control, fed) = mpsc::unbounded_channel();
        let (shelf, log, metrics, stop) =
            (Shelf::default(), Logged::default(), Metrics::default(), CancellationToken::new());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap_or_else(|e| unreachable!("{e}"));
        let address = listener.local_addr().unwrap_or_else(|e| unreachable!("{e}"));
        let predictor = Predictor {
            artefacts: shelf.clone(),
            control: Fed(fed),
            sink: log.clone(),
            owner: "test".into(),
            health: Health::default(),
            metrics: metrics.clone(),
            stop: stop.clone(),
        };
        let serving = tokio::spawn(predictor.serve(listener, options));
        let client = PredictorClient::connect(format!("http://{address}")).await;
        let client = client.unwrap_or_else(|e| unreachable!("{e}"));
        Self { client, shelf, log, metrics, stop, serving, control, sequence: 0 }
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
        let spec = LoopSpec::with_defaults(loop_id(), schema(n_features));
        self.tell(
            Log::Spec,
            Event::Spec(Box::new(SpecApplied { version, hash: spec.hash(), spec, by: "test".into() })),
        );
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
        let routes =
            routes.into_iter().map(|(model, role, weight)| Route { model: model.clone(), role, weight });
        let rollout = Rollout {
            step: RolloutStep::Promoted,
            version: None,
            lane: None,
            table: RouteTable { version, routes: routes.collect(), previous: None },
            judgement: None,
            reason: "test".into(),
        };
        self.tell(Log::Rollout, Event::Rollout(Box::new(rollout)));
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

pub(crate) fn request(id: &str, entity: Option<&str>) -> v1::PredictRequest {
    let one = v1::Value { kind: Some(v1::value::Kind::Number(1.0)) };
    v1::PredictRequest {
        r#loop: "parcels".into(),
        prediction_id: id.into(),
        entity: entity.map(str::to_owned),
        features: BTreeMap::from([("x0".to_owned(), one)]),
    }
}

pub(crate) fn number(answer: &v1::PredictResponse) -> f64 {
    match answer.prediction.as_ref().and_then(|v| v.kind.clone()) {
        Some(v1::value::Kind::Number(y)) => y,
        other => unreachable!("{other:?}"),
    }
}

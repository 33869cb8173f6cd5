//! A producer, as an application is one: asks the predictor for each row, and sends labels when they are known.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tidemill_bus::{Bus, BusConfig, clock};
use tidemill_domain::sample::LabelSource;
use tidemill_domain::{Label, LoopId, Output, PredictionId, PredictionRecord, Value};
use tidemill_events::intake::{encode_label, encode_prediction};
use tidemill_events::{Intake, Subject, Topic};
use tidemill_proto::v1::predictor_client::PredictorClient;
use tidemill_proto::v1::{PredictRequest, Value as Cell, value::Kind};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Why a row or label was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    /// When the bus does not take it.
    #[error("the bus did not take it")]
    Bus(#[source] tidemill_bus::Error),
    /// When the predictor cannot be reached.
    #[error("the predictor at {url} cannot be reached")]
    Connect {
        /// Its address.
        url: String,
        /// Why.
        source: tonic::transport::Error,
    },
    /// When the predictor refuses the row.
    #[error("the predictor refused the row ({code:?}): {message}")]
    Refused {
        /// How.
        code: Code,
        /// Why.
        message: String,
    },
}

/// A row to be sent.
#[derive(Clone, Debug)]
pub struct Row {
    /// The id to which its label will refer.
    pub id: PredictionId,
    /// Whom it is about.
    pub entity: Option<String>,
    /// Its cells by name; missing ones are left out.
    pub features: Vec<(String, Value)>,
}

/// What a row was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The output.
    pub output: Output,
    /// The model that gave it.
    pub version: String,
}

/// Sends rows and labels of one loop. Clones share the connections.
#[derive(Clone, Debug)]
pub struct Producer {
    bus: Bus,
    client: PredictorClient<Channel>,
    loop_id: LoopId,
}

impl Producer {
    /// Connects to the bus and, as soon as it is needed, to the predictor.
    ///
    /// # Errors
    /// When the bus cannot be reached, or the predictor's address is none.
    pub async fn connect(nats_url: &str, grpc_url: &str, loop_id: LoopId) -> Result<Self, ProducerError> {
        let config = BusConfig {
            url: nats_url.to_owned(),
            credentials: None,
            name: format!("tidemill-producer {loop_id}"),
        };
        let bus = Bus::connect(config).await.map_err(ProducerError::Bus)?;
        Self::with_bus(bus, grpc_url, loop_id)
    }

    /// The same over a connection to the bus that is there already.
    ///
    /// # Errors
    /// When the predictor's address is none.
    pub fn with_bus(bus: Bus, grpc_url: &str, loop_id: LoopId) -> Result<Self, ProducerError> {
        let wrap = |source| ProducerError::Connect { url: grpc_url.to_owned(), source };
        let endpoint = Endpoint::from_shared(grpc_url.to_owned()).map_err(wrap)?.connect_timeout(CONNECT);
        Ok(Self { bus, client: PredictorClient::new(endpoint.connect_lazy()), loop_id })
    }

    /// Asks the predictor. Where no model serves yet, the row goes to the bus all the same, so that the loop can learn from
    /// it: the predictor sees to that, or, where it does not know the loop yet, this does.
    ///
    /// # Errors
    /// When the predictor or, without a model, the bus does not take the row.
    pub async fn predict(&self, row: &Row) -> Result<Option<Answer>, ProducerError> {
        let features: BTreeMap<String, Cell> =
            row.features.iter().filter_map(|(name, value)| Some((name.clone(), cell(value)?))).collect();
        let request = PredictRequest {
            r#loop: self.loop_id.to_string(),
            prediction_id: row.id.to_string(),
            entity: row.entity.clone(),
            features,
        };
        match self.client.clone().predict(request).await {
            Ok(response) => {
                let response = response.into_inner();
                let mut classes: Vec<(String, f64)> = response.probabilities.into_iter().collect();
                classes.sort_by(|a, b| a.0.cmp(&b.0));
                let output = match response.prediction.and_then(|v| v.kind) {
                    Some(Kind::Number(x)) if classes.is_empty() => Output::Number(x),
                    _ => Output::Classes(classes),
                };
                Ok(Some(Answer { output, version: response.model_version }))
            }
            Err(status) if status.code() == Code::FailedPrecondition => Ok(None),
            Err(status) if matches!(status.code(), Code::NotFound | Code::Unavailable) => {
                self.observe(row).await?;
                Ok(None)
            }
            Err(status) => {
                Err(ProducerError::Refused { code: status.code(), message: status.message().to_owned() })
            }
        }
    }

    /// Sends a row for which no prediction was made.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub async fn observe(&self, row: &Row) -> Result<(), ProducerError> {
        let record = PredictionRecord {
            prediction_id: row.id.clone(),
            entity: row.entity.clone(),
            time: clock::now(),
            features: row.features.iter().cloned().collect(),
            scored: Vec::new(),
        };
        self.send(Intake::Prediction, &row.id, encode_prediction(&record)).await
    }

    /// Sends a label.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub async fn label(&self, id: &PredictionId, label: Value) -> Result<(), ProducerError> {
        let label =
            Label { prediction_id: id.clone(), label, source: LabelSource::Application, time: clock::now() };
        self.send(Intake::Label, id, encode_label(&label)).await
    }

    async fn send(&self, kind: Intake, id: &PredictionId, payload: Vec<u8>) -> Result<(), ProducerError> {
        let subject = Subject::new(self.loop_id.clone(), Topic::Intake(kind)).to_string();
        let id = format!("{subject}/{id}");
        let sent = self.bus.publish_raw(&subject, Some(&id), &[], Bytes::from(payload)).await;
        sent.map(|_| ()).map_err(ProducerError::Bus)
    }
}

fn cell(value: &Value) -> Option<Cell> {
    let kind = match value {
        Value::Number(x) => Kind::Number(*x),
        Value::Text(text) => Kind::Text(text.clone()),
        Value::Missing => return None,
    };
    Some(Cell { kind: Some(kind) })
}

//! Throughput and latency of the predictor with its log on, beside an empty service of the same contract in the same run.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidemill::producer::{Producer, Row};
use tidemill::system::{Options, System};
use tidemill_domain::LoopId;
use tidemill_proto::v1::predictor_client::PredictorClient;
use tidemill_proto::v1::predictor_server::{Predictor, PredictorServer};
use tidemill_proto::v1::{
    PredictBatchRequest, PredictBatchResponse, PredictRequest, PredictResponse, StatusRequest,
    StatusResponse, Value, value::Kind,
};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use crate::{BenchError, stream};

/// How long each of the two is measured.
const MEASURED: Duration = Duration::from_secs(8);
/// Requests under way at once.
const CLIENTS: usize = 16;

/// Answers at once, whatever is asked.
struct Empty;

#[tonic::async_trait]
impl Predictor for Empty {
    async fn predict(&self, request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        let prediction_id = request.into_inner().prediction_id;
        Ok(Response::new(PredictResponse { prediction_id, ..PredictResponse::default() }))
    }
    async fn predict_batch(
        &self,
        _: Request<PredictBatchRequest>,
    ) -> Result<Response<PredictBatchResponse>, Status> {
        Ok(Response::new(PredictBatchResponse::default()))
    }
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Ok(Response::new(StatusResponse::default()))
    }
}

pub(crate) async fn main() -> Result<String, BenchError> {
    let folder = TempDir::new()?;
    let mut system = System::start(Options::on_free_ports(folder.path())).await?;
    system.ready(Duration::from_secs(60)).await?;
    teach(&system).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let empty_url = format!("http://{}", listener.local_addr()?);
    let serving = Server::builder().add_service(PredictorServer::new(Empty));
    let empty =
        tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));
    let empty_figures = measure(&empty_url, "empty").await?;
    let figures = measure(&system.grpc_url(), "bench").await?;
    empty.abort();
    system.stop().await;
    let line = |name: &str, f: &Figures| {
        format!(
            "  {:>10.0} requests/s, {:>7.0} us median, {:>7.0} us 99th percentile   {name}\n",
            f.rate, f.median, f.high
        )
    };
    Ok(format!(
        "{}{}  {:>10.2} of the empty service's throughput\n",
        line("predictor, linear model, prediction log on", &figures),
        line("empty tonic service", &empty_figures),
        figures.rate / empty_figures.rate
    ))
}

/// Sends labelled rows until a model serves.
async fn teach(system: &System) -> Result<(), BenchError> {
    let url = format!("{}/v1/loops", system.console_url());
    reqwest::Client::new().put(url).body(stream::loop_file("bench", 500)).send().await?.error_for_status()?;
    let loop_id = LoopId::new("bench").map_err(|e| BenchError::Other(e.to_string()))?;
    let producer = Producer::with_bus(system.context().bus.clone(), &system.grpc_url(), loop_id)?;
    let rows = stream::rows(600);
    for (index, cells) in rows.iter().enumerate() {
        let row = Row { id: stream::id("teach", index), entity: None, features: stream::features(cells) };
        producer.observe(&row).await?;
        producer.label(&row.id, cells[stream::FEATURES].clone()).await?;
    }
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        let row = Row { id: stream::id("ask", 0), entity: None, features: stream::features(&rows[0]) };
        if producer.predict(&row).await?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(BenchError::Other("no model was promoted within a minute".to_owned()))
}

struct Figures {
    rate: f64,
    median: f64,
    high: f64,
}

async fn measure(url: &str, prefix: &str) -> Result<Figures, BenchError> {
    let channel: Channel = Endpoint::from_shared(url.to_owned())?.connect().await?;
    let rows = Arc::new(stream::rows(1_000));
    let started = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (mut asking, rows) = (PredictorClient::new(channel.clone()), Arc::clone(&rows));
        let prefix = format!("{prefix}-{client}");
        tokio::spawn(async move {
            let mut micros = Vec::new();
            let mut index = 0;
            while started.elapsed() < MEASURED {
                let cell = |v: tidemill_domain::Value| Value { kind: v.number().map(Kind::Number) };
                let features = stream::features(&rows[index % rows.len()]).into_iter();
                let request = PredictRequest {
                    r#loop: "bench".to_owned(),
                    prediction_id: stream::id(&prefix, index).to_string(),
                    entity: None,
                    features: features.map(|(name, v)| (name, cell(v))).collect(),
                };
                let asked = Instant::now();
                asking.predict(request).await.map_err(|e| BenchError::Other(e.to_string()))?;
                micros.push(asked.elapsed().as_secs_f64() * 1e6);
                index += 1;
            }
            Ok::<_, BenchError>(micros)
        })
    });
    let mut micros = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        micros.extend(client.await.map_err(|e| BenchError::Other(e.to_string()))??);
    }
    let rate = micros.len() as f64 / started.elapsed().as_secs_f64();
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros.get(((micros.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(0.0);
    Ok(Figures { rate, median: at(0.5), high: at(0.99) })
}

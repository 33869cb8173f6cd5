//! gRPC: requests in, answers out, never more than a set number at once.

use std::sync::Arc;

use tidemill_proto::v1;
use tidemill_proto::v1::predictor_server::Predictor;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

use crate::answer::{Ids, answer};
use crate::counted::Counted;
use crate::journal::Journal;
use crate::serving::{LoopState, Snapshot};

/// Rows in one request.
const MAX_ROWS: usize = 1_000;
/// Rows after which others get their turn.
const ROWS_AT_ONCE: usize = 16;

pub(crate) struct Rpc {
    pub(crate) in_force: watch::Receiver<Arc<Snapshot>>,
    pub(crate) journal: Journal,
    pub(crate) ids: Ids,
    pub(crate) room: Semaphore,
    pub(crate) counted: Counted,
}

impl Rpc {
    fn enter(&self) -> Result<SemaphorePermit<'_>, Status> {
        self.room.try_acquire().map_err(|_| {
            self.counted.row(Code::ResourceExhausted);
            Status::resource_exhausted("too many requests are under way: try again later")
        })
    }

    fn row(&self, request: v1::PredictRequest) -> Result<v1::PredictResponse, Status> {
        let in_force = Arc::clone(&self.in_force.borrow());
        let answered = answer(&in_force, &self.journal, &self.ids, request);
        self.counted.row(answered.as_ref().map_or_else(Status::code, |_| Code::Ok));
        answered
    }
}

#[tonic::async_trait]
impl Predictor for Rpc {
    async fn predict(
        &self,
        request: Request<v1::PredictRequest>,
    ) -> Result<Response<v1::PredictResponse>, Status> {
        let began = Instant::now();
        let _room = self.enter()?;
        let answered = self.row(request.into_inner()).map(Response::new);
        self.counted.took(began.elapsed());
        answered
    }

    async fn predict_batch(
        &self,
        request: Request<v1::PredictBatchRequest>,
    ) -> Result<Response<v1::PredictBatchResponse>, Status> {
        let began = Instant::now();
        let _room = self.enter()?;
        let requests = request.into_inner().requests;
        if requests.len() > MAX_ROWS {
            let message = format!("the batch has {} rows; at most {MAX_ROWS} are allowed", requests.len());
            return Err(Status::invalid_argument(message));
        }
        let mut results = Vec::with_capacity(requests.len());
        for (index, row) in requests.into_iter().enumerate() {
            if index % ROWS_AT_ONCE == ROWS_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            let result = match self.row(row) {
                Ok(answer) => v1::predict_result::Result::Answer(answer),
                Err(status) => v1::predict_result::Result::Problem(v1::Problem {
                    code: status.code().into(),
                    message: status.message().to_owned(),
                }),
            };
            results.push(v1::PredictResult { result: Some(result) });
        }
        self.counted.took(began.elapsed());
        Ok(Response::new(v1::PredictBatchResponse { results }))
    }

    async fn status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let wanted = request.into_inner().r#loop;
        let in_force = Arc::clone(&self.in_force.borrow());
        let loops = in_force.loops.iter().filter(|(id, _)| wanted.is_empty() || id.as_str() == wanted);
        let loops: Vec<_> = loops.map(|(id, state)| loop_status(id, state)).collect();
        if loops.is_empty() && !wanted.is_empty() {
            return Err(Status::not_found(format!("no loop of that name is applied: {}", in_force.names())));
        }
        Ok(Response::new(v1::StatusResponse { loops }))
    }
}

fn loop_status(loop_id: &tidemill_domain::LoopId, state: &LoopState) -> v1::LoopStatus {
    let routes = state.serving.router.table(loop_id).map(|table| table.routes.as_slice()).unwrap_or_default();
    let models = routes.iter().map(|route| v1::ModelStatus {
        model_version: route.model.model.version.to_string(),
        role: v1::Role::from(route.role).into(),
        weight: u32::from(route.weight),
    });
    v1::LoopStatus {
        r#loop: loop_id.to_string(),
        spec_version: state.spec_version,
        table_version: state.serving.table_version(loop_id),
        wanted_table_version: state.wanted,
        models: models.collect(),
    }
}

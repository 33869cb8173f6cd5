//! What the view keeps of the turn of a model that memory let go, so that it can be explained as if it were there.

use serde::de::DeserializeOwned;
use tidemill_console_core::{DatasetRecord, Past, Refused, TrialRecord, TriggerRecord};
use tidemill_domain::{LoopId, ModelVersion, TurnId};
use tidemill_events::training::{Trigger, TriggerCause};
use tidemill_view::{Transaction, Value, values};

use super::SqlView;
use super::error::SqlError;
use super::rows::{key, read};

/// Trials, and steps of the rollout, that are read at most, each.
const MAX_ROWS: u64 = 2_000;
/// Segments that are read.
const MAX_SEGMENTS: u64 = 20;

impl SqlView {
    /// The turn of the model whose name begins with `asked`; none if there is no such model.
    pub(crate) async fn past(&self, id: &LoopId, asked: &str) -> Result<Option<Past>, SqlError> {
        let mut tx = self.read().await?;
        let Some((version, turn)) = resolve(&mut tx, id, asked).await? else { return Ok(None) };
        let mut of = Asked { tx: &mut tx, loop_id: id.as_str() };
        let name = key(turn.as_str());
        let sql = "SELECT doc FROM triggers WHERE loop_id = $1 AND turn = $2 AND decision = 'accepted' ORDER BY sequence DESC";
        let trigger: Option<TriggerRecord> = of.one(sql, values![name.clone()]).await?;
        let (mut alert, mut dataset, mut spec) = (None, None::<DatasetRecord>, None);
        if let Some(Trigger::Accepted { cause, dataset: wanted, spec_version, .. }) =
            trigger.as_ref().map(|t| &t.trigger)
        {
            if let TriggerCause::Alert { event, .. } = cause {
                let sql = "SELECT doc FROM alerts WHERE loop_id = $1 AND event = $2 ORDER BY sequence DESC";
                alert = of.one(sql, values![key(event.as_str())]).await?;
            }
            let sql = "SELECT doc FROM datasets WHERE loop_id = $1 AND dataset = $2 ORDER BY sequence DESC";
            dataset = of.one(sql, values![key(wanted.as_str())]).await?;
            let sql = "SELECT doc FROM specs WHERE loop_id = $1 AND version = $2 ORDER BY sequence DESC";
            spec = of.one(sql, values![*spec_version]).await?;
        }
        let mut segments = Vec::new();
        if let Some(version) = &dataset {
            let sql =
                "SELECT s.doc FROM segments s JOIN datasets d ON d.loop_id = s.loop_id AND d.chain = s.chain
                       WHERE s.loop_id = $1 AND d.dataset = $2 AND d.sequence = $3 AND s.first_row < $4
                       ORDER BY s.first_row DESC, s.sequence DESC LIMIT $5";
            let named =
                values![key(version.dataset.as_str()), version.at.sequence, version.rows, MAX_SEGMENTS];
            segments = of.all(sql, named).await?;
        }
        let sql = "SELECT doc FROM trials WHERE loop_id = $1 AND turn = $2 ORDER BY sequence LIMIT $3";
        let trials: Vec<TrialRecord> = of.all(sql, values![name.clone(), MAX_ROWS]).await?;
        let n_trials =
            of.count("SELECT COUNT(*) FROM trials WHERE loop_id = $1 AND turn = $2", name.clone()).await?;
        let sql = "SELECT doc FROM candidates WHERE loop_id = $1 AND turn = $2 ORDER BY sequence DESC";
        let candidate = of.one(sql, values![name.clone()]).await?;
        let sql = "SELECT doc FROM verdicts WHERE loop_id = $1 AND turn = $2 ORDER BY sequence DESC";
        let verdict = of.one(sql, values![name]).await?;
        let sql = "SELECT doc FROM rollouts WHERE loop_id = $1 AND (version = $2 OR crowned = $2)
                   ORDER BY sequence DESC LIMIT $3";
        let mut steps: Vec<_> = of.all(sql, values![key(version.as_str()), MAX_ROWS]).await?;
        steps.reverse();
        let more_trials = n_trials.saturating_sub(trials.len() as u64);
        Ok(Some(Past {
            version,
            turn,
            trigger,
            alert,
            dataset,
            segments,
            spec,
            trials,
            more_trials,
            candidate,
            verdict,
            steps,
        }))
    }
}

/// Questions about a loop, whose name is the first value of each.
struct Asked<'a> {
    tx: &'a mut Transaction,
    loop_id: &'a str,
}

impl Asked<'_> {
    fn values(&self, values: Vec<Value>) -> Vec<Value> {
        std::iter::once(self.loop_id.into()).chain(values).collect()
    }

    async fn one<T: DeserializeOwned>(
        &mut self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Option<T>, SqlError> {
        let row = self.tx.one(&format!("{sql} LIMIT 1"), self.values(values)).await?;
        row.map(|row| read(&row, 0)).transpose()
    }

    async fn all<T: DeserializeOwned>(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<T>, SqlError> {
        self.tx.all(sql, self.values(values)).await?.iter().map(|row| read(row, 0)).collect()
    }

    async fn count(&mut self, sql: &str, value: Value) -> Result<u64, SqlError> {
        let row = self.tx.one(sql, self.values(vec![value])).await?;
        Ok(row.map(|row| row.count(0)).transpose()?.unwrap_or(0))
    }
}

/// The model whose name begins so, and the newest turn that proposed it.
async fn resolve(
    tx: &mut Transaction,
    id: &LoopId,
    asked: &str,
) -> Result<Option<(ModelVersion, TurnId)>, SqlError> {
    let sql = "SELECT version, turn FROM candidates
               WHERE loop_id = $1 AND SUBSTR(version, 1, CAST($2 AS INTEGER)) = $3 ORDER BY sequence DESC LIMIT 200";
    let rows = tx.all(sql, values![id.as_str(), asked.chars().count() as u64, asked]).await?;
    let mut found: Vec<(String, String)> = Vec::new();
    for row in &rows {
        let (version, turn) = (row.text(0)?, row.text(1)?);
        if found.iter().all(|(known, _)| known != &version) {
            found.push((version, turn));
        }
    }
    let exact = found.iter().position(|(version, _)| version == asked).unwrap_or(0);
    match found.as_slice() {
        [] => Ok(None),
        many if many.len() > 1 && many[exact].0 != asked => {
            let names: Vec<&str> = many.iter().take(10).map(|(version, _)| version.as_str()).collect();
            let what = format!("\"{asked}\" begins the names of {} models", many.len());
            Err(Refused::invalid(what, format!("write more of it: {}", names.join(", "))).into())
        }
        many => {
            let (version, turn) = many[exact].clone();
            Ok(Some((ModelVersion::new(version), TurnId::new(turn))))
        }
    }
}

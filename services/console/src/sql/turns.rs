//! Rows of turns and their trials, which later events change.

use tidemill_console_core::{At, TrialRecord, TriggerRecord, TurnSummary};
use tidemill_domain::{TrialId, TurnId};
use tidemill_events::Recorded;
use tidemill_events::training::{Trial, Trigger};
use tidemill_view::{Transaction, Value, values};

use super::error::SqlError;
use super::rows::{doc, key, read, some_key, word};

type Done = Result<(), SqlError>;

/// Stands for the score where there is none: it comes last.
const NO_SCORE: f64 = f64::MAX;

/// Changes a turn, which is made where it is not known yet.
pub(super) async fn change(
    tx: &mut Transaction,
    input: &Recorded,
    turn: &TurnId,
    change: impl FnOnce(&mut TurnSummary),
) -> Done {
    let (loop_id, name) = (input.subject.loop_id.as_str(), key(turn.as_str()));
    let sql = "SELECT doc FROM turns WHERE loop_id = $1 AND turn = $2";
    let known = tx.one(sql, values![loop_id, name.clone()]).await?.map(|row| read(&row, 0)).transpose()?;
    let mut summary = known.unwrap_or_else(|| TurnSummary::new(turn.clone()));
    change(&mut summary);
    tx.run(
        "INSERT INTO turns (loop_id, sequence, turn, stage, outcome, cause, doc) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (loop_id, turn) DO UPDATE SET stage = excluded.stage, outcome = excluded.outcome,
             cause = excluded.cause, doc = excluded.doc",
        values![
            loop_id,
            input.sequence,
            name,
            word(&summary.stage),
            word(&summary.outcome),
            summary.cause.as_ref().map_or("", |cause| cause.name()),
            doc(&summary)?
        ],
    )
    .await?;
    Ok(())
}

/// A decision about a trigger.
pub(super) async fn trigger(tx: &mut Transaction, input: &Recorded, trigger: &Trigger) -> Done {
    let record = TriggerRecord { at: At::of(input), trigger: trigger.clone() };
    let (decision, turn) = match trigger {
        Trigger::Accepted { turn, .. } => ("accepted", Some(turn)),
        Trigger::Closed { turn, .. } => ("closed", Some(turn)),
        Trigger::Declined { .. } => ("declined", None),
    };
    tx.run(
        "INSERT INTO triggers (loop_id, sequence, decision, turn, doc) VALUES ($1, $2, $3, $4, $5)",
        values![
            input.subject.loop_id.as_str(),
            input.sequence,
            decision,
            some_key(turn.map(TurnId::as_str)),
            doc(&record)?
        ],
    )
    .await?;
    match turn {
        Some(turn) => change(tx, input, turn, |summary| summary.decided(&record)).await,
        None => Ok(()),
    }
}

/// A trial was planned, or it ended; the first of each counts.
pub(super) async fn trial(tx: &mut Transaction, input: &Recorded, trial: &Trial) -> Done {
    let at = At::of(input);
    match trial {
        Trial::Planned { job } => {
            let record = TrialRecord::of(at, job);
            let sql = "INSERT INTO trials (loop_id, turn, trial, state, score, cost, doc, sequence, algorithm, purpose)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                       ON CONFLICT (loop_id, turn, trial) DO NOTHING";
            let mut values = columns(input, &record)?;
            values.extend(values![input.sequence, word(&record.algorithm), word(&record.purpose)]);
            if tx.run(sql, values).await? > 0 {
                change(tx, input, &job.turn, TurnSummary::planned).await?;
            }
            Ok(())
        }
        Trial::Finished { trial, turn, result } => {
            end(tx, input, turn, trial, |known| known.finish(at, result)).await
        }
        Trial::Failed { trial, turn, reason } => {
            end(tx, input, turn, trial, |known| known.fail(at, reason)).await
        }
    }
}

async fn end(
    tx: &mut Transaction,
    input: &Recorded,
    turn: &TurnId,
    trial: &TrialId,
    end: impl FnOnce(&mut TrialRecord),
) -> Done {
    let sql = "SELECT doc FROM trials WHERE loop_id = $1 AND turn = $2 AND trial = $3 AND state = 'planned'";
    let named = values![input.subject.loop_id.as_str(), key(turn.as_str()), key(trial.as_str())];
    let Some(row) = tx.one(sql, named).await? else { return Ok(()) };
    let mut record: TrialRecord = read(&row, 0)?;
    end(&mut record);
    tx.run(
        "UPDATE trials SET state = $4, score = $5, cost = $6, doc = $7 WHERE loop_id = $1 AND turn = $2 AND trial = $3",
        columns(input, &record)?,
    )
    .await?;
    change(tx, input, turn, |summary| summary.ended(&record)).await
}

/// What names a trial, and what changes when it ends.
fn columns(input: &Recorded, record: &TrialRecord) -> Result<Vec<Value>, SqlError> {
    Ok(values![
        input.subject.loop_id.as_str(),
        key(record.turn.as_str()),
        key(record.trial.as_str()),
        word(&record.state),
        record.score.unwrap_or(NO_SCORE),
        record.cost(),
        doc(record)?
    ])
}

//! Events as rows. Each event is taken once, in order, in a transaction with the position, so a row may build on those before.

use std::collections::BTreeSet;

use tidemill_console_core::{
    AlertRecord, At, CandidateRecord, CommandRecord, DatasetRecord, Place, RolloutRecord, SpecRecord,
    StepCause, VerdictRecord, WindowRecord,
};
use tidemill_domain::{EventId, ModelVersion};
use tidemill_events::dataset::DatasetCreated;
use tidemill_events::event::SpecApplied;
use tidemill_events::monitor::{Alert, LoopWindow};
use tidemill_events::rollout::Rollout;
use tidemill_events::training::Candidate;
use tidemill_events::verdict::Verdict;
use tidemill_events::{Command, Event, Recorded};
use tidemill_view::{Transaction, values};

use super::error::SqlError;
use super::rows::{doc, key, read, some_key, word};
use super::turns;

type Done = Result<(), SqlError>;

/// Takes events of the loops' logs.
pub(super) async fn loops(tx: &mut Transaction, events: &[&Recorded]) -> Done {
    let mut known = BTreeSet::new();
    for input in events {
        let loop_id = input.subject.loop_id.as_str();
        if let Event::Spec(applied) = &input.event {
            spec(tx, input, applied).await?;
            known.insert(loop_id);
            continue;
        }
        // As in memory, events of loops without a spec are passed over.
        if !known.contains(loop_id) {
            if tx.one("SELECT 1 FROM loops WHERE loop_id = $1", values![loop_id]).await?.is_none() {
                continue;
            }
            known.insert(loop_id);
        }
        event(tx, input).await?;
    }
    Ok(())
}

async fn event(tx: &mut Transaction, input: &Recorded) -> Done {
    match &input.event {
        Event::Alert(alert) => self::alert(tx, input, alert).await,
        Event::Candidate(candidate) => self::candidate(tx, input, candidate).await,
        Event::Command(command) => self::command(tx, input, command).await,
        Event::Dataset(created) => dataset(tx, input, created).await,
        Event::Rollout(rollout) => self::rollout(tx, input, rollout).await,
        Event::Trial(trial) => turns::trial(tx, input, trial).await,
        Event::Trigger(trigger) => turns::trigger(tx, input, trigger).await,
        Event::Verdict(verdict) => self::verdict(tx, input, verdict).await,
        Event::Window(window) => self::window(tx, input, window).await,
        // Reports count once the trainer and the evaluator took them; claims and ticks say nothing to people.
        Event::Report(_) | Event::Claimed(_) | Event::Tick(_) | Event::Unknown { .. } => Ok(()),
        // Taken before, or not on this stream.
        Event::Clean(_)
        | Event::Dead(_)
        | Event::Intake(_)
        | Event::PartWindow(_)
        | Event::Quarantined(_)
        | Event::Sample(_)
        | Event::Segment(_)
        | Event::Spec(_)
        | Event::Work(_) => Ok(()),
    }
}

async fn spec(tx: &mut Transaction, input: &Recorded, applied: &SpecApplied) -> Done {
    let (loop_id, record) = (input.subject.loop_id.as_str(), SpecRecord::of(At::of(input), applied));
    let text = doc(&record)?;
    tx.run(
        "INSERT INTO specs (loop_id, sequence, version, doc) VALUES ($1, $2, $3, $4)",
        values![loop_id, input.sequence, record.version, text.clone()],
    )
    .await?;
    tx.run(
        "INSERT INTO loops (loop_id, sequence, spec_version, doc) VALUES ($1, $2, $3, $4)
         ON CONFLICT (loop_id) DO UPDATE SET spec_version = excluded.spec_version, doc = excluded.doc",
        values![loop_id, input.sequence, record.version, text],
    )
    .await?;
    Ok(())
}

async fn command(tx: &mut Transaction, input: &Recorded, command: &Command) -> Done {
    let record = CommandRecord::of(At::of(input), command);
    tx.run(
        "INSERT INTO commands (loop_id, sequence, event, kind, doc) VALUES ($1, $2, $3, $4, $5)",
        values![
            input.subject.loop_id.as_str(),
            input.sequence,
            key(input.meta.id.as_str()),
            record.kind.name(),
            doc(&record)?
        ],
    )
    .await?;
    Ok(())
}

async fn dataset(tx: &mut Transaction, input: &Recorded, created: &DatasetCreated) -> Done {
    let (loop_id, record) = (input.subject.loop_id.as_str(), DatasetRecord::of(At::of(input), created));
    let chain = match &record.parent {
        Some(parent) => {
            let sql = "SELECT chain FROM datasets WHERE loop_id = $1 AND dataset = $2 ORDER BY sequence DESC LIMIT 1";
            let found = tx.one(sql, values![loop_id, key(parent.as_str())]).await?;
            found.map(|row| row.text(0)).transpose()?.unwrap_or_else(|| parent.as_str().to_owned())
        }
        None => record.dataset.as_str().to_owned(),
    };
    for segment in record.segments() {
        tx.run(
            "INSERT INTO segments (loop_id, sequence, chain, first_row, doc) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (loop_id, chain, first_row, sequence) DO NOTHING",
            values![loop_id, input.sequence, key(&chain), segment.first_row, doc(&segment)?],
        )
        .await?;
    }
    tx.run(
        "INSERT INTO datasets (loop_id, sequence, dataset, chain, n_rows, n_segments, doc)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        values![
            loop_id,
            input.sequence,
            key(record.dataset.as_str()),
            key(&chain),
            record.rows,
            record.segments,
            doc(&record)?
        ],
    )
    .await?;
    Ok(())
}

async fn window(tx: &mut Transaction, input: &Recorded, window: &LoopWindow) -> Done {
    let record = WindowRecord { at: At::of(input), window: window.clone() };
    tx.run(
        "INSERT INTO windows (loop_id, sequence, kind, version, number, doc) VALUES ($1, $2, $3, $4, $5, $6)",
        values![
            input.subject.loop_id.as_str(),
            input.sequence,
            word(&window.key.kind),
            some_key(window.key.version.as_ref().map(ModelVersion::as_str)),
            window.key.index,
            doc(&record)?
        ],
    )
    .await?;
    Ok(())
}

async fn alert(tx: &mut Transaction, input: &Recorded, alert: &Alert) -> Done {
    let (loop_id, window) = (input.subject.loop_id.as_str(), &alert.window);
    let sql = "SELECT doc FROM windows WHERE loop_id = $1 AND kind = $2 AND version = $3 AND number = $4
               ORDER BY sequence DESC LIMIT 1";
    let of = some_key(window.version.as_ref().map(ModelVersion::as_str));
    let measured = tx.one(sql, values![loop_id, word(&window.kind), of, window.index]).await?;
    let measured = measured.map(|row| read(&row, 0)).transpose()?;
    let record = AlertRecord { at: At::of(input), alert: alert.clone(), measured };
    tx.run(
        "INSERT INTO alerts (loop_id, sequence, event, kind, state, version, doc) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        values![
            loop_id,
            input.sequence,
            key(input.meta.id.as_str()),
            word(&alert.alert),
            word(&alert.state),
            some_key(alert.version.as_ref().map(ModelVersion::as_str)),
            doc(&record)?
        ],
    )
    .await?;
    Ok(())
}

async fn candidate(tx: &mut Transaction, input: &Recorded, candidate: &Candidate) -> Done {
    let (loop_id, turn) = (input.subject.loop_id.as_str(), &candidate.model.turn);
    let record = CandidateRecord::of(At::of(input), candidate);
    turns::change(tx, input, turn, |summary| summary.proposed(&record)).await?;
    for (number, standing) in (1u64..).zip(&candidate.leaderboard) {
        let place = Place {
            at: record.at.clone(),
            turn: turn.clone(),
            candidate: record.version.clone(),
            place: number,
            trial: standing.trial.clone(),
            choice: standing.choice.clone(),
            score: standing.score,
            won: record.won.iter().any(|(trial, _)| trial == &standing.trial),
        };
        tx.run(
            "INSERT INTO places (loop_id, sequence, turn, place, algorithm, doc) VALUES ($1, $2, $3, $4, $5, $6)",
            values![
                loop_id,
                input.sequence,
                key(turn.as_str()),
                number,
                word(&standing.choice.algorithm),
                doc(&place)?
            ],
        )
        .await?;
    }
    tx.run(
        "INSERT INTO candidates (loop_id, sequence, turn, version, doc) VALUES ($1, $2, $3, $4, $5)",
        values![loop_id, input.sequence, key(turn.as_str()), key(record.version.as_str()), doc(&record)?],
    )
    .await?;
    Ok(())
}

async fn verdict(tx: &mut Transaction, input: &Recorded, verdict: &Verdict) -> Done {
    let loop_id = input.subject.loop_id.as_str();
    let record = VerdictRecord::of(At::of(input), verdict);
    turns::change(tx, input, &verdict.turn, |summary| summary.judged(&record)).await?;
    for (number, gate) in (1u64..).zip(&record.gates) {
        tx.run(
            "INSERT INTO gates (loop_id, sequence, number, turn, name, outcome, doc) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            values![
                loop_id,
                input.sequence,
                number,
                key(verdict.turn.as_str()),
                key(&gate.name),
                word(&gate.outcome),
                doc(gate)?
            ],
        )
        .await?;
    }
    tx.run(
        "INSERT INTO verdicts (loop_id, sequence, turn, version, outcome, doc) VALUES ($1, $2, $3, $4, $5, $6)",
        values![
            loop_id,
            input.sequence,
            key(verdict.turn.as_str()),
            key(record.version.as_str()),
            word(&record.outcome),
            doc(&record)?
        ],
    )
    .await?;
    Ok(())
}

async fn rollout(tx: &mut Transaction, input: &Recorded, rollout: &Rollout) -> Done {
    let loop_id = input.subject.loop_id.as_str();
    let sql = "SELECT champion FROM rollouts WHERE loop_id = $1 ORDER BY sequence DESC LIMIT 1";
    let before = tx.one(sql, values![loop_id]).await?.map(|row| row.text(0)).transpose()?;
    let before = before.filter(|name| !name.is_empty()).map(ModelVersion::new);
    let cause = match &input.meta.causation {
        Some(id) => step_cause(tx, loop_id, id).await?,
        None => None,
    };
    let record = RolloutRecord::of(At::of(input), rollout, before, cause);
    let name = |version: Option<&ModelVersion>| some_key(version.map(ModelVersion::as_str));
    tx.run(
        "INSERT INTO rollouts (loop_id, sequence, step, version, crowned, champion, doc)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        values![
            loop_id,
            input.sequence,
            word(&record.step),
            name(record.version.as_ref()),
            name(record.crowned()),
            name(record.champion()),
            doc(&record)?
        ],
    )
    .await?;
    Ok(())
}

/// The command or alert that is `id`.
async fn step_cause(
    tx: &mut Transaction,
    loop_id: &str,
    id: &EventId,
) -> Result<Option<StepCause>, SqlError> {
    let sql = "SELECT doc FROM commands WHERE loop_id = $1 AND event = $2 ORDER BY sequence DESC LIMIT 1";
    if let Some(row) = tx.one(sql, values![loop_id, key(id.as_str())]).await? {
        return Ok(Some(StepCause::Command(read(&row, 0)?)));
    }
    let sql = "SELECT doc FROM alerts WHERE loop_id = $1 AND event = $2 ORDER BY sequence DESC LIMIT 1";
    let alert = tx.one(sql, values![loop_id, key(id.as_str())]).await?;
    Ok(alert.map(|row| read(&row, 0)).transpose()?.map(|record| StepCause::Alert(Box::new(record))))
}

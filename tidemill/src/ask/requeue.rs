//! `tidemill quarantine replay`: refused rows go into the stream again, once the loop file takes them.
//!
//! A row that is sent again is a new one: its id ends in the version of the spec that it is sent under, so that the same
//! command twice changes nothing, and a row that is refused again can be sent again after the next version. What is written
//! names the refused row as its cause.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Deserialize;
use tidemill_bus::{Bus, BusConfig};
use tidemill_console_core::{QuarantineAnswer, QuarantineRecord, Status};
use tidemill_domain::{Label, PredictionId, PredictionRecord};
use tidemill_events::intake::{encode_label, encode_prediction};
use tidemill_events::{Intake, Subject, Topic};

use super::args::QuarantineReplayArgs;
use super::client::{AskError, Client};
use super::words::count;

/// Rows that are asked for at once.
const PAGE: usize = 500;

/// What the payload of a refused row can be.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Refused {
    /// A row with its label.
    Labelled { prediction: PredictionRecord, label: Label },
    /// A row.
    Prediction(PredictionRecord),
    /// A label without a row.
    Label(Label),
}

/// What is sent for a refused row: at most a prediction and its label.
#[derive(Debug, PartialEq)]
pub(super) struct Again {
    pub(super) id: PredictionId,
    pub(super) messages: Vec<(Intake, Vec<u8>)>,
}

/// The row anew; `None` where what was sent could not be read at all.
pub(super) fn again(record: &QuarantineRecord, spec_version: u64) -> Option<Again> {
    let renewed = |id: &PredictionId| PredictionId::new(format!("{id}~v{spec_version}"));
    let of_label = |label: Label, id: &PredictionId| {
        (Intake::Label, encode_label(&Label { prediction_id: id.clone(), ..label }))
    };
    let (id, messages) = match serde_json::from_str(&record.row.payload).ok()? {
        Refused::Labelled { prediction, label } => {
            let id = renewed(&prediction.prediction_id);
            let prediction = PredictionRecord { prediction_id: id.clone(), ..prediction };
            let messages = vec![(Intake::Prediction, encode_prediction(&prediction)), of_label(label, &id)];
            (id, messages)
        }
        Refused::Prediction(prediction) => {
            let id = renewed(&prediction.prediction_id);
            let prediction = PredictionRecord { prediction_id: id.clone(), ..prediction };
            let messages = vec![(Intake::Prediction, encode_prediction(&prediction))];
            (id, messages)
        }
        // Its prediction goes by its old id, if it ever comes.
        Refused::Label(label) => {
            let id = label.prediction_id.clone();
            (id.clone(), vec![of_label(label, &id)])
        }
    };
    Some(Again { id, messages })
}

pub(super) async fn run(args: QuarantineReplayArgs) -> Result<(), AskError> {
    let client = super::client(&args.to)?;
    let name = args.name.as_str();
    let status: Status = read(client.get(&["loops", name], &[]).await?)?;
    let version = status.spec.as_ref().map_or(0, |s| s.version);
    let rows = rows(&client, &args).await?;
    let found = rows.len();
    let config = BusConfig {
        url: args.nats_url.clone(),
        credentials: None,
        name: format!("tidemill-quarantine {name}"),
    };
    let bus = Bus::connect(config).await.map_err(AskError::Bus)?;
    let (mut sent, mut unreadable) = (0_u64, 0_u64);
    for record in &rows {
        let Some(again) = again(record, version) else {
            unreadable += 1;
            continue;
        };
        let cause = format!("quarantine/{}/{}", record.partition, record.sequence);
        for (kind, payload) in again.messages {
            let subject = Subject::new(args.name.clone(), Topic::Intake(kind)).to_string();
            let message_id = format!("{subject}/{}/{}", again.id, record.sequence);
            let headers = [("ce-causationid", cause.as_str())];
            let stored = bus.publish_raw(&subject, Some(&message_id), &headers, Bytes::from(payload)).await;
            stored.map_err(AskError::Bus)?;
        }
        sent += 1;
    }
    let told = serde_json::json!({ "found": found, "sent": sent, "unreadable": unreadable, "spec_version": version });
    super::show(told, args.to.json, |_: &serde_json::Value| {
        let mut text = format!("{} refused rows were sent again, under spec {version}\n", count(sent));
        if unreadable > 0 {
            text += &format!(
                "{} could not be read at all: send them again from their source\n",
                count(unreadable)
            );
        }
        text
    })
}

/// The refused rows that are meant, oldest first, at most as many as were asked for.
async fn rows(client: &Client, args: &QuarantineReplayArgs) -> Result<Vec<QuarantineRecord>, AskError> {
    let name = args.name.as_str();
    if let Some(row) = &args.row {
        return Ok(vec![read(client.get(&["loops", name, "quarantine", row], &[]).await?)?]);
    }
    let mut rows: Vec<QuarantineRecord> = Vec::new();
    let mut after: Option<String> = None;
    while rows.len() < args.limit {
        let mut query = vec![("limit", PAGE.min(args.limit - rows.len()).to_string())];
        query.extend(after.take().map(|cursor| ("after", cursor)));
        let page: QuarantineAnswer = read(client.get(&["loops", name, "quarantine"], &query).await?)?;
        rows.extend(page.rows);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    // A row may be refused twice, as it came and once more with its label: the later one has all that is known.
    let labelled: BTreeSet<PredictionId> =
        rows.iter().filter(|r| r.row.labelled).filter_map(|r| r.row.prediction_id.clone()).collect();
    rows.retain(|r| r.row.labelled || r.row.prediction_id.as_ref().is_none_or(|id| !labelled.contains(id)));
    rows.reverse();
    Ok(rows)
}

fn read<T: serde::de::DeserializeOwned>(answer: serde_json::Value) -> Result<T, AskError> {
    serde_json::from_value(answer).map_err(|source| AskError::Answer { source: source.into() })
}

#[cfg(test)]
mod tests {
    use tidemill_domain::sample::LabelSource;
    use tidemill_domain::{Timestamp, Value};
    use tidemill_events::sample::Quarantined;

    use super::*;

    fn refused(payload: String) -> QuarantineRecord {
        let row = Quarantined { prediction_id: None, payload, reasons: vec![], labelled: false };
        QuarantineRecord { sequence: 7, time: Timestamp(0), partition: 0, row }
    }

    fn record() -> PredictionRecord {
        let features = [("x".to_owned(), Value::Number(1.0))].into();
        let prediction_id = PredictionId::new("p-1");
        PredictionRecord { prediction_id, entity: None, time: Timestamp(1), features, scored: vec![] }
    }

    fn label() -> Label {
        let source = LabelSource::Human;
        let prediction_id = PredictionId::new("p-1");
        Label { prediction_id, label: Value::Text("a".into()), source, time: Timestamp(2) }
    }

    #[test]
    fn a_row_and_its_label_get_the_same_new_id() {
        let payload = serde_json::json!({ "prediction": record(), "label": label() }).to_string();
        let again = again(&refused(payload), 3).unwrap();
        assert_eq!(again.id.as_str(), "p-1~v3");
        let texts: Vec<String> =
            again.messages.iter().map(|m| String::from_utf8_lossy(&m.1).into_owned()).collect();
        assert_eq!(texts.len(), 2);
        assert!(texts.iter().all(|t| t.contains("\"p-1~v3\"")), "{texts:?}");
    }

    #[test]
    fn a_lone_row_and_a_lone_label() {
        let row = again(&refused(serde_json::to_string(&record()).unwrap()), 2).unwrap();
        assert_eq!((row.id.as_str(), row.messages.len()), ("p-1~v2", 1));
        let lone = again(&refused(serde_json::to_string(&label()).unwrap()), 2).unwrap();
        assert_eq!((lone.id.as_str(), lone.messages[0].0), ("p-1", Intake::Label));
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        assert_eq!(again(&refused("{ not json".to_owned()), 1), None);
        assert_eq!(again(&refused("[]".to_owned()), 1), None);
    }
}

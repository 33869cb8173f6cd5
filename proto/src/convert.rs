//! Between messages and what the house calls by its own names.

use prost_types::Timestamp as Instant;
use tidemill_domain::{LabelSource, ModelVersion, Output, PredictionId, Scored, Timestamp, Value};
use tidemill_events::rollout;

use crate::v1;

/// The first and the last second of a well-known timestamp: the years 1 to 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
const MICROS: i64 = 1_000_000;

impl From<v1::Value> for Value {
    fn from(value: v1::Value) -> Self {
        match value.kind {
            None => Self::Missing,
            Some(v1::value::Kind::Flag(flag)) => Self::Text(flag.to_string()),
            Some(v1::value::Kind::Number(number)) => Self::Number(number),
            Some(v1::value::Kind::Text(text)) => Self::Text(text),
        }
    }
}

impl From<Value> for v1::Value {
    fn from(value: Value) -> Self {
        let kind = match value {
            Value::Missing => None,
            Value::Number(number) => Some(v1::value::Kind::Number(number)),
            Value::Text(text) => Some(v1::value::Kind::Text(text)),
        };
        Self { kind }
    }
}

impl From<rollout::Role> for v1::Role {
    fn from(role: rollout::Role) -> Self {
        match role {
            rollout::Role::Champion => Self::Champion,
            rollout::Role::Challenger => Self::Challenger,
            rollout::Role::Shadow => Self::Shadow,
        }
    }
}

impl From<LabelSource> for v1::LabelSource {
    fn from(source: LabelSource) -> Self {
        match source {
            LabelSource::Application => Self::Application,
            LabelSource::Feedback => Self::Feedback,
            LabelSource::Human => Self::Human,
            LabelSource::Rule => Self::Rule,
        }
    }
}

impl From<Scored> for v1::Scored {
    fn from(scored: Scored) -> Self {
        let output = match scored.output {
            Output::Number(number) => v1::scored::Output::Number(number),
            Output::Classes(classes) => {
                let named = |(name, probability)| v1::ClassProbability { name, probability };
                let classes = classes.into_iter().map(named).collect();
                v1::scored::Output::Classes(v1::ClassProbabilities { classes })
            }
        };
        Self { model_version: scored.version.to_string(), output: Some(output) }
    }
}

impl v1::Scored {
    /// What the model said, if the message says anything.
    pub(crate) fn into_domain(self) -> Option<Scored> {
        let output = match self.output? {
            v1::scored::Output::Number(number) => Output::Number(number),
            v1::scored::Output::Classes(list) => {
                Output::Classes(list.classes.into_iter().map(|c| (c.name, c.probability)).collect())
            }
        };
        Some(Scored { version: ModelVersion::new(self.model_version), output })
    }
}

/// The answer to a client.
#[must_use]
pub fn response(id: &PredictionId, answer: &Scored, served_at: Timestamp) -> v1::PredictResponse {
    let probabilities = match &answer.output {
        Output::Classes(classes) => classes.iter().cloned().collect(),
        Output::Number(_) => std::collections::BTreeMap::new(),
    };
    v1::PredictResponse {
        prediction_id: id.to_string(),
        prediction: Some(answer.output.point().into()),
        probabilities,
        model_version: answer.version.to_string(),
        served_at: Some(timestamp(served_at)),
    }
}

/// An instant as a message.
#[must_use]
pub fn timestamp(time: Timestamp) -> Instant {
    let nanos = i32::try_from(time.0.rem_euclid(MICROS) * 1_000).unwrap_or(0);
    Instant { seconds: time.0.div_euclid(MICROS), nanos }
}

/// The instant of a message, to the microsecond; `None` outside of the years 1 to 9999.
#[must_use]
pub fn instant(message: &Instant) -> Option<Timestamp> {
    if !SECONDS.contains(&message.seconds) || !(0..1_000_000_000).contains(&message.nanos) {
        return None;
    }
    Some(Timestamp(message.seconds * MICROS + i64::from(message.nanos / 1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn instants_survive(micros in -62_135_596_800_000_000_i64..=253_402_300_799_999_999) {
            proptest::prop_assert_eq!(instant(&timestamp(Timestamp(micros))), Some(Timestamp(micros)));
        }

        #[test]
        fn any_message_is_read(seconds: i64, nanos: i32) {
            let _ = instant(&Instant { seconds, nanos });
        }
    }

    #[test]
    fn flags_are_categories() {
        let flag = v1::Value { kind: Some(v1::value::Kind::Flag(true)) };
        assert_eq!(Value::from(flag), Value::Text("true".into()));
        assert_eq!(Value::from(v1::Value { kind: None }), Value::Missing);
    }
}

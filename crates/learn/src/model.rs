//! A model: preprocessing, estimator and answers in one, its artefact, and the checks when one is read.
//!
//! The artefact is JSON: versioned, keys in order, nothing in it that depends on the machine, the time or the order of a
//! hash map. Must not know how models are fitted.

use serde::{Deserialize, Serialize};
use tidemill_domain::{Algorithm, ContentHash, Output, Value};

use crate::boosting::Boosting;
use crate::calibrate::{Judged, softmax, temperature};
use crate::ensemble::Ensemble;
use crate::error::BundleError;
use crate::fit::TrainRow;
use crate::linear::Linear;
use crate::mlp::Mlp;
use crate::target::Unit;
use crate::validate::finite;

/// The version of the artefact's format.
pub const FORMAT: u32 = 1;

/// Below so many rows, calibration has too little to go by.
const FEWEST_TO_CALIBRATE: usize = 40;

/// A fitted model with its preprocessing. It predicts the same bits wherever it is loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Draft")]
pub struct Model {
    pub(crate) algorithm: Algorithm,
    pub(crate) answers: Answers,
    pub(crate) estimator: Estimator,
    /// Rows that it learnt from.
    pub(crate) rows: u64,
    pub(crate) schema_hash: ContentHash,
}

/// How scores become answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Answers {
    /// Probabilities of these classes, which are sorted; scores are drawn to the anchor by the temperature.
    Classes { anchor: Vec<f64>, names: Vec<String>, temperature: f64 },
    /// A number in a unit.
    Number(Unit),
}

/// What turns features into scores: one per class, or one number in standard deviations from the mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Estimator {
    /// Trees.
    Boosting(Boosting),
    /// The same scores for every row.
    Constant(Vec<f64>),
    /// Several models.
    Ensemble(Ensemble),
    /// A linear model.
    Linear(Linear),
    /// A network.
    Mlp(Mlp),
}

impl Answers {
    /// The classes, sorted; `None` for numbers.
    pub(crate) fn classes(&self) -> Option<&[String]> {
        match self {
            Self::Classes { names, .. } => Some(names),
            Self::Number(_) => None,
        }
    }
}

impl Estimator {
    /// One score per class, or one number, for what is to be answered.
    pub(crate) fn scores(&self, features: &[Value], answers: &Answers) -> Vec<f64> {
        let classes = answers.classes().map_or(0, <[String]>::len);
        match self {
            Self::Boosting(b) => b.scores(features, classes),
            Self::Constant(scores) => scores.clone(),
            Self::Ensemble(e) => e.scores(features, answers),
            Self::Linear(l) => {
                let mut scores = l.outputs(features);
                if classes == 2 {
                    // One output: the logit of the second class against the first.
                    scores.insert(0, 0.0);
                }
                scores
            }
            Self::Mlp(m) => m.scores(features),
        }
    }

    fn check(&self, answers: &Answers) -> Result<(), String> {
        let classes = answers.classes().map_or(0, <[String]>::len);
        match self {
            Self::Boosting(b) => b.check(classes),
            Self::Constant(scores) if scores.len() == classes.max(1) => finite(scores.iter().copied()),
            Self::Ensemble(e) => e.check(answers),
            Self::Constant(_) => Err("the constant scores do not match the classes".to_owned()),
            Self::Linear(l) => l.check(if classes > 2 { classes } else { 1 }),
            Self::Mlp(m) => m.check(classes),
        }
    }
}

impl Model {
    /// The answer for one row, its features in schema order. Cells that are absent or of the wrong type count as missing,
    /// categories that training did not meet as rare ones.
    ///
    /// Probabilities are within 0 and 1, sum to 1 and stand in the order of the sorted class names.
    #[must_use]
    pub fn predict(&self, features: &[Value]) -> Output {
        let scores = self.estimator.scores(features, &self.answers);
        match &self.answers {
            Answers::Number(unit) => Output::Number(unit.number_at(scores.first().copied().unwrap_or(0.0))),
            Answers::Classes { anchor, names, temperature } => {
                let p = softmax(&scores, anchor, *temperature);
                Output::Classes(names.iter().cloned().zip(p).collect())
            }
        }
    }

    /// The answers for many rows, in their order.
    #[must_use]
    pub fn predict_many(&self, rows: &[&[Value]]) -> Vec<Output> {
        rows.iter().map(|row| self.predict(row)).collect()
    }

    /// How over-confident it is on rows that it did not learn from: the temperature in 1 to 10 at which their log loss is
    /// least. `None` for numbers, for a model that looks at no feature, and where too few of the rows are of its classes.
    #[must_use]
    pub fn temperature_on(&self, rows: &[TrainRow<'_>]) -> Option<f64> {
        let Answers::Classes { anchor, names, .. } = &self.answers else { return None };
        if matches!(self.estimator, Estimator::Constant(_)) {
            return None;
        }
        let judged: Vec<Judged> = rows
            .iter()
            .filter_map(|row| {
                let Value::Text(name) = row.target else { return None };
                // A class that it does not know says nothing of its confidence.
                let class = names.binary_search(name).ok()?;
                let scores = self.estimator.scores(row.features, &self.answers);
                Some(Judged { scores, class, weight: row.weight })
            })
            .collect();
        (judged.len() >= FEWEST_TO_CALIBRATE).then(|| temperature(&judged, anchor))
    }

    /// The same model, whose confidence is drawn to that of the class frequencies by this temperature (0.01 to 100; 1 leaves
    /// it as it is).
    #[must_use]
    pub fn tempered(mut self, by: f64) -> Self {
        if let Answers::Classes { temperature, .. } = &mut self.answers {
            *temperature = by.clamp(0.01, 100.0);
        }
        self
    }

    /// The family of its learner.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash of the schema it was fitted under; rows of another schema mean something else.
    #[must_use]
    pub fn schema_hash(&self) -> &ContentHash {
        &self.schema_hash
    }

    /// The classes it knows, sorted; `None` for a model of numbers.
    #[must_use]
    pub fn classes(&self) -> Option<&[String]> {
        self.answers.classes()
    }

    /// Rows that it learnt from.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many numbers it learnt: coefficients, weights, or splits and leaves.
    #[must_use]
    pub fn n_parameters(&self) -> u64 {
        match &self.estimator {
            Estimator::Boosting(b) => b.n_parameters(),
            Estimator::Constant(scores) => scores.len() as u64,
            Estimator::Ensemble(e) => e.n_parameters(),
            Estimator::Linear(l) => l.n_parameters(),
            Estimator::Mlp(m) => m.n_parameters(),
        }
    }

    /// The artefact. Equal models have equal bytes.
    ///
    /// # Errors
    /// When it cannot be written down; a fitted model always can.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        #[derive(Serialize)]
        struct Bundle<'a> {
            format: u32,
            model: &'a Model,
        }
        Ok(serde_json::to_vec(&Bundle { format: FORMAT, model: self })?)
    }

    /// Reads an artefact, from whomever.
    ///
    /// # Errors
    /// [`BundleError`] for anything but a model of this format whose parts fit each other.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Bundle {
            #[serde(rename = "format")]
            _format: u32,
            model: Draft,
        }
        let Header { format } = serde_json::from_slice(bytes)?;
        if format != FORMAT {
            return Err(BundleError::Format { found: format, expected: FORMAT });
        }
        let Bundle { model, .. } = serde_json::from_slice(bytes)?;
        Self::try_from(model).map_err(BundleError::Inconsistent)
    }
}

/// A model as read, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    algorithm: Algorithm,
    answers: Answers,
    estimator: Estimator,
    rows: u64,
    schema_hash: ContentHash,
}

impl TryFrom<Draft> for Model {
    type Error = String;

    fn try_from(draft: Draft) -> Result<Self, String> {
        let Draft { algorithm, answers, estimator, rows, schema_hash } = draft;
        let family = match &estimator {
            Estimator::Boosting(_) => Algorithm::Boosting,
            Estimator::Constant(_) => algorithm,
            Estimator::Ensemble(_) => Algorithm::Ensemble,
            Estimator::Linear(_) => Algorithm::Linear,
            Estimator::Mlp(_) => Algorithm::Mlp,
        };
        if family != algorithm {
            return Err(format!("an estimator of {family} is called {algorithm}"));
        }
        let hash = schema_hash.as_str();
        if hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("the schema hash is not one".to_owned());
        }
        match &answers {
            Answers::Number(unit) => unit.check()?,
            Answers::Classes { anchor, names, temperature } => {
                let sorted = names.windows(2).all(|w| w[0] < w[1]);
                // Logarithms of frequencies.
                let anchored = anchor.len() == names.len() && anchor.iter().all(|a| (-1e3..=0.0).contains(a));
                if names.is_empty() || !sorted || !anchored || !(0.01..=100.0).contains(temperature) {
                    return Err("the classes or their temperature are impossible".to_owned());
                }
            }
        }
        estimator.check(&answers)?;
        Ok(Self { algorithm, answers, estimator, rows, schema_hash })
    }
}

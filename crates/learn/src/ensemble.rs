//! Several models that answer together: the weighted mean of their probabilities, or of their numbers.
//!
//! The mean of probabilities is a linear opinion pool (Stone 1961): where the members err apart it is right more often than
//! any of them, and it never stakes more on an answer than they do together. Must not know how members were chosen.

use serde::{Deserialize, Serialize};
use tidemill_domain::{Algorithm, Output, Value};

use crate::error::FitError;
use crate::model::{Answers, Estimator, Model};
use crate::target::Unit;

/// What a class gets at least from a member: a class that it never met is not impossible.
const FLOOR: f64 = 1e-9;

/// The members, each with its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ensemble {
    members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    /// Its share of the answer; the shares sum to 1.
    weight: f64,
    model: Model,
}

/// Joins models of one schema into one, which answers with the mean of their answers by weight.
///
/// # Errors
/// [`FitError::NoMembers`] without a model of positive weight, [`FitError::Unlike`] where they answer different questions.
pub fn ensemble(members: Vec<(f64, Model)>) -> Result<Model, FitError> {
    let counts = |weight: f64| weight > 0.0 && weight.is_finite();
    let total: f64 = members.iter().map(|m| m.0).filter(|w| counts(*w)).sum();
    let members = members.into_iter().filter(|m| counts(m.0));
    let members: Vec<Member> =
        members.map(|(weight, model)| Member { weight: weight / total, model }).collect();
    let first = members.first().ok_or(FitError::NoMembers)?;
    if members.iter().any(|m| m.model.schema_hash != first.model.schema_hash) {
        return Err(FitError::Unlike);
    }
    let answers = Answers::together(members.iter().map(|m| &m.model.answers)).ok_or(FitError::Unlike)?;
    Ok(Model {
        algorithm: Algorithm::Ensemble,
        rows: members.iter().map(|m| m.model.rows).max().unwrap_or_default(),
        schema_hash: first.model.schema_hash.clone(),
        answers,
        estimator: Estimator::Ensemble(Ensemble { members }),
    })
}

impl Answers {
    /// What models that answer so can say together: all their classes, or numbers as far as the furthest of them goes.
    fn together<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Option<Self> {
        let mut classes: Vec<String> = Vec::new();
        let (mut n_classes, mut n_numbers) = (0, 0);
        let (mut scale, mut low, mut high) = (0.0_f64, f64::INFINITY, f64::NEG_INFINITY);
        for answers in all {
            match answers {
                Self::Classes { names, .. } => {
                    classes.extend(names.iter().cloned());
                    n_classes += 1;
                }
                Self::Number(unit) => {
                    low = low.min(unit.low * unit.scale);
                    high = high.max(unit.high * unit.scale);
                    scale = scale.max(unit.scale);
                    n_numbers += 1;
                }
            }
        }
        match (n_classes, n_numbers) {
            (0, 0) => None,
            (_, 0) => {
                classes.sort_unstable();
                classes.dedup();
                Some(Self::Classes { anchor: vec![0.0; classes.len()], names: classes, temperature: 1.0 })
            }
            (0, _) if scale == 0.0 => {
                Some(Self::Number(Unit { center: 0.0, high: 0.0, low: 0.0, scale, spread: 0.0 }))
            }
            (0, _) => {
                let (low, high) = (low / scale, high / scale);
                Some(Self::Number(Unit { center: 0.0, high, low, scale, spread: 1.0 }))
            }
            _ => None,
        }
    }
}

impl Ensemble {
    /// The logarithm of each class's probability, or the mean number as a share of `scale`.
    pub(crate) fn scores(&self, features: &[Value], answers: &Answers) -> Vec<f64> {
        match answers {
            Answers::Classes { names, .. } => {
                let mut mean = vec![0.0; names.len()];
                for member in &self.members {
                    let Output::Classes(p) = member.model.predict(features) else { continue };
                    // Both are sorted.
                    let mut said = p.iter().peekable();
                    for (mean, name) in mean.iter_mut().zip(names) {
                        let p = said.next_if(|s| s.0 == *name).map_or(0.0, |s| s.1);
                        *mean += member.weight * p.max(FLOOR);
                    }
                }
                mean.into_iter().map(f64::ln).collect()
            }
            Answers::Number(unit) if unit.scale > 0.0 => {
                let said = self.members.iter().filter_map(|m| match m.model.predict(features) {
                    Output::Number(y) => Some(m.weight * (y / unit.scale)),
                    Output::Classes(_) => None,
                });
                vec![said.sum()]
            }
            Answers::Number(_) => vec![0.0],
        }
    }

    pub(crate) fn n_parameters(&self) -> u64 {
        self.members.iter().map(|m| m.model.n_parameters() + 1).sum()
    }

    /// Whether the members, each checked by itself, can answer as `answers` says.
    pub(crate) fn check(&self, answers: &Answers) -> Result<(), String> {
        let weights: f64 = self.members.iter().map(|m| m.weight).sum();
        let possible = self.members.iter().all(|m| (0.0..=1.0).contains(&m.weight));
        if !possible || !((1.0 - 1e-6)..=(1.0 + 1e-6)).contains(&weights) {
            return Err("the weights of the members do not sum to 1".to_owned());
        }
        if self.members.iter().any(|m| m.model.algorithm == Algorithm::Ensemble) {
            return Err("an ensemble is a member of an ensemble".to_owned());
        }
        if self.members.windows(2).any(|w| w[0].model.schema_hash != w[1].model.schema_hash) {
            return Err("the members are of different schemas".to_owned());
        }
        let together = Answers::together(self.members.iter().map(|m| &m.model.answers));
        let fits = match (answers, &together) {
            (Answers::Classes { names, .. }, Some(Answers::Classes { names: theirs, .. })) => names == theirs,
            (Answers::Number(_), Some(Answers::Number(_))) => true,
            _ => false,
        };
        if fits { Ok(()) } else { Err("the members answer another question".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tidemill_domain::{Parameters, Schema};

    use super::*;
    use crate::conformance::schema;
    use crate::{Recipe, TrainRow, fit};

    fn fitted(schema: &Schema, rows: &[(f64, Value)]) -> Model {
        let rows: Vec<(Vec<Value>, &Value)> =
            rows.iter().map(|(x, y)| (vec![Value::Number(*x)], y)).collect();
        let rows: Vec<TrainRow<'_>> =
            rows.iter().map(|(features, target)| TrainRow { features, target, weight: 1.0 }).collect();
        let recipe = Recipe { algorithm: Algorithm::Linear, parameters: Parameters::new(), seed: 1 };
        fit(schema, &recipe, &rows).unwrap()
    }

    fn of_classes(names: &[&str]) -> Model {
        let name = |i: usize| Value::Text(names[i % names.len()].to_owned());
        let rows: Vec<(f64, Value)> = (0..60).map(|i| ((i % names.len()) as f64, name(i))).collect();
        fitted(&schema(&["x"], &[], false), &rows)
    }

    fn probabilities(model: &Model, x: f64) -> BTreeMap<String, f64> {
        match model.predict(&[Value::Number(x)]) {
            Output::Classes(p) => p.into_iter().collect(),
            Output::Number(_) => unreachable!("a model of classes"),
        }
    }

    #[test]
    fn the_answer_is_the_mean_by_weight_over_all_classes() {
        let (two, three) = (of_classes(&["a", "b"]), of_classes(&["a", "b", "c"]));
        let both = ensemble(vec![(1.0, two.clone()), (3.0, three.clone())]).unwrap();
        assert_eq!(both.classes().map(<[String]>::len), Some(3));
        for x in [0.0, 0.7, 2.0] {
            let (p2, p3, p) = (probabilities(&two, x), probabilities(&three, x), probabilities(&both, x));
            for class in ["a", "b", "c"] {
                let mean = 0.25 * p2.get(class).unwrap_or(&0.0) + 0.75 * p3[class];
                assert!((p[class] - mean).abs() < 1e-6, "{class} at {x}: {} for {mean}", p[class]);
            }
        }
    }

    #[test]
    fn numbers_are_averaged_in_their_own_scale() {
        let line = |slope: f64| {
            let rows: Vec<(f64, Value)> =
                (0..50).map(|i| (f64::from(i), Value::Number(slope * f64::from(i)))).collect();
            fitted(&schema(&["x"], &[], true), &rows)
        };
        let both = ensemble(vec![(1.0, line(1.0)), (1.0, line(100.0))]).unwrap();
        let Output::Number(y) = both.predict(&[Value::Number(20.0)]) else { unreachable!("a number") };
        let means: f64 = [1.0, 100.0]
            .into_iter()
            .map(|slope| match line(slope).predict(&[Value::Number(20.0)]) {
                Output::Number(y) => y / 2.0,
                Output::Classes(_) => unreachable!("a number"),
            })
            .sum();
        assert!((y - means).abs() < 1e-9 * means, "{y} for {means}");
    }

    #[test]
    fn it_is_written_and_read_to_the_same_bits() {
        let model = ensemble(vec![(1.0, of_classes(&["a", "b"])), (1.0, of_classes(&["b", "c"]))]).unwrap();
        let bytes = model.to_bytes().unwrap();
        let again = Model::from_bytes(&bytes).unwrap();
        assert_eq!(again, model);
        assert_eq!(again.to_bytes().unwrap(), bytes);
        let text = String::from_utf8(bytes).unwrap();
        let heavier = text.replacen("\"weight\":0.5", "\"weight\":0.9", 1);
        assert!(Model::from_bytes(heavier.as_bytes()).is_err());
    }

    #[test]
    fn what_cannot_answer_together_is_refused() {
        assert!(matches!(ensemble(vec![]), Err(FitError::NoMembers)));
        assert!(matches!(ensemble(vec![(0.0, of_classes(&["a", "b"]))]), Err(FitError::NoMembers)));
        let number = fitted(&schema(&["x"], &[], true), &[(1.0, Value::Number(1.0))]);
        assert!(matches!(
            ensemble(vec![(1.0, of_classes(&["a", "b"])), (1.0, number)]),
            Err(FitError::Unlike)
        ));
    }
}

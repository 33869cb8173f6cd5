//! The hyper-parameters of every algorithm: names, ranges, defaults. Must not know how trials went.

use rand::{Rng, RngExt as _};
use tidemill_domain::{Algorithm, Parameters};

/// One hyper-parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dimension {
    /// Its name in [`Parameters`].
    pub name: &'static str,
    /// How its values are spread.
    pub scale: Scale,
    /// The least value.
    pub low: f64,
    /// The greatest value.
    pub high: f64,
    /// The value where none is given.
    pub default: f64,
    /// What it does.
    pub about: &'static str,
}

/// How the values of a hyper-parameter are spread over its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// Evenly in the logarithm.
    Log,
    /// Whole numbers, evenly.
    Integer,
    /// Whole numbers, evenly in the logarithm.
    LogInteger,
}

use Scale::{Integer, Linear, Log, LogInteger};

const BOOSTING: [Dimension; 2] = [
    Dimension {
        name: "budget",
        scale: Linear,
        low: 0.1,
        high: 2.0,
        default: 1.0,
        about: "how far to go: steps are ten times smaller per unit, and time grows two- to fourfold per 0.5",
    },
    Dimension {
        name: "max_bin",
        scale: LogInteger,
        low: 15.0,
        high: 255.0,
        default: 31.0,
        about: "bins per numeric column; more are finer and slower",
    },
];

const LINEAR: [Dimension; 3] = [
    Dimension {
        name: "degree",
        scale: Integer,
        low: 1.0,
        high: 2.0,
        default: 1.0,
        about: "2: squares of numeric columns and, up to 16 of them, their products",
    },
    Dimension {
        name: "knots",
        scale: Integer,
        low: 0.0,
        high: 8.0,
        default: 0.0,
        about: "hinges per numeric column, at its quantiles: bends in the line",
    },
    Dimension {
        name: "l2",
        scale: Log,
        low: 1e-4,
        high: 1e2,
        default: 3.0,
        about: "the penalty on squared coefficients beside the sum of row losses",
    },
];

const MLP: [Dimension; 5] = [
    Dimension {
        name: "epochs",
        scale: LogInteger,
        low: 5.0,
        high: 60.0,
        default: 30.0,
        about: "the most passes over the rows; fewer when a first training on the oldest 85 % was best after fewer",
    },
    Dimension {
        name: "hidden",
        scale: LogInteger,
        low: 8.0,
        high: 128.0,
        default: 32.0,
        about: "units per hidden layer",
    },
    Dimension { name: "layers", scale: Integer, low: 1.0, high: 2.0, default: 1.0, about: "hidden layers" },
    Dimension {
        name: "learning_rate",
        scale: Log,
        low: 3e-4,
        high: 3e-2,
        default: 1e-2,
        about: "the step size of Adam",
    },
    Dimension {
        name: "weight_decay",
        scale: Log,
        low: 1e-6,
        high: 1.0,
        default: 1e-2,
        about: "the share by which weights shrink per step and unit of learning rate",
    },
];

impl Dimension {
    /// Brings a value into the range and onto the grid: whole numbers, or three significant digits, which people can read.
    fn settle(&self, value: f64) -> f64 {
        let value = match self.scale {
            Integer | LogInteger => value.round(),
            Linear | Log => {
                let digits = 10_f64.powf(2.0 - value.abs().max(1e-12).log10().floor());
                (value * digits).round() / digits
            }
        };
        value.clamp(self.low, self.high)
    }

    /// The value at `share` (0 to 1) of the range.
    fn at(&self, share: f64) -> f64 {
        let share = share.clamp(0.0, 1.0);
        self.settle(match self.scale {
            Linear => self.low + share * (self.high - self.low),
            // Every whole number gets the same share.
            Integer => (self.low - 0.5 + share * (self.high - self.low + 1.0)).clamp(self.low, self.high),
            Log | LogInteger => (self.low.ln() + share * (self.high / self.low).ln()).exp(),
        })
    }

    /// Where in the range a value lies, 0 to 1.
    fn share(&self, value: f64) -> f64 {
        match self.scale {
            Linear => (value - self.low) / (self.high - self.low),
            Integer => (value - self.low + 0.5) / (self.high - self.low + 1.0),
            Log | LogInteger => (value / self.low).ln() / (self.high / self.low).ln(),
        }
    }
}

/// The hyper-parameters of an algorithm, by name.
#[must_use]
pub fn dimensions(algorithm: Algorithm) -> &'static [Dimension] {
    match algorithm {
        Algorithm::Boosting => &BOOSTING,
        Algorithm::Ensemble => &[],
        Algorithm::Linear => &LINEAR,
        Algorithm::Mlp => &MLP,
    }
}

/// Every hyper-parameter at its default.
#[must_use]
pub fn defaults(algorithm: Algorithm) -> Parameters {
    complete(algorithm, &Parameters::new())
}

/// The given parameters, and defaults for those left out.
#[must_use]
pub fn complete(algorithm: Algorithm, given: &Parameters) -> Parameters {
    let default = |d: &Dimension| (d.name.to_owned(), given.get(d.name).copied().unwrap_or(d.default));
    dimensions(algorithm).iter().map(default).collect()
}

/// Parameters drawn at random from the whole space.
pub fn sample(algorithm: Algorithm, rng: &mut impl Rng) -> Parameters {
    dimensions(algorithm).iter().map(|d| (d.name.to_owned(), d.at(rng.random::<f64>()))).collect()
}

/// Parameters near `center`: about half of them moved by up to a quarter of their range, at least one.
pub fn perturb(algorithm: Algorithm, center: &Parameters, rng: &mut impl Rng) -> Parameters {
    let dimensions = dimensions(algorithm);
    let always = rng.random_range(0..dimensions.len().max(1));
    dimensions
        .iter()
        .enumerate()
        .map(|(i, d)| {
            let value = center.get(d.name).copied().unwrap_or(d.default);
            let (moves, by) = (rng.random::<f64>() < 0.5, (rng.random::<f64>() - 0.5) * 0.5);
            let value = if i == always || moves {
                let moved = d.at(d.share(value) + by);
                let whole = matches!(d.scale, Integer | LogInteger);
                // A whole number that a small move leaves where it is takes one step.
                if whole && moved == value { d.settle(value + by.signum()) } else { moved }
            } else {
                value
            };
            (d.name.to_owned(), value)
        })
        .collect()
}

/// Whether the parameters are ones of the algorithm and within their ranges; those left out are fine.
///
/// # Errors
/// Every mistake, each a sentence that says what would be right.
pub fn check(algorithm: Algorithm, parameters: &Parameters) -> Result<(), Vec<String>> {
    let mut mistakes = Vec::new();
    for (name, value) in parameters {
        match dimensions(algorithm).iter().find(|d| d.name == name) {
            None => {
                let known: Vec<&str> = dimensions(algorithm).iter().map(|d| d.name).collect();
                mistakes.push(format!("\"{name}\" is unknown, {algorithm} has {}", known.join(", ")));
            }
            Some(d) => {
                let whole = !matches!(d.scale, Integer | LogInteger) || value.fract() == 0.0;
                if !(d.low..=d.high).contains(value) || !whole {
                    let kind =
                        if matches!(d.scale, Integer | LogInteger) { "a whole number" } else { "a number" };
                    mistakes.push(format!(
                        "\"{name}\" is {value}, {kind} from {} to {} is expected",
                        d.low, d.high
                    ));
                }
            }
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

/// A checked whole number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against its range")]
pub(crate) fn integer(value: f64) -> u32 {
    value.round() as u32
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn whatever_is_drawn_is_allowed() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for algorithm in Algorithm::ALL {
            assert_eq!(check(algorithm, &defaults(algorithm)), Ok(()));
            assert!(dimensions(algorithm).windows(2).all(|w| w[0].name < w[1].name));
            let mut center = defaults(algorithm);
            for _ in 0..500 {
                let drawn = sample(algorithm, &mut rng);
                assert_eq!(check(algorithm, &drawn), Ok(()), "{drawn:?}");
                let next = perturb(algorithm, &center, &mut rng);
                assert_eq!(check(algorithm, &next), Ok(()), "{next:?}");
                center = next;
            }
        }
    }

    #[test]
    fn every_whole_number_is_drawn() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let knots: std::collections::BTreeSet<u32> =
            (0..500).map(|_| integer(sample(Algorithm::Linear, &mut rng)["knots"])).collect();
        assert_eq!(knots.len(), 9);
    }

    #[test]
    fn mistakes_are_all_named() {
        let given: Parameters = [("l2", 1e9), ("depth", 3.0), ("degree", 1.5), ("knots", f64::NAN)]
            .map(|(n, v)| (n.to_owned(), v))
            .into();
        let mistakes = check(Algorithm::Linear, &given).unwrap_err();
        assert_eq!(mistakes.len(), 4);
        assert!(mistakes[0].contains("from 1 to 2"), "{mistakes:?}");
        assert!(mistakes[1].contains("degree, knots, l2"), "{mistakes:?}");
    }
}

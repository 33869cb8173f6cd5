//! Page's cumulative sum test (1954) in Hinkley's form, with fading sums: cheap, and quick on a known scale.

use serde::{Deserialize, Serialize};

use super::Change;

/// Which way a change of level counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Only upwards: right for a loss.
    Up,
    /// Only downwards.
    Down,
    /// Either way.
    #[default]
    Both,
}

/// Settings of [`PageHinkley`]; the defaults are River's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageHinkleyConfig {
    /// Values before the first possible detection.
    pub min_instances: u64,
    /// Deviation from the mean that is tolerated per value, in the unit of the values.
    pub delta: f64,
    /// Faded sum of deviations that means a change, in the unit of the values.
    pub threshold: f64,
    /// What is kept of the sum at each value, in (0, 1].
    pub alpha: f64,
    /// Which way a change counts.
    pub direction: Direction,
}

impl Default for PageHinkleyConfig {
    fn default() -> Self {
        Self { min_instances: 30, delta: 0.005, threshold: 50.0, alpha: 0.9999, direction: Direction::Both }
    }
}

/// The detector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PageHinkley {
    config: PageHinkleyConfig,
    width: u64,
    mean: f64,
    increase: f64,
    decrease: f64,
    least_increase: Option<f64>,
    greatest_decrease: Option<f64>,
    detected: bool,
}

impl PageHinkley {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(config: PageHinkleyConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Takes one value.
    pub fn update(&mut self, x: f64) -> Change {
        if !x.is_finite() {
            return Change::None;
        }
        if self.detected {
            *self = Self::new(self.config);
        }
        let PageHinkleyConfig { min_instances, delta, threshold, alpha, direction } = self.config;
        self.width += 1;
        self.mean += (1.0 / self.width as f64) * (x - self.mean);
        let deviation = x - self.mean;
        self.increase = alpha * self.increase + deviation - delta;
        self.decrease = alpha * self.decrease + deviation + delta;
        let least = self.least_increase.map_or(self.increase, |least| least.min(self.increase));
        // River starts this extreme at -1; only a first sum below that could tell the difference, and none is: the
        // first deviation is 0.
        let greatest = self.greatest_decrease.map_or(self.decrease, |greatest| greatest.max(self.decrease));
        (self.least_increase, self.greatest_decrease) = (Some(least), Some(greatest));
        let up = self.increase - least > threshold && direction != Direction::Down;
        let down = greatest - self.decrease > threshold && direction != Direction::Up;
        self.detected = self.width >= min_instances && (up || down);
        if self.detected { Change::Detected } else { Change::None }
    }

    /// Values since the last start.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Their mean; `None` of nothing.
    #[must_use]
    pub fn estimation(&self) -> Option<f64> {
        (self.width > 0).then_some(self.mean)
    }
}

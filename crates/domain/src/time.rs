//! Instants and spans as numbers. Nobody here asks a clock: times come with the events.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Span {
    /// `n` milliseconds.
    #[must_use]
    pub const fn millis(n: i64) -> Self {
        Self(n * 1_000)
    }
    /// `n` seconds.
    #[must_use]
    pub const fn seconds(n: i64) -> Self {
        Self(n * 1_000_000)
    }
    /// `n` minutes.
    #[must_use]
    pub const fn minutes(n: i64) -> Self {
        Self::seconds(n * 60)
    }
    /// `n` hours.
    #[must_use]
    pub const fn hours(n: i64) -> Self {
        Self::seconds(n * 3_600)
    }
    /// `n` days of 24 hours.
    #[must_use]
    pub const fn days(n: i64) -> Self {
        Self::hours(n * 24)
    }
    /// The span in seconds.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// The span of so many seconds, to the microsecond.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, which is what a caller wants of absurd spans"
    )]
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e6).round() as i64)
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the microsecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t:.6}"),
            Err(_) => write!(f, "{} us", self.0),
        }
    }
}

/// Why a text is no instant or span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// When the text is no RFC 3339 instant.
    #[error("\"{0}\" is no instant: write RFC 3339, for example 2026-03-01T12:00:00Z")]
    Instant(String),
    /// When the text is no span.
    #[error("\"{0}\" is no span of time: write a number and one of ms, s, m, h, d, for example 30m or 7d")]
    Span(String),
}

impl FromStr for Timestamp {
    type Err = BadTime;
    fn from_str(text: &str) -> Result<Self, BadTime> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| BadTime::Instant(text.to_owned()))?;
        Ok(Self(parsed.as_microsecond()))
    }
}

impl FromStr for Span {
    type Err = BadTime;
    fn from_str(text: &str) -> Result<Self, BadTime> {
        let bad = || BadTime::Span(text.to_owned());
        let text = text.trim();
        let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(split);
        let number: f64 = number.trim().parse().map_err(|_| bad())?;
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(bad()),
        };
        let seconds = number * unit;
        if !seconds.is_finite() || !(0.0..=3.2e11).contains(&seconds) {
            return Err(bad());
        }
        Ok(Self::from_seconds(seconds))
    }
}

impl fmt::Display for Span {
    /// The largest unit that divides it: `90s`, `30m`, `7d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 5] =
            [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms")];
        for (size, unit) in UNITS {
            if self.0 != 0 && self.0 % size == 0 {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}s", self.as_seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_what_they_write() {
        for text in ["30m", "7d", "90s", "250ms", "1h"] {
            assert_eq!(text.parse::<Span>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "m", "7", "-1s", "1w", "1e30d", "NaNs"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn instants_read_what_they_write() {
        let t: Timestamp = "2026-03-01T12:00:00.000001Z".parse().unwrap_or_default();
        assert_eq!(t.to_string(), "2026-03-01T12:00:00.000001Z");
    }
}

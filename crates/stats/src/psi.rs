//! Population Stability Index: how far a sample has moved from a reference, bin by bin.
//!
//! PSI = Σ (c − r) · ln(c / r) over bins, with r and c the shares of rows that reference and current sample have in a bin,
//! each at least [`SHARE_FLOOR`]. It is the symmetrised Kullback-Leibler divergence of the binned samples, in nats. By
//! custom below 0.1 is stable, above 0.25 is a shift; noise alone gives about (bins − 1) · (1/n₁ + 1/n₂). This module
//! must not know the thresholds.

use serde::{Deserialize, Serialize};

use crate::sketch::{Counts, Quantiles};

/// Least share of a bin: keeps the logarithm finite when a bin is empty. Shares are not rescaled afterwards.
pub const SHARE_FLOOR: f64 = 1e-4;

/// The index and the bins that it sums over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Psi {
    /// The index, in nats; 0 for equal samples.
    pub value: f64,
    /// One per bin; missing values come last.
    pub bins: Vec<PsiBin>,
}

/// One bin of the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PsiBin {
    /// The category, or the upper edge of the interval (`(rest)` for the last).
    pub label: String,
    /// Share of the reference, before the floor.
    pub reference: f64,
    /// Share of the current sample, before the floor.
    pub current: f64,
    /// What the bin adds to the index.
    pub contribution: f64,
}

/// Compares numbers over the deciles of the reference, the outer bins open, missing values in a bin of their own.
///
/// Bins are (previous edge, edge]; equal deciles make one edge. `None` if the reference has no number or the current
/// sample has no row.
#[must_use]
pub fn psi_numeric(reference: &Quantiles, current: &Quantiles) -> Option<Psi> {
    let deciles: Vec<f64> = (1..10).map(|i| f64::from(i) / 10.0).collect();
    let mut edges = reference.quantiles(&deciles)?;
    edges.dedup();
    let (of_reference, of_current) = (shares(reference, &edges), shares(current, &edges));
    let labels = edges.iter().map(f64::to_string).chain(["(rest)".to_owned(), "(missing)".to_owned()]);
    psi(labels.zip(of_reference.into_iter().zip(of_current)), current.count() + current.missing())
}

/// Compares categories; other and missing are bins of their own. `None` if either side has no row.
#[must_use]
pub fn psi_categorical(reference: &Counts, current: &Counts) -> Option<Psi> {
    let (all_reference, all_current) = (reference.total(), current.total());
    if all_reference == 0 {
        return None;
    }
    let share = |part: u64, all: u64| part as f64 / all as f64;
    let bins = reference
        .align(current)
        .into_iter()
        .map(|(label, r, c)| (label, (share(r, all_reference), share(c, all_current))));
    psi(bins, all_current)
}

/// The share of rows in each bin between `edges`, then of missing values.
fn shares(sketch: &Quantiles, edges: &[f64]) -> Vec<f64> {
    let rows = (sketch.count() + sketch.missing()) as f64;
    let present = sketch.count() as f64 / rows;
    let mut below = 0.0;
    let mut shares: Vec<f64> = edges
        .iter()
        .map(|edge| {
            let up_to = sketch.cdf(*edge).unwrap_or(0.0) * present;
            let share = up_to - below;
            below = up_to;
            share
        })
        .collect();
    shares.extend([present - below, sketch.missing() as f64 / rows]);
    shares
}

fn psi(bins: impl Iterator<Item = (String, (f64, f64))>, rows: u64) -> Option<Psi> {
    if rows == 0 {
        return None;
    }
    let bins: Vec<PsiBin> = bins
        .map(|(label, (reference, current))| {
            let (r, c) = (reference.max(SHARE_FLOOR), current.max(SHARE_FLOOR));
            PsiBin { label, reference, current, contribution: (c - r) * (c / r).ln() }
        })
        .collect();
    Some(Psi { value: bins.iter().map(|bin| bin.contribution).sum(), bins })
}

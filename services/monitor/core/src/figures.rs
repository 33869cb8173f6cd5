//! Which figures are kept of a window for ever. It must not know which of them are alarming.

use std::collections::BTreeMap;

use tidemill_events::monitor::{LoopWindow, PartWindow};

use crate::drift::column_drift;

/// The figures of a whole window.
pub(crate) fn figures(window: &PartWindow) -> LoopWindow {
    let drift = match (&window.profile, &window.reference) {
        (Some(profile), Some(reference)) => {
            column_drift(reference, profile, &window.policy.columns, window.policy.alpha)
        }
        _ => Vec::new(),
    };
    LoopWindow {
        key: window.key.clone(),
        rows: window.rows,
        from: window.from,
        to: window.to,
        metrics: window.scores.as_ref().map_or_else(BTreeMap::new, tidemill_domain::Scores::all),
        loss: window.loss.clone(),
        drift,
        paired: window.paired.clone(),
    }
}

//! Which windows are worth an alert: only those of the model that is watched, against its own past. It must not know how
//! windows are made.

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::AlertKind;
use tidemill_domain::{Metric, ModelVersion, Timestamp};
use tidemill_events::monitor::{Alert, AlertPolicy, AlertState, LoopWindow, WindowKind};

use crate::decay::Baseline;
use crate::drift::is_alarming;
use crate::hysteresis::Hysteresis;
use crate::wording::{self, Said};

/// Baselines that are kept, at most: a model that returns is held to what it showed at first.
const MAX_BASELINES: usize = 8;

/// The alerts of one loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alarms {
    watched: Option<ModelVersion>,
    since: Timestamp,
    metric: Option<Metric>,
    drift: Hysteresis,
    decay: Hysteresis,
    baselines: Vec<(ModelVersion, Baseline)>,
}

impl Alarms {
    /// Takes the next window; the alert, where one changes its state.
    pub(crate) fn fold(&mut self, window: &LoopWindow, policy: &AlertPolicy) -> Option<Alert> {
        self.heed(window.to, policy);
        let version = self.watched.clone().filter(|v| window.key.version.as_ref() == Some(v))?;
        let (alert, state, said) = match window.key.kind {
            WindowKind::Observed => {
                let state = self.drift.fold(is_alarming(&window.drift)?)?;
                let said = wording::drift(state, &version, window.rows, policy.alpha, &window.drift);
                (AlertKind::Drift, state, said)
            }
            WindowKind::Labelled => {
                let (state, said) = self.decayed(&version, window, policy)?;
                (AlertKind::Decay, state, said)
            }
            WindowKind::Paired => return None,
        };
        let Said { evidence, columns, summary } = said;
        Some(Alert {
            alert,
            state,
            version: Some(version),
            window: window.key.clone(),
            evidence,
            columns,
            summary,
        })
    }

    fn decayed(
        &mut self,
        version: &ModelVersion,
        window: &LoopWindow,
        policy: &AlertPolicy,
    ) -> Option<(AlertState, Said)> {
        let losses = window.loss.as_ref()?;
        let compared = self.baseline(version)?.fold(losses, policy.alpha)?;
        let state = self.decay.fold(compared.is_bad)?;
        Some((state, wording::decay(state, version, window.rows, policy.alpha, policy.metric, &compared)))
    }

    /// Alerts of a model end silently with its watch, and baselines with the metric in which they were measured. A window
    /// from before the last change has no say in it.
    fn heed(&mut self, to: Timestamp, policy: &AlertPolicy) {
        if to < self.since {
            return;
        }
        if self.watched != policy.watched {
            self.watched = policy.watched.clone();
            self.since = to;
            self.drift = Hysteresis::default();
            self.decay = Hysteresis::default();
        }
        if self.metric != policy.metric {
            self.metric = policy.metric;
            self.since = to;
            self.decay = Hysteresis::default();
            self.baselines.clear();
        }
    }

    fn baseline(&mut self, version: &ModelVersion) -> Option<&mut Baseline> {
        if !self.baselines.iter().any(|(v, _)| v == version) {
            if self.baselines.len() >= MAX_BASELINES {
                self.baselines.remove(0);
            }
            self.baselines.push((version.clone(), Baseline::default()));
        }
        self.baselines.iter_mut().find(|(v, _)| v == version).map(|(_, baseline)| baseline)
    }
}

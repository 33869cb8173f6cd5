//! When an alert changes its state: one bad window makes it suspected, a second in a row detected, and two calm ones in a
//! row clear it. It must not know what makes a window bad.

use serde::{Deserialize, Serialize};
use tidemill_events::monitor::AlertState;

/// Windows in a row that it takes to be sure, of trouble as of calm.
pub(crate) const IN_A_ROW: u32 = 2;

/// One alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hysteresis {
    /// Suspected, detected, or none while calm.
    raised: Option<AlertState>,
    bad: u32,
    calm: u32,
}

impl Hysteresis {
    /// Takes the verdict on the next window; the state, where it changes.
    pub(crate) fn fold(&mut self, is_bad: bool) -> Option<AlertState> {
        (self.bad, self.calm) =
            if is_bad { (self.bad.saturating_add(1), 0) } else { (0, self.calm.saturating_add(1)) };
        let (state, next) = match self.raised {
            None if self.bad > 0 => (AlertState::Suspected, Some(AlertState::Suspected)),
            Some(AlertState::Suspected) if self.bad >= IN_A_ROW => {
                (AlertState::Detected, Some(AlertState::Detected))
            }
            Some(_) if self.calm >= IN_A_ROW => (AlertState::Cleared, None),
            _ => return None,
        };
        self.raised = next;
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x` is a bad window, `.` a calm one; the answer has `s`, `d`, `c` where the state changes.
    fn follow(windows: &str) -> String {
        let mut alert = Hysteresis::default();
        let letter = |state| match state {
            None => '.',
            Some(AlertState::Suspected) => 's',
            Some(AlertState::Detected) => 'd',
            Some(AlertState::Cleared) => 'c',
        };
        windows.chars().map(|w| letter(alert.fold(w == 'x'))).collect()
    }

    #[test]
    fn states_follow_windows() {
        for (windows, states) in [
            ("....", "...."),
            ("x...", "s.c."),
            ("xx..x", "sd.cs"),
            ("xxxx", "sd.."),
            ("x.x.x", "s...."),
            ("x.xx", "s..d"),
            ("xx.x..", "sd...c"),
        ] {
            assert_eq!(follow(windows), states, "{windows}");
        }
    }
}

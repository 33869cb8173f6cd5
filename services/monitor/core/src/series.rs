//! Which windows are open, and the number that each will get: one series for each kind and version, a bounded number of
//! them (INV-8). It must not know what is in a window.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::ModelVersion;
use tidemill_events::monitor::{WindowKey, WindowKind};

use crate::open::OpenWindow;

/// Series at most. A loop has two or three versions at a time, of three kinds each; when more appear, the series that was
/// idle longest is given up, and with it the count of its windows.
const MAX_SERIES: usize = 64;

/// Whose windows.
pub(crate) type Whose = (WindowKind, Option<ModelVersion>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Entry {
    next: u64,
    touched: u64,
    open: Option<OpenWindow>,
}

/// A window taken out of its series.
pub(crate) type Taken = (WindowKey, OpenWindow);

/// All series of a loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    touches: u64,
    entries: BTreeMap<Whose, Entry>,
}

impl Series {
    /// Whether the series is known.
    pub(crate) fn knows(&self, whose: &Whose) -> bool {
        self.entries.contains_key(whose)
    }

    /// Makes room for a series that is not known yet; the open window of one that had to go comes back.
    pub(crate) fn make_room(&mut self, whose: &Whose) -> Option<Taken> {
        if self.knows(whose) || self.entries.len() < MAX_SERIES {
            return None;
        }
        let idle = self.entries.iter().min_by_key(|(_, e)| e.touched).map(|(whose, _)| whose.clone())?;
        let entry = self.entries.remove(&idle)?;
        Some((key(&idle, entry.next), entry.open?))
    }

    /// The open window of the series, made by `open` where there is none.
    pub(crate) fn window(&mut self, whose: Whose, open: impl FnOnce() -> OpenWindow) -> &mut OpenWindow {
        self.touches += 1;
        let entry = self.entries.entry(whose).or_default();
        entry.touched = self.touches;
        entry.open.get_or_insert_with(open)
    }

    /// Takes out the open windows that `chosen` names, in order; numbers count on only for those that are `counted`.
    pub(crate) fn take(
        &mut self,
        chosen: impl Fn(&Whose, &OpenWindow) -> bool,
        counted: impl Fn(&Whose, &OpenWindow) -> bool,
    ) -> Vec<Taken> {
        let mut taken = Vec::new();
        for (whose, entry) in &mut self.entries {
            let Some(window) = entry.open.take_if(|w| chosen(whose, w)) else { continue };
            let key = key(whose, entry.next);
            entry.next += u64::from(counted(whose, &window));
            taken.push((key, window));
        }
        taken
    }

    /// Takes out the open window of one series and counts it.
    pub(crate) fn close(&mut self, whose: &Whose) -> Option<Taken> {
        let entry = self.entries.get_mut(whose)?;
        let window = entry.open.take()?;
        let key = key(whose, entry.next);
        entry.next += 1;
        Some((key, window))
    }
}

fn key(whose: &Whose, index: u64) -> WindowKey {
    WindowKey { kind: whose.0, version: whose.1.clone(), index }
}

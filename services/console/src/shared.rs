//! What readers of the log and handlers share: the fold, and how far it is.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tidemill_console_core::View;
use tidemill_events::Recorded;
use tokio::sync::watch;

/// The fold. Locks are held for one answer or one batch, never across an await.
#[derive(Debug)]
pub struct Shared {
    view: RwLock<View>,
    folded: watch::Sender<u64>,
    ready: watch::Sender<bool>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { view: RwLock::default(), folded: watch::Sender::new(0), ready: watch::Sender::new(false) }
    }
}

impl Shared {
    /// Takes events of the loops' log, in order.
    pub fn fold<'a>(&self, events: impl IntoIterator<Item = &'a Recorded>) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            view.fold(event);
        }
        let last = view.last();
        drop(view);
        self.folded.send_replace(last);
    }

    /// From now on there are answers: what the log held at the start is folded.
    pub fn caught_up(&self) {
        self.ready.send_replace(true);
    }

    /// Whether there are answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits until there are answers; false if it takes longer than `patience`.
    pub(crate) async fn ready(&self, patience: Duration) -> bool {
        let mut ready = self.ready.subscribe();
        let wait = ready.wait_for(|ready| *ready);
        matches!(tokio::time::timeout(patience, wait).await, Ok(Ok(_)))
    }

    /// An answer of the view.
    pub fn view<T>(&self, ask: impl FnOnce(&View) -> T) -> T {
        ask(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until the event at `sequence` is folded; false if it takes longer than `patience`.
    pub(crate) async fn seen(&self, sequence: u64, patience: Duration) -> bool {
        let mut folded = self.folded.subscribe();
        let wait = folded.wait_for(|last| *last >= sequence);
        matches!(tokio::time::timeout(patience, wait).await, Ok(Ok(_)))
    }
}

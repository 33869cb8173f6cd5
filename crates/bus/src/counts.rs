//! What a connection went through, counted for whoever watches: what the broker refused, dropped or broke off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of a connection. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<All>);

#[derive(Debug, Default)]
struct All {
    disconnected: AtomicU64,
    refused: AtomicU64,
    slow: AtomicU64,
    reopened: AtomicU64,
}

impl Counts {
    /// How often the connection was lost.
    #[must_use]
    pub fn disconnected(&self) -> u64 {
        self.0.disconnected.load(Ordering::Relaxed)
    }

    /// How often the broker refused a permission.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// How often messages were dropped because they were read too slowly; ordered readers read them again.
    #[must_use]
    pub fn slow(&self) -> u64 {
        self.0.slow.load(Ordering::Relaxed)
    }

    /// How often reading was begun again, because a message was missed or the broker was away.
    #[must_use]
    pub fn reopened(&self) -> u64 {
        self.0.reopened.load(Ordering::Relaxed)
    }

    pub(crate) fn count_disconnected(&self) {
        self.0.disconnected.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_slow(&self) {
        self.0.slow.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_reopened(&self) {
        self.0.reopened.fetch_add(1, Ordering::Relaxed);
    }
}

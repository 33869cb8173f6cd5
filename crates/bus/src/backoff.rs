//! Growing pauses between tries.

use std::time::Duration;

use tracing::warn;

use crate::error::{Error, chain};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses that double from 50 ms to 2 s.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Pauses, and says why if there is a reason.
    pub(crate) async fn wait(&mut self, reason: Option<&Error>) {
        let pause = self.pause();
        if let Some(error) = reason {
            warn!(error = chain(error), pause_ms = pause.as_millis(), "trying again");
        }
        tokio::time::sleep(pause).await;
    }
}

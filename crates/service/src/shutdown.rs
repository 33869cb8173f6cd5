//! Ordered shutdown: groups of tasks, stopped one after the other within one time-out. The time-out is an error.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// Tasks that are stopped together.
#[derive(Clone, Debug)]
pub struct Stage {
    name: &'static str,
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Stage {
    /// Is cancelled when the stage has to stop.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Runs a task that is waited for.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn(task)
    }
}

/// The stages of a process, in the order in which they stop.
#[derive(Debug)]
pub struct Shutdown {
    timeout: Duration,
    stages: Vec<Stage>,
}

/// When tasks do not end in time.
#[derive(Debug, thiserror::Error)]
#[error("after {timeout:?} these were still running: {}", .stages.join(", "))]
pub struct StillRunning {
    timeout: Duration,
    stages: Vec<&'static str>,
}

impl Shutdown {
    /// A shutdown that may take so long in all.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, stages: Vec::new() }
    }

    /// Adds a stage that stops after those before it.
    pub fn stage(&mut self, name: &'static str) -> Stage {
        let stage = Stage { name, token: CancellationToken::new(), tracker: TaskTracker::new() };
        self.stages.push(stage.clone());
        stage
    }

    /// Stops stage by stage. Every stage is told to stop, also when one before it does not end.
    ///
    /// # Errors
    /// When tasks still run at the end of the time-out.
    pub async fn run(self) -> Result<(), StillRunning> {
        let until = Instant::now() + self.timeout;
        let mut late = Vec::new();
        for stage in &self.stages {
            stage.token.cancel();
            stage.tracker.close();
            match timeout_at(until, stage.tracker.wait()).await {
                Ok(()) => info!(stage = stage.name, "stopped"),
                Err(_) => {
                    warn!(stage = stage.name, tasks = stage.tracker.len(), "does not stop in time");
                    late.push(stage.name);
                }
            }
        }
        if late.is_empty() { Ok(()) } else { Err(StillRunning { timeout: self.timeout, stages: late }) }
    }
}

/// Comes back when the process is asked to stop, with the name of the signal.
pub(crate) async fn asked_to_stop() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stages_stop_in_order() {
        let mut shutdown = Shutdown::new(Duration::from_secs(10));
        let (first, second) = (shutdown.stage("first"), shutdown.stage("second"));
        let (stop_first, stop_second) = (first.token(), second.token());
        let watched = stop_second.clone();
        let order = first.spawn(async move {
            stop_first.cancelled().await;
            !watched.is_cancelled()
        });
        second.spawn(async move { stop_second.cancelled().await });
        assert!(shutdown.run().await.is_ok());
        assert_eq!(order.await.ok(), Some(true));
    }

    #[tokio::test]
    async fn what_does_not_stop_is_an_error() {
        let mut shutdown = Shutdown::new(Duration::from_millis(20));
        shutdown.stage("stuck").spawn(std::future::pending::<()>());
        let last = shutdown.stage("last").token();
        let error = shutdown.run().await.err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), Some("after 20ms these were still running: stuck"));
        assert!(last.is_cancelled());
    }
}

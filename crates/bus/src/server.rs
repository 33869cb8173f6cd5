//! A nats-server of our own, for `tidemill up` and for tests: started on a free port, gone when it is dropped.
//!
//! The server writes the port that it chose into a file; that file is read, never its log. The log is for people, when
//! something fails.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

/// How often to look whether it is there.
const POLL: Duration = Duration::from_millis(20);
/// How long to wait for it.
const CEILING: Duration = Duration::from_secs(10);
/// How much of its log to show.
const LOG_TAIL: usize = 2_000;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// When the program is not installed.
    #[error("nats-server is not installed: on Debian and Ubuntu, apt-get install nats-server")]
    Missing,
    /// When its folder cannot be used.
    #[error("cannot use the folder {dir} for nats-server")]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// When the program cannot be run.
    #[error("cannot run nats-server")]
    Spawn(#[source] io::Error),
    /// When it ends instead of serving.
    #[error("nats-server ended with {status}; its log ends with:\n{log}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// What it said last.
        log: String,
    },
    /// When it does not serve in time.
    #[error("nats-server does not answer after {CEILING:?}; its log ends with:\n{log}")]
    Silent {
        /// What it said last.
        log: String,
    },
}

/// A running server.
#[derive(Debug)]
pub struct NatsServer {
    child: Option<Child>,
    dir: PathBuf,
    url: String,
    port: u16,
}

#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

impl NatsServer {
    /// Starts a server on a free port of this machine that keeps everything in `dir`.
    ///
    /// # Errors
    /// When it is not installed, or does not serve within ten seconds.
    pub async fn start(dir: impl Into<PathBuf>) -> Result<Self, ServerError> {
        Self::start_with(dir, None, &[]).await
    }

    /// The same with a given port and more arguments, for example `-c FILE`.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub async fn start_with(
        dir: impl Into<PathBuf>,
        port: Option<u16>,
        arguments: &[&str],
    ) -> Result<Self, ServerError> {
        let dir = dir.into();
        let folder = |source| ServerError::Folder { dir: dir.clone(), source };
        std::fs::create_dir_all(&dir).map_err(folder)?;
        let log =
            File::options().create(true).append(true).open(dir.join("nats-server.log")).map_err(folder)?;
        let port_text = port.map_or_else(|| "-1".to_owned(), |p| p.to_string());
        let mut command = Command::new("nats-server");
        command
            .args(["-js", "-a", "127.0.0.1", "-p", &port_text, "-sd"])
            .arg(&dir)
            .arg("--ports_file_dir")
            .arg(&dir)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        debug!(?command, "starting nats-server");
        let child = command.spawn().map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => ServerError::Missing,
            _ => ServerError::Spawn(e),
        })?;
        let mut server = Self { child: Some(child), dir, url: String::new(), port: 0 };
        server.wait_until_it_serves().await?;
        Ok(server)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Stops it in order; what it stored stays. When it does not stop, dropping it kills it.
    pub async fn stop(mut self) {
        let Some(pid) = self.pid() else { return };
        let signal = Command::new("nats-server").arg("--signal").arg(format!("stop={pid}")).output();
        if let Err(error) = signal {
            warn!(%error, "cannot signal nats-server");
            return;
        }
        let until = Instant::now() + CEILING;
        while Instant::now() < until {
            match self.child.as_mut().map(Child::try_wait) {
                Some(Ok(None)) => sleep(POLL).await,
                Some(Ok(Some(_)) | Err(_)) | None => return,
            }
        }
    }

    /// Kills it at once, as a crash would; what it stored stays.
    pub fn kill(self) {
        drop(self);
    }

    /// Leaves it running when this is dropped; gives its process id.
    #[must_use]
    pub fn leave_running(mut self) -> Option<u32> {
        self.child.take().map(|child| child.id())
    }

    async fn wait_until_it_serves(&mut self) -> Result<(), ServerError> {
        let until = Instant::now() + CEILING;
        loop {
            if let Some(status) = self.ended() {
                return Err(ServerError::Ended { status, log: self.log_tail() });
            }
            if let Some((url, port)) = self.read_ports()
                && TcpStream::connect(("127.0.0.1", port)).await.is_ok()
            {
                (self.url, self.port) = (url, port);
                return Ok(());
            }
            if Instant::now() > until {
                return Err(ServerError::Silent { log: self.log_tail() });
            }
            sleep(POLL).await;
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    fn read_ports(&self) -> Option<(String, u16)> {
        let path = self.dir.join(format!("nats-server_{}.ports", self.pid()?));
        // Half a file is no JSON yet; it is read again.
        let ports: Ports = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let url = ports.nats.into_iter().next()?;
        let port = url.rsplit(':').next()?.parse().ok()?;
        Some((url, port))
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read(self.dir.join("nats-server.log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL)..]).into_owned()
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing is lost if it has ended already.
            let _ = child.kill();
            let _ = child.wait();
            let _ = std::fs::remove_file(self.dir.join(format!("nats-server_{}.ports", child.id())));
        }
    }
}

//! A Postgres of our own, for tests: in a folder of its own, on a socket in that folder, so that no port can be taken; gone when
//! it is dropped.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tracing::debug;

/// How often to look whether it is there.
const POLL: Duration = Duration::from_millis(20);
/// How long to wait for it.
const CEILING: Duration = Duration::from_secs(60);
/// How much of its log to show.
const LOG_TAIL: usize = 2_000;
/// Whom it runs as where we are root, which it refuses; the first of them that there is.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// When the programs are not installed.
    #[error("Postgres is not installed: on Debian and Ubuntu, apt-get install postgresql")]
    Missing,
    /// When there is nobody to run it as.
    #[error("Postgres does not run as root, and there is no user {} on this machine", USERS.join(" or "))]
    NoUser,
    /// When its folder cannot be used.
    #[error("cannot use a folder for Postgres")]
    Folder(#[source] io::Error),
    /// When a program cannot be run.
    #[error("cannot run {program}")]
    Spawn {
        /// The program.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// When it ends instead of serving.
    #[error("{program} ended with {status}; it said at last:\n{log}")]
    Ended {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// What it said last.
        log: String,
    },
    /// When it does not serve in time.
    #[error("Postgres does not answer after {CEILING:?}; its log ends with:\n{log}")]
    Silent {
        /// What it said last.
        log: String,
    },
}

/// A running server.
#[derive(Debug)]
pub struct PostgresServer {
    child: Child,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    dir: TempDir,
}

impl PostgresServer {
    /// Starts a server with an empty database.
    ///
    /// # Errors
    /// When it is not installed, or does not serve.
    pub async fn start() -> Result<Self, ServerError> {
        let programs = programs().ok_or(ServerError::Missing)?;
        let dir = tempfile::Builder::new().prefix("tidemill-pg").tempdir().map_err(ServerError::Folder)?;
        let user = user(dir.path())?;
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid)).map_err(ServerError::Folder)?;
        }
        let mut initdb = command(&programs.join("initdb"), user, dir.path());
        initdb.args(["-U", "tidemill", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
        let made = initdb.arg(dir.path().join("data")).output();
        let made = made.map_err(|source| ServerError::Spawn { program: "initdb", source })?;
        if !made.status.success() {
            let log = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(ServerError::Ended { program: "initdb", status: made.status, log });
        }
        let child = launch(&programs, user, dir.path())?;
        let mut server = Self { child, programs, user, dir };
        server.wait_until_it_serves().await?;
        Ok(server)
    }

    /// Stops it at once, as a crash would; what it stored stays.
    pub fn stop(&mut self) {
        // Not with a kill, which would leave its shared memory behind.
        let mut stop = command(&self.programs.join("pg_ctl"), self.user, self.dir.path());
        stop.args(["stop", "-m", "immediate", "-W", "-s", "-D"]).arg(self.dir.path().join("data"));
        if !stop.status().is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }

    /// Starts it again after it was stopped.
    ///
    /// # Errors
    /// When it does not serve.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        self.child = launch(&self.programs, self.user, self.dir.path())?;
        self.wait_until_it_serves().await
    }

    /// The address of its database.
    #[must_use]
    pub fn url(&self) -> String {
        let socket = self.dir.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://tidemill@{socket}/postgres")
    }

    async fn wait_until_it_serves(&mut self) -> Result<(), ServerError> {
        let until = Instant::now() + CEILING;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(ServerError::Ended { program: "postgres", status, log: self.log_tail() });
            }
            // Its eighth line tells how far it is.
            let state = fs::read_to_string(self.dir.path().join("data/postmaster.pid")).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(ServerError::Silent { log: self.log_tail() });
            }
            sleep(POLL).await;
        }
    }

    fn log_tail(&self) -> String {
        let log = fs::read(self.dir.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL)..]).into_owned()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

fn launch(programs: &Path, user: Option<(u32, u32)>, dir: &Path) -> Result<Child, ServerError> {
    let log = File::options().create(true).append(true).open(dir.join("log")).map_err(ServerError::Folder)?;
    let mut postgres = command(&programs.join("postgres"), user, dir);
    // What it stores need not outlive the machine.
    for setting in ["listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB"] {
        postgres.args(["-c", setting]);
    }
    postgres.arg("-c").arg(format!("unix_socket_directories={}", dir.display()));
    postgres.arg("-D").arg(dir.join("data")).stderr(log);
    debug!(?postgres, "starting postgres");
    postgres.spawn().map_err(|source| ServerError::Spawn { program: "postgres", source })
}

/// The folder of its programs: distributions keep most of them out of the PATH.
fn programs() -> Option<PathBuf> {
    let has_all = |dir: &Path| ["initdb", "pg_ctl", "postgres"].iter().all(|name| dir.join(name).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|dir| has_all(dir));
    on_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path());
        let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        let newest = versions.filter(|path| has_all(&path.join("bin"))).max_by_key(version)?;
        Some(newest.join("bin"))
    })
}

/// Whom to run it as: nobody else, unless we are root. A file that we made tells who we are.
fn user(ours: &Path) -> Result<Option<(u32, u32)>, ServerError> {
    if fs::metadata(ours).map_err(ServerError::Folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    USERS.iter().find_map(|name| find(name)).map(Some).ok_or(ServerError::NoUser)
}

fn command(program: &Path, user: Option<(u32, u32)>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    // A folder that its user may not enter would stop it.
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    command.env("LC_ALL", "C");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

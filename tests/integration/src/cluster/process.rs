//! One process that is started, killed, frozen and started again, with its output in a file.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::HarnessError;

/// How much of an output is shown.
const TAIL: usize = 3_000;

/// What to run and where.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// It runs here, so that whatever it keeps beside itself is its own.
    pub(crate) folder: PathBuf,
    pub(crate) group: i32,
}

/// A process, running or not.
#[derive(Debug)]
pub struct Process {
    program: Program,
    child: Option<Child>,
}

impl Process {
    pub(crate) fn start(program: Program) -> Result<Self, HarnessError> {
        std::fs::create_dir_all(&program.folder).map_err(HarnessError::Folder)?;
        let mut process = Self { program, child: None };
        process.restart()?;
        Ok(process)
    }

    /// Starts it, as it was started before. One that runs goes on running.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        if self.child.is_some() && self.ended().is_none() {
            return Ok(());
        }
        let Program { name, path, arguments, folder, group } = &self.program;
        let failed = |source| HarnessError::Spawn { name: name.clone(), path: path.clone(), source };
        let output = File::options().create(true).append(true).open(self.log_path()).map_err(failed)?;
        let child = Command::new(path)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .process_group(*group)
            .spawn()
            .map_err(failed)?;
        self.child = Some(child);
        Ok(())
    }

    /// Its name within the cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.program.name
    }

    /// Its number, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills it at once: SIGKILL. What it wrote stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it where it is, as a long pause of the machine would: SIGSTOP.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn freeze(&self) -> Result<(), HarnessError> {
        self.signal("STOP")
    }

    /// Lets it go on: SIGCONT.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn thaw(&self) -> Result<(), HarnessError> {
        self.signal("CONT")
    }

    /// How it ended, if it ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// What it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// The end of what it said.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let from = log.len().saturating_sub(TAIL);
        log.get(log.ceil_char_boundary(from)..).unwrap_or_default().to_owned()
    }

    fn log_path(&self) -> PathBuf {
        Path::new(&self.program.folder).join(format!("{}.log", self.program.name))
    }

    /// A process that we have not waited for keeps its number, so that nobody else can be hit.
    fn signal(&self, signal: &'static str) -> Result<(), HarnessError> {
        let name = self.program.name.clone();
        let failed = |source| HarnessError::Signal { name: name.clone(), signal, source };
        let pid = self.pid().ok_or_else(|| failed(io::Error::other("it does not run")))?;
        // The shell's own kill: the program of that name is not everywhere.
        let script = format!("kill -{signal} {pid}");
        let sent = Command::new("sh").args(["-c", &script]).status().map_err(failed)?;
        if sent.success() { Ok(()) } else { Err(failed(io::Error::other(sent.to_string()))) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

//! Everything that a cluster starts dies with the test, however the test ends: by an error, a panic or a kill.
//!
//! A guard leads the process group and waits on a pipe whose other end only the test holds. When that end closes, whoever
//! closed it, the guard kills the group, frozen processes too.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A process group with its guard.
#[derive(Debug)]
pub(crate) struct Group {
    guard: Child,
}

impl Group {
    pub(crate) fn new() -> io::Result<Self> {
        let guard = Command::new("sh")
            .args(["-c", "cat; kill -KILL 0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { guard })
    }

    /// The number that its members are started with.
    pub(crate) fn id(&self) -> i32 {
        // A process id is far below the greatest i32.
        i32::try_from(self.guard.id()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // It kills itself last.
        let _ = self.guard.wait();
    }
}

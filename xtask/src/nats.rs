//! Sees to it that nats-server is there.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{Failure, say};

const HINT: &str = "nats-server is not installed. Debian, Ubuntu: apt-get install nats-server. macOS: brew install \
                    nats-server. Others: a package or release of NATS, in the PATH";

/// Finds nats-server, or installs it where that is possible.
pub(crate) fn ensure() -> Result<(), Failure> {
    if version().is_some() {
        return Ok(());
    }
    if !can_install() {
        return Err(Failure::missing(HINT));
    }
    say("nats-server is not here: installing it with apt-get");
    for arguments in [&["update", "-q"][..], &["install", "-y", "-q", "nats-server"][..]] {
        let status = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        if !status.is_ok_and(|s| s.success()) {
            return Err(Failure::missing(format!("apt-get {} failed. {HINT}", arguments.join(" "))));
        }
    }
    match version() {
        Some(version) => {
            say(&format!("installed {version}"));
            Ok(())
        }
        None => Err(Failure::missing(HINT)),
    }
}

fn version() -> Option<String> {
    let output = Command::new("nats-server").arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn can_install() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    is_root && Path::new("/usr/bin/apt-get").exists()
}

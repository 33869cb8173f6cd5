//! Installs a package where that is possible: Debian or Ubuntu, as root.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{Failure, say};

/// Sees to it that `version` finds a program, which is in `package`; `hint` says what to do where nothing can be installed.
pub(crate) fn ensure(
    program: &str,
    package: &str,
    hint: &str,
    version: impl Fn() -> Option<String>,
) -> Result<(), Failure> {
    if version().is_some() {
        return Ok(());
    }
    if !can_install() {
        return Err(Failure::missing(hint));
    }
    say(&format!("{program} is not here: installing {package} with apt-get"));
    for arguments in [&["update", "-q"][..], &["install", "-y", "-q", "--no-install-recommends", package][..]]
    {
        let status = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        if !status.is_ok_and(|s| s.success()) {
            return Err(Failure::missing(format!("apt-get {} failed. {hint}", arguments.join(" "))));
        }
    }
    match version() {
        Some(version) => {
            say(&format!("installed {version}"));
            Ok(())
        }
        None => Err(Failure::missing(hint)),
    }
}

/// What a program says of its version; none if it cannot be run.
pub(crate) fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn can_install() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    is_root && Path::new("/usr/bin/apt-get").exists()
}

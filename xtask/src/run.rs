//! Running other programs, and talking to whoever waits.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why a chore was not done, and the exit code for it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) text: String,
    pub(crate) code: u8,
}

impl Failure {
    /// Something failed.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 1 }
    }

    /// Something that is needed is not there.
    pub(crate) fn missing(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 2 }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 64 }
    }
}

/// Tells what is being done.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Tells what went wrong.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// Runs cargo in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    program(Path::new(&cargo), &arguments)
}

/// Runs a program in the workspace, whose output is ours.
pub(crate) fn program(path: &Path, arguments: &[String]) -> Result<(), Failure> {
    let shown = format!(
        "{} {}",
        path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
        arguments.join(" ")
    );
    say(&format!("$ {shown}"));
    let status = Command::new(path).args(arguments).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let code = status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1);
            Err(Failure { text: format!("`{shown}` ended with {status}"), code })
        }
        Err(error) => Err(Failure::new(format!("`{shown}` cannot be run: {error}"))),
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

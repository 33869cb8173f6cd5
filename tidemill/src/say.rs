//! Talking to a person: the one place that prints. A reader who went away ends the talk, not the program.

use std::io::Write;
use std::process::ExitCode;

/// Exit code for what went wrong while running.
pub(crate) const FAILED: u8 = 1;
/// Exit code for input that is refused.
pub(crate) const REFUSED: u8 = 2;

/// Prints a line to standard output.
pub(crate) fn line(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout(), "{}", text.as_ref());
}

/// Prints an error with everything that led to it, and gives the exit code for it.
pub(crate) fn failure(code: u8, error: &dyn std::error::Error) -> ExitCode {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(&format!("\n  because: {inner}"));
        source = inner.source();
    }
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(code)
}

//! Drawing again each second; and the one place that asks the clock.

use std::io::{IsTerminal, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tidemill_domain::Timestamp;

use super::client::AskError;

/// The pause between two drawings.
const PAUSE: Duration = Duration::from_secs(1);
/// To the corner of the screen; and to clear the rest of a line, and of the screen below.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
const CLEAR_ALL: &str = "\x1b[2J";

/// The time.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Asks and draws until the reader goes away; a console that does not answer is asked again. For programs, one JSON object
/// a line.
pub(super) async fn draw<F: Future<Output = Result<Value, AskError>>>(
    json: bool,
    ask: impl Fn() -> F,
    render: impl Fn(&Value) -> Result<String, AskError>,
) -> Result<(), AskError> {
    let is_screen = std::io::stdout().is_terminal() && !json;
    if is_screen {
        put(CLEAR_ALL)?;
    }
    loop {
        let text = match ask().await {
            Ok(answer) if json => answer.to_string(),
            Ok(answer) => render(&answer)?,
            Err(error @ AskError::Unreachable { .. }) if is_screen => super::in_words(&error),
            Err(error) => return Err(error),
        };
        put(&if is_screen { frame(&text) } else { format!("{}\n", text.trim_end()) })?;
        tokio::time::sleep(PAUSE).await;
    }
}

/// A drawing over the one before, without flicker.
fn frame(text: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| format!("{line}{CLEAR_LINE}\n")).collect();
    format!("{HOME}{}{CLEAR_BELOW}", lines.concat())
}

fn put(text: &str) -> Result<(), AskError> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(AskError::Written)
}

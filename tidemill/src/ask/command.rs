//! `tidemill pause`, `resume`, `rollback` and `trigger`: one command each, given once however often it is sent.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use tidemill_console::api::{CommandBody, Commanded};
use tidemill_events::CommandKind;

use super::args::CommandArgs;
use super::client::{AskError, Body};

pub(super) async fn run(args: CommandArgs, kind: CommandKind) -> Result<(), AskError> {
    let client = super::client(&args.to)?;
    let body = CommandBody { kind, by: args.by, reason: args.reason };
    let body = serde_json::to_value(&body).map_err(|source| AskError::Answer { source: source.into() })?;
    let (key, path) = (unique(), ["loops", args.name.as_str(), "commands"]);
    let answer = client.ask(Method::POST, &path, &[], Body::Json { body: &body, key: &key }).await?;
    super::show(answer, args.to.json, commanded)
}

/// A name that no other command has.
fn unique() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("cli-{}-{}", now.as_nanos(), std::process::id())
}

/// What became of a command.
pub(super) fn commanded(commanded: &Commanded) -> String {
    if commanded.done { commanded.what.clone() } else { format!("nothing to do: {}", commanded.what) }
}

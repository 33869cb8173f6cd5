//! `tidemill pause`, `pin`, `rollback` and their like: one command each, given once however often it is sent.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use tidemill_console::api::{CommandBody, Commanded};
use tidemill_console_core::LoopSummary;
use tidemill_domain::ModelVersion;
use tidemill_events::CommandKind;

use super::args::{CommandArgs, PinArgs};
use super::client::{AskError, Body};

pub(super) async fn run(args: CommandArgs, kind: CommandKind) -> Result<(), AskError> {
    let client = super::client(&args.to)?;
    let body = CommandBody { kind, by: args.by, reason: args.reason };
    let body = serde_json::to_value(&body).map_err(|source| AskError::Answer { source: source.into() })?;
    let (key, path) = (unique(), ["loops", args.name.as_str(), "commands"]);
    let answer = client.ask(Method::POST, &path, &[], Body::Json { body: &body, key: &key }).await?;
    super::show(answer, args.to.json, commanded)
}

/// Pins one loop, or every loop to its champion.
pub(super) async fn pin(args: PinArgs) -> Result<(), AskError> {
    let PinArgs { name, version, reason, by, to, .. } = args;
    let version = version.map(ModelVersion::new);
    if let Some(name) = name {
        return run(CommandArgs { name, reason, by, to }, CommandKind::Pin { version }).await;
    }
    let client = super::client(&to)?;
    let answer = client.get(&["loops"], &[]).await?;
    let loops: Vec<LoopSummary> =
        serde_json::from_value(answer).map_err(|source| AskError::Answer { source: source.into() })?;
    // A loop without a champion has nothing to be pinned to; freezing it stops it all the same.
    for entry in loops {
        let kind = match entry.champion {
            Some(_) => CommandKind::Pin { version: None },
            None => CommandKind::Freeze,
        };
        let (reason, by, to) = (reason.clone(), by.clone(), to.clone());
        run(CommandArgs { name: entry.name, reason, by, to }, kind).await?;
    }
    Ok(())
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

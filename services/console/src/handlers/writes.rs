//! What people want: checked against the fold, stored on the log, and only then answered.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tidemill_console_core::{Ask, Asked, Plan};
use tidemill_domain::spec::parse;
use tidemill_domain::{EventId, LoopId, LoopSpec};
use tidemill_events::emit::{Outgoing, event_id};
use tidemill_events::envelope::Meta;
use tidemill_events::stream::Role;
use tidemill_events::{CommandKind, Draft, Log, Subject};
use tokio::sync::MutexGuard;
use tokio::time::timeout;
use tracing::{error, warn};

use super::{Console, Query, loop_id};
use crate::api::{Applied, CommandBody, Commanded, ErrorKind, Failure, IDEMPOTENCY_KEY, MAX_BODY};

/// How long a write waits for those before it.
const QUEUE: Duration = Duration::from_secs(3);
/// How long an answer waits until it can be read back here.
const READ_BACK: Duration = Duration::from_secs(3);
/// Who is named where nobody is.
const ANONYMOUS: &str = "somebody over HTTP";

/// How a loop file is to be taken.
#[derive(Deserialize)]
pub(crate) struct How {
    #[serde(default)]
    dry_run: bool,
    by: Option<String>,
}

/// Puts a loop file in force.
pub(crate) async fn apply(
    State(console): State<Arc<Console>>,
    Query(how): Query<How>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Applied>), Failure> {
    let body = whole(body)?;
    let text = std::str::from_utf8(&body).map_err(|e| {
        Failure::invalid(
            format!("the loop file is no UTF-8 from byte {} on", e.valid_up_to()),
            "save it as UTF-8",
        )
    })?;
    let spec = parse(text).map_err(Failure::problems)?;
    let applied = to_its_end(put_in_force(console, spec, how)).await?;
    let created = applied.is_new && !applied.dry_run;
    Ok((if created { StatusCode::CREATED } else { StatusCode::OK }, Json(applied)))
}

async fn put_in_force(console: Arc<Console>, spec: LoopSpec, how: How) -> Result<Applied, Failure> {
    let by = how.by.as_deref().unwrap_or(ANONYMOUS);
    let _writing = turn(&console).await?;
    let tenure = if how.dry_run { None } else { Some(console.log.tenure().await?) };
    let Plan { version, is_new, differences, notes, draft } =
        console.shared.view(|view| view.apply(&spec, by))?;
    let (name, changed, dry_run) = (spec.name.clone(), draft.is_some(), how.dry_run);
    let event = match draft.filter(|_| !dry_run) {
        Some(draft) => {
            Some(store(&console, draft, &format!("spec/{version}/{}", spec.hash()), tenure).await?)
        }
        None => None,
    };
    Ok(Applied { name, version, is_new, changed, dry_run, differences, notes, event })
}

/// Puts a command on the log.
pub(crate) async fn command(
    State(console): State<Arc<Console>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Commanded>, Failure> {
    let id = loop_id(&name)?;
    let body = serde_json::from_slice(&whole(body)?).map_err(|e| {
        let remedy = "send for example {\"command\": \"pause\", \"by\": \"ann\", \"reason\": \"a test\"}; the commands are \
                      pause, resume, retrain and rollback";
        Failure::invalid(format!("the command cannot be read: {e}"), remedy)
    })?;
    let key = headers.get(IDEMPOTENCY_KEY).map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
    to_its_end(give(console, id, body, key)).await.map(Json)
}

async fn give(
    console: Arc<Console>,
    id: LoopId,
    body: CommandBody,
    key: Option<String>,
) -> Result<Commanded, Failure> {
    let CommandBody { kind, by, reason } = body;
    let _writing = turn(&console).await?;
    let cause = match key {
        Some(key) => format!("key/{key}"),
        None => format!("after/{}/{kind:?}/{by}/{reason}", console.shared.view(|view| view.last())),
    };
    // A command that is sent again has changed the state, so its id is looked for before the state is.
    let known = name_of(&Subject::log(id.clone(), Log::Command), &cause);
    if console.shared.view(|view| view.has_command(&id, &known)) {
        let what = "the log has this command already".to_owned();
        return Ok(Commanded { name: id, kind, done: true, what, event: Some(known) });
    }
    let ask = Ask { by: &by, reason: &reason };
    match console.shared.view(|view| view.command(&id, kind.clone(), ask))? {
        Asked::AlreadySo(what) => Ok(Commanded { name: id, kind, done: false, what, event: None }),
        Asked::Do(draft) => {
            let event = store(&console, *draft, &cause, None).await?;
            Ok(Commanded { what: done(&id, &kind), name: id, kind, done: true, event: Some(event) })
        }
    }
}

/// Runs a write to its end, also when its client goes away: half a write would leave nobody knowing what is on the log.
async fn to_its_end<T: Send + 'static>(
    write: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::spawn(write).await {
        Ok(written) => written,
        Err(e) => {
            error!(error = %e, "a write broke off");
            let remedy = "look whether it is there, and see the log of the console";
            Err(Failure::new(ErrorKind::Internal, "the write broke off", remedy))
        }
    }
}

/// The right to decide and write.
async fn turn(console: &Console) -> Result<MutexGuard<'_, ()>, Failure> {
    let busy = |_| Failure::unavailable("other writes are waiting for the log", "ask again in a moment");
    timeout(QUEUE, console.writing.lock()).await.map_err(busy)
}

fn done(id: &LoopId, kind: &CommandKind) -> String {
    match kind {
        CommandKind::Approve { version } => format!("{version} was approved for {id}"),
        CommandKind::Freeze => format!("{id} is frozen: no turn starts, and no traffic moves, also not back"),
        CommandKind::Pin { version: Some(version) } => format!("{id} was asked to stay with {version}"),
        CommandKind::Pin { version: None } => format!("{id} was asked to stay with its champion"),
        CommandKind::Reject { version } => format!("{version} was rejected for {id}"),
        CommandKind::Unpin => format!("{id} is not pinned any more"),
        CommandKind::Pause => format!("{id} is paused: no turn starts, and no traffic moves but back"),
        CommandKind::Resume => format!("{id} goes on"),
        CommandKind::Retrain => format!("{id} was asked for a turn"),
        CommandKind::Rollback => format!("{id} was asked to give the previous champion its traffic back"),
    }
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Failure> {
    body.map_err(|rejected| match rejected.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let what = format!("the body has more than {MAX_BODY} bytes");
            Failure::new(ErrorKind::TooLarge, what, "send less")
        }
        _ => Failure::invalid(rejected.body_text(), "send the body as it is"),
    })
}

/// The id of the event on `subject` that no input caused, but what `cause` names.
fn name_of(subject: &Subject, cause: &str) -> EventId {
    event_id(&Role::console().name, subject, &EventId::new(cause), 0)
}

/// Stores an event and waits until the fold has it, so that whoever asks next sees it.
async fn store(
    console: &Console,
    draft: Draft,
    cause: &str,
    tenure: Option<u64>,
) -> Result<EventId, Failure> {
    let id = name_of(&draft.to, cause);
    let meta = Meta {
        id: id.clone(),
        source: Role::console().name,
        causation: None,
        correlation: draft.turn,
        upto: None,
    };
    let event = Outgoing { subject: draft.to, meta, event: draft.event, content: draft.content };
    let stored = console.log.publish(event, tenure).await?;
    if let Some(sequence) = stored
        && !console.shared.seen(sequence, READ_BACK).await
    {
        warn!(sequence, "an event is stored but was not read back in time");
    }
    Ok(id)
}

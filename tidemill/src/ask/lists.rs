//! `tidemill turns` and `tidemill trials` as tables.

use serde_json::Value;
use tidemill_console_core::{Page, Stage, TrialRecord, TrialState, TurnSummary};
use tidemill_domain::Timestamp;
use tidemill_events::training::Purpose;

use super::args::{Family, HowFar, SortBy, TrialsArgs, TurnsArgs};
use super::client::{AskError, Client};
use super::table::{Lean, rest, table};
use super::words::{ago, count, gate, number, numbers, outcome};

/// Items that are asked for at once.
const PAGE: usize = 500;

pub(super) async fn turns(args: TurnsArgs) -> Result<(), AskError> {
    let client = super::client(&args.to)?;
    let answer = pages(&client, &["loops", args.name.as_str(), "turns"], &[], args.limit).await?;
    let now = super::watch::now();
    super::show(answer, args.to.json, |page| turns_table(page, now))
}

pub(super) async fn trials(args: TrialsArgs) -> Result<(), AskError> {
    let client = super::client(&args.to)?;
    let sort = match args.sort {
        SortBy::Cost => "cost",
        SortBy::Newest => "newest",
        SortBy::Score => "score",
    };
    let mut query = vec![("sort", sort.to_owned())];
    query.extend(args.turn.map(|turn| ("turn", turn)));
    query.extend(args.algorithm.map(|family| {
        let name = match family {
            Family::Boosting => "boosting",
            Family::Linear => "linear",
            Family::Mlp => "mlp",
        };
        ("algorithm", name.to_owned())
    }));
    query.extend(args.state.map(|state| {
        let name = match state {
            HowFar::Failed => "failed",
            HowFar::Finished => "finished",
            HowFar::Planned => "planned",
        };
        ("state", name.to_owned())
    }));
    let answer = pages(&client, &["loops", args.name.as_str(), "trials"], &query, args.limit).await?;
    super::show(answer, args.to.json, trials_table)
}

/// As many items as are wanted, page by page; the answer is that of the first page, with the items of all.
async fn pages(
    client: &Client,
    path: &[&str],
    query: &[(&str, String)],
    limit: usize,
) -> Result<Value, AskError> {
    let mut whole: Option<Value> = None;
    let mut items: Vec<Value> = Vec::new();
    loop {
        let mut asked = query.to_vec();
        asked.push(("limit", (limit.saturating_sub(items.len())).min(PAGE).to_string()));
        let next = whole.as_ref().and_then(|page| page["next"].as_str());
        asked.extend(next.map(|next| ("after", next.to_owned())));
        let mut page = client.get(path, &asked).await?;
        items.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
        let next = page["next"].take();
        let known = whole.get_or_insert(page);
        known["next"] = next;
        if items.len() >= limit || !known["next"].is_string() {
            known["items"] = Value::Array(items);
            return Ok(known.take());
        }
    }
}

fn dash(text: Option<String>) -> String {
    text.filter(|t| !t.is_empty()).unwrap_or_else(|| "-".to_owned())
}

/// What a turn does, or how it ended.
pub(super) fn stage(turn: &TurnSummary) -> String {
    match (turn.stage, turn.outcome) {
        (_, Some(ended)) => outcome(ended),
        (Stage::Searching, None) => "searching".to_owned(),
        (Stage::Judged, None) => "awaits its verdict".to_owned(),
        (Stage::Rolling | Stage::Closed, None) => "on its way".to_owned(),
    }
}

/// The turns of a loop.
pub(super) fn turns_table(page: &Page<TurnSummary>, now: Timestamp) -> String {
    if page.items.is_empty() {
        return "no turn began yet\n".to_owned();
    }
    let rows: Vec<Vec<String>> = page
        .items
        .iter()
        .map(|t| {
            let trials = format!("{}/{}", t.trials.finished + t.trials.failed, t.trials.planned);
            vec![
                t.turn.as_str().to_owned(),
                dash(t.began.map(|at| ago(at, now))),
                dash(t.cause.as_ref().map(|c| c.name().replace('_', " "))),
                trials,
                dash(t.best_score.map(number)),
                dash(t.candidate.as_ref().map(|v| v.as_str().to_owned())),
                dash(t.verdict.map(|v| gate(v).to_owned())),
                stage(t),
            ]
        })
        .collect();
    let head = [
        ("TURN", Lean::Left),
        ("BEGAN", Lean::Left),
        ("TRIGGER", Lean::Left),
        ("TRIALS", Lean::Right),
        ("BEST", Lean::Right),
        ("CANDIDATE", Lean::Left),
        ("VERDICT", Lean::Left),
        ("OUTCOME", Lean::Left),
    ];
    table(&head, &rows) + &rest(page.items.len(), page.total, page.gone, page.since, "turns")
}

/// The trials of a loop.
pub(super) fn trials_table(page: &Page<TrialRecord>) -> String {
    if page.items.is_empty() {
        return "no trials\n".to_owned();
    }
    let rows: Vec<Vec<String>> = page.items.iter().map(trial_row).collect();
    let head = [
        ("TRIAL", Lean::Left),
        ("STATE", Lean::Left),
        ("ALGORITHM", Lean::Left),
        ("ROWS", Lean::Right),
        ("FROM", Lean::Left),
        ("SCORE", Lean::Right),
        ("METRICS", Lean::Left),
        ("CPU", Lean::Right),
        ("PARAMETERS, OR WHY IT FAILED", Lean::Left),
    ];
    table(&head, &rows) + &rest(page.items.len(), page.total, page.gone, page.since, "trials")
}

fn trial_row(t: &TrialRecord) -> Vec<String> {
    let state = match (t.state, t.purpose) {
        (TrialState::Failed, _) => "failed",
        (TrialState::Finished, Purpose::Search) => "finished",
        (TrialState::Finished, Purpose::Refit) => "refitted",
        (TrialState::Planned, _) => "planned",
    };
    vec![
        t.trial.as_str().to_owned(),
        state.to_owned(),
        t.algorithm.to_string(),
        count(t.rows),
        t.strategy.to_string(),
        dash(t.score.map(number)),
        dash(Some(numbers(&t.metrics))),
        dash(t.measured.as_ref().map(|m| format!("{} s", number(m.cpu_seconds)))),
        t.reason.clone().unwrap_or_else(|| numbers(&t.parameters)),
    ]
}

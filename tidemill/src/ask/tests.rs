//! Answers of the console as they are shown, and what the exit code says.

use clap::Parser;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidemill_console::api::{ErrorKind, Failure};
use tidemill_console_core::Node;
use tidemill_domain::Timestamp;

use super::client::AskError;
use super::{Command, apply, command, exit_code, in_words, lists, quarantine, status, tree};

/// Ten minutes after the beginning of time.
const NOW: Timestamp = Timestamp(600_000_000);

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap_or_else(|e| unreachable!("{e}"))
}

fn at(seconds: i64) -> Value {
    json!({ "event": format!("e{seconds}"), "sequence": seconds, "time": seconds * 1_000_000 })
}

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[test]
fn command_lines_are_taken_or_refused() {
    for good in [
        "x apply -f loop.yaml --dry-run",
        "x apply -f - --by ann --json",
        "x status",
        "x status parcels --watch --console http://host:1",
        "x trials parcels --turn 4 --algorithm boosting --sort score --limit 5 --state finished",
        "x turns parcels --json",
        "x trigger parcels --reason why",
        "x pause parcels",
        "x resume parcels",
        "x rollback parcels",
        "x quarantine list parcels",
        "x quarantine show parcels p-1",
        "x why parcels",
        "x why parcels m-1 --detail",
    ] {
        let parsed = Cli::try_parse_from(good.split(' '));
        assert!(parsed.is_ok(), "{good}: {parsed:?}");
    }
    for bad in
        ["x apply", "x trials", "x trials P_1", "x trials parcels --algorithm svm", "x quarantine", "x why"]
    {
        assert!(Cli::try_parse_from(bad.split(' ')).is_err(), "{bad}");
    }
}

#[test]
fn exit_codes_tell_what_to_do() {
    let refused = |error| AskError::Refused {
        failure: Box::new(Failure {
            error,
            code: None,
            what: "no".into(),
            remedy: "yes".into(),
            problems: Vec::new(),
        }),
        file: None,
    };
    for (error, expected) in [
        (refused(ErrorKind::Conflict), 2),
        (refused(ErrorKind::Invalid), 2),
        (refused(ErrorKind::NotFound), 2),
        (refused(ErrorKind::TooLarge), 2),
        (refused(ErrorKind::Unavailable), 3),
        (refused(ErrorKind::Internal), 1),
        (AskError::Address { address: "x".into() }, 64),
    ] {
        assert_eq!(exit_code(&error), expected, "{error:?}");
    }
    assert_eq!(in_words(&refused(ErrorKind::Conflict)), "error: no\n  yes");
}

#[tokio::test]
async fn without_a_console_the_way_out_is_said() {
    let client = super::client::Client::new("http://127.0.0.1:1").unwrap_or_else(|e| unreachable!("{e}"));
    let error = client.get(&["loops"], &[]).await.err();
    let error = error.unwrap_or_else(|| unreachable!("nobody listens there"));
    assert_eq!(exit_code(&error), 3);
    let text = in_words(&error);
    assert!(text.starts_with("error: no console answers at http://127.0.0.1:1/"), "{text}");
    assert!(text.contains("`tidemill up`"), "{text}");
}

#[test]
fn mistakes_in_a_loop_file_have_their_places() {
    let problem = |line: usize, path: &str| json!({ "line": line, "column": 3, "path": path, "what": "is wrong", "remedy": "mend it" });
    let failure: Failure = read(json!({
        "error": "invalid", "what": "2 mistakes", "remedy": "mend them",
        "problems": [problem(4, "spec.monitor.window"), problem(9, "")],
    }));
    let error = AskError::Refused { failure: Box::new(failure), file: Some("loop.yaml".into()) };
    assert_eq!(
        in_words(&error),
        "loop.yaml:4:3: spec.monitor.window: is wrong; mend it\nloop.yaml:9:3: is wrong; mend it"
    );
    assert_eq!(exit_code(&error), 2);
}

#[test]
fn an_applied_file_shows_what_changed() {
    let applied = |is_new: bool, changed: bool, dry_run: bool, differences: Value| {
        apply::applied(&read(json!({
            "loop": "tides", "version": 2, "is_new": is_new, "changed": changed, "dry_run": dry_run,
            "differences": differences, "notes": [], "event": null,
        })))
    };
    assert_eq!(
        applied(false, false, true, json!([])),
        "loop tides: nothing changes, version 2 is in force\n"
    );
    assert_eq!(applied(true, true, false, json!([])), "loop tides: version 2 is in force\n");
    assert_eq!(
        applied(false, true, true, json!([{ "path": "spec.labels.horizon", "old": "7d", "new": "" }])),
        "loop tides: version 2 would be in force, with these changes\n  spec.labels.horizon: 7d -> (nothing)\n"
    );
}

#[test]
fn a_command_says_what_it_did() {
    let said = |done: bool| {
        command::commanded(&read(json!({
            "loop": "tides", "command": "pause", "done": done, "what": "tides is paused", "event": null,
        })))
    };
    assert_eq!(said(true), "tides is paused");
    assert_eq!(said(false), "nothing to do: tides is paused");
}

#[test]
fn turns_are_a_table() {
    let page = read(json!({ "total": 7, "gone": 0, "items": [
        { "turn": "tides-2", "began": 540_000_000, "ended": null, "cause": { "kind": "new_labels", "rows": 500 },
          "stage": "searching", "outcome": null, "trials": { "planned": 8, "finished": 2, "failed": 1 },
          "best_score": 0.25, "candidate": null, "verdict": null },
        { "turn": "tides-1", "began": 300_000_000, "ended": 400_000_000, "cause": { "kind": "schedule", "due": 0 },
          "stage": "closed", "outcome": "no_candidate", "trials": { "planned": 4, "finished": 0, "failed": 4 },
          "best_score": null, "candidate": null, "verdict": null },
    ]}));
    assert_eq!(
        lists::turns_table(&page, NOW),
        "TURN     BEGAN      TRIGGER     TRIALS  BEST  CANDIDATE  VERDICT  OUTCOME
tides-2  60 s ago   new labels     3/8  0.25  -          -        searching
tides-1  5 min ago  schedule       4/4     -  -          -        no candidate
(5 more turns: see --limit)
"
    );
}

fn trial(name: &str, state: &str, score: Value, reason: Value) -> Value {
    json!({
        "planned": at(1), "trial": name, "turn": "tides-1", "purpose": "search", "state": state,
        "algorithm": "linear", "parameters": { "l2": 0.1 }, "strategy": { "kind": "window", "rows": 500 }, "seed": 7,
        "dataset": "d-1", "metric": "log_loss", "rows": 1500, "validated": 100, "modelled": 0, "score": score,
        "metrics": { "accuracy": 0.75 }, "measured": { "wall_seconds": 1.0, "cpu_seconds": 0.5, "peak_rss_bytes": 0,
        "worker": "w", "code": "c" }, "artefact": null, "reason": reason,
    })
}

#[test]
fn trials_are_a_table() {
    let items = [
        trial("tides-1-001", "finished", json!(0.5), Value::Null),
        trial("tides-1-002", "failed", Value::Null, json!("it diverged")),
    ];
    let page = read(json!({ "items": items, "total": 2, "gone": 9 }));
    assert_eq!(
        lists::trials_table(&page),
        "TRIAL        STATE     ALGORITHM   ROWS  FROM      SCORE  METRICS          CPU  PARAMETERS, OR WHY IT FAILED
tides-1-001  finished  linear     1,500  last 500    0.5  accuracy 0.75  0.5 s  l2 0.1
tides-1-002  failed    linear     1,500  last 500      -  accuracy 0.75  0.5 s  it diverged
(9 older trials are no longer on the log)
"
    );
}

#[test]
fn refused_rows_are_counted_and_listed() {
    let row = json!({
        "sequence": 12, "time": 590_000_000, "partition": 0, "prediction_id": "p1", "payload": "{\"moon\":7}",
        "reasons": ["\"moon\" is 7, less is expected", "and more"], "labelled": true,
    });
    let found = read(json!({ "rows": [row], "total": 1200, "gone": 0, "kinds": { "a": 5, "b": 1195 } }));
    let text = quarantine::list(&found, NOW);
    assert_eq!(
        text,
        "1,200 rows were refused

TIMES  REASON
1,195  b
    5  a

ROW  WHEN      PREDICTION  FIRST REASON
 12  10 s ago  p1          \"moon\" is 7, less is expected (and 1 more)
(1199 more rows: see --limit)
"
    );
    let one = quarantine::one(&found.rows[0]);
    assert!(
        one.starts_with(
            "row 12 of partition 0, refused 1970-01-01 00:09:50Z\nprediction p1, with its label\n"
        )
    );
    assert!(one.ends_with("{\n  \"moon\": 7\n}\n"), "{one}");
}

#[test]
fn the_chain_is_drawn_as_a_tree() {
    let leaf = |label: &str| Node { label: label.into(), ..Node::default() };
    let detail = vec![("measured".into(), "0.4".into()), ("seed".into(), "7".into())];
    let verdict =
        Node { detail, time: Some(NOW), children: vec![leaf("gate a"), leaf("gate b")], ..leaf("verdict") };
    let trigger = Node { missing: true, ..leaf("trigger: not on the log") };
    let root = Node { children: vec![verdict, trigger], ..leaf("model m-1") };
    assert_eq!(
        tree::draw(&root, false),
        "model m-1
├─ verdict  [1970-01-01 00:10:00Z]
│  │  measured: 0.4
│  ├─ gate a
│  └─ gate b
└─ ! trigger: not on the log

1 links of the chain are missing (marked !)
"
    );
    assert!(tree::draw(&root, true).contains("│  │  seed: 7\n"));
}

#[test]
fn loops_are_a_line_each() {
    let loops =
        read::<Vec<_>>(json!([{ "name": "tides", "spec_version": 3, "paused": true, "champion": "m-1",
        "rows": 12000, "alerts": 1, "turn": "tides-4" }]));
    assert_eq!(
        status::loops(&loops),
        "LOOP   SPEC  CHAMPION    ROWS  ALERTS  TURN\ntides     3  m-1       12,000       1  tides-4  paused\n"
    );
    assert!(status::loops(&[]).contains("tidemill init"));
}

#[test]
fn a_loop_is_shown_at_a_glance() {
    let window = |kind: &str, drift: Value| {
        json!({
            "at": at(580), "key": { "kind": kind, "version": "m-1", "index": 3 }, "rows": 1000, "from": 0, "to": 0,
            "metrics": { "accuracy": 0.8, "log_loss": 0.45 }, "drift": drift,
        })
    };
    let column = |name: &str, drifted: bool| {
        json!({ "column": name, "test": "chi_square", "statistic": 1.0, "p_value": 0.1, "p_adjusted": 0.1,
            "psi": 0.31, "missing_ratio": 0.0, "drifted": drifted })
    };
    let model = json!({
        "version": "m-1", "role": "champion", "weight": 100, "since": 300_000_000, "algorithm": "boosting",
        "artefact": "00", "turn": "tides-1", "trained_to": 4500, "labelled": window("labelled", json!([])),
        "observed": window("observed", json!([column("moon", true), column("day", false)])),
    });
    let status = read(json!({
        "name": "tides", "sequence": 9, "time": 590_000_000,
        "spec": { "at": at(10), "version": 2, "hash": "00", "by": "ann" }, "metric": "log_loss",
        "paused": { "at": at(570), "command": "pause", "by": "bob", "reason": "a test" },
        "models": [model], "previous": "m-0", "lane": "steps",
        "rollout": { "at": at(300), "step": "promoted", "version": "m-1", "lane": "steps", "judgement": null,
            "reason": "it is better", "table": 4, "weights": [], "champion_before": null },
        "dataset": { "dataset": "d-1", "rows": 5000, "segments": 20, "from": 0, "to": 500_000_000 },
        "window": null,
        "alerts": [{ "at": at(585), "alert": { "alert": "drift", "state": "detected", "version": "m-1",
            "window": { "kind": "observed", "version": "m-1", "index": 3 }, "evidence": {}, "summary": "moon moved" } }],
        "turn": { "turn": "tides-2", "began": 590_000_000, "ended": null, "cause": { "kind": "alert", "alert": "drift",
            "event": "e585" }, "stage": "searching", "outcome": null,
            "trials": { "planned": 8, "finished": 3, "failed": 1 }, "best_score": 0.4, "candidate": null, "verdict": null },
        "verdict": { "at": at(299), "turn": "tides-1", "version": "m-1", "champion": null, "outcome": "passed",
            "gates": [{ "name": "recent", "outcome": "passed", "measured": 0.4, "limit": 0.5, "summary": "0.4 against 0.5" }],
            "dataset": "d-1", "spec_version": 2, "recent_rows": 100, "old_rows": 0, "candidate_metrics": {},
            "champion_metrics": {} },
        "triggers": [
            { "at": at(595), "decision": "declined", "trigger": "t-3", "cause": { "kind": "new_labels", "rows": 500 },
              "reason": "a turn is under way" },
            { "at": at(590), "decision": "closed", "trigger": "t-2", "turn": "tides-1", "outcome": "promoted" },
        ],
    }));
    assert_eq!(
        status::one(&status, NOW),
        "loop tides
  spec        version 2, by ann, 10 min ago
  PAUSED      by bob, 30 s ago: a test
  champion    m-1  100 %  since 5 min ago  boosting of tides-1, learned to row 4,500
              log_loss 0.45, accuracy 0.8 (1,000 labelled rows, 20 s ago)
              drift in 1 of 2 columns: moon (psi 0.31) (1,000 rows, 20 s ago)
  previous    m-0, ready to return
  rollout     m-1 promoted, lane steps, 5 min ago: it is better
  dataset     d-1: 5,000 rows in 20 segments, predicted 1970-01-01 00:00:00Z to 1970-01-01 00:08:20Z
  alert       drift detected, 15 s ago: moon moved
  turn        tides-2 for drift, began 10 s ago, searching  ██████████░░░░░░░░░░ 4 of 8 trials, 1 failed, best 0.4
  verdict     passed: m-1 against the prior, 5 min ago
              passed recent: 0.4 against 0.5
  trigger     5 s ago: new labels declined, a turn is under way
              10 s ago: tides-1 ended, promoted
"
    );
}

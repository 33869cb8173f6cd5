//! People in control of the real system, with the command line as they use it: approve, reject, pin, freeze, and refused rows
//! that go into the stream again once the loop file is right.

use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use tidemill_integration::{TestSystem, wait};
use tokio::process::Command;

use crate::small;

const LONG: Duration = Duration::from_secs(60);

/// The program beside this test: cargo xtask test builds it first.
fn tidemill() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("tidemill")
}

async fn run(system: &TestSystem, arguments: &[&str]) -> Output {
    Command::new(tidemill())
        .args(arguments)
        .env("TIDEMILL_CONSOLE", system.system.console_url())
        .env("TIDEMILL_NATS_URL", system.system.nats_url())
        .output()
        .await
        .unwrap()
}

async fn ask(system: &TestSystem, arguments: &[&str]) -> String {
    let output = run(system, arguments).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

async fn status(system: &TestSystem) -> serde_json::Value {
    let url = format!("{}/v1/loops/small", system.system.console_url());
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

async fn apply(system: &TestSystem, file: &str) {
    let url = format!("{}/v1/loops", system.system.console_url());
    let applied = reqwest::Client::new().put(url).body(file.to_owned()).send().await.unwrap();
    assert!(applied.status().is_success(), "{}", applied.text().await.unwrap());
}

async fn send(system: &TestSystem, rows: std::ops::Range<usize>) {
    let producer = system.producer(small::spec().name).unwrap();
    for index in rows {
        let (row, label) = small::row(index);
        producer.predict(&row).await.unwrap();
        producer.label(&row.id, label).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_pins_and_freezes() {
    let system = TestSystem::start().await.unwrap();
    apply(&system, &small::LOOP.replace("    cooldown: 0s", "    cooldown: 0s\n    approval: manual")).await;
    send(&system, 0..150).await;
    let waiting = || async {
        let status = status(&system).await;
        status["waiting"][0].as_str().map(str::to_owned).ok_or_else(|| format!("nothing waits: {status}"))
    };
    let version = wait::until(LONG, waiting).await.unwrap();
    assert_eq!(status(&system).await["models"][0], serde_json::Value::Null, "nobody answers yet");

    let refused = run(&system, &["approve", "small", "m-nobody"]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    ask(&system, &["approve", "small", &version, "--by", "ann"]).await;
    let serves = || async {
        let status = status(&system).await;
        (status["models"][0]["version"] == version.as_str()).then_some(()).ok_or_else(|| status.to_string())
    };
    wait::until(LONG, serves).await.unwrap();

    // The kill switch: every loop stays with its champion, and no turn begins, whatever comes.
    ask(&system, &["pin", "--all", "--reason", "incident", "--by", "ann"]).await;
    let pinned = || async {
        let status = status(&system).await;
        let reason = status["pinned"]["reason"].as_str().map(str::to_owned);
        reason.ok_or_else(|| format!("not pinned: {status}"))
    };
    assert_eq!(wait::until(LONG, pinned).await.unwrap(), "ann pinned it: incident");
    let declined = run(&system, &["trigger", "small"]).await;
    assert_eq!(declined.status.code(), Some(2), "{declined:?}");
    let shown = ask(&system, &["status", "small"]).await;
    assert!(shown.contains("PINNED"), "{shown}");

    ask(&system, &["unpin", "small"]).await;
    ask(&system, &["freeze", "small", "--by", "bob"]).await;
    let frozen = || async {
        let status = status(&system).await;
        let holds = status["pinned"].is_null() && status["paused"]["command"] == "freeze";
        holds.then_some(()).ok_or_else(|| status.to_string())
    };
    wait::until(LONG, frozen).await.unwrap();
    assert!(ask(&system, &["freeze", "small"]).await.contains("nothing to do"));
    ask(&system, &["resume", "small"]).await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_rows_go_into_the_stream_again() {
    let system = TestSystem::start().await.unwrap();
    apply(&system, small::LOOP).await;
    send(&system, 0..100).await;
    let refused = (0..100).filter(|i| small::is_refused(*i)).count() as u64;
    let lie_there = || async {
        let url = format!("{}/v1/loops/small/quarantine", system.system.console_url());
        let answer: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let rows = answer["rows"].as_array().cloned().unwrap_or_default();
        let labelled = rows.iter().filter(|r| r["labelled"] == true).count() as u64;
        (labelled == refused).then_some(()).ok_or_else(|| answer.to_string())
    };
    wait::until(LONG, lie_there).await.unwrap();

    // What the file called impossible is possible after all.
    apply(
        &system,
        &small::LOOP
            .replace("{ name: a, type: numeric, min: -10, max: 10 }", "{ name: a, type: numeric, min: -10 }"),
    )
    .await;
    for _ in 0..2 {
        let told: serde_json::Value =
            serde_json::from_str(&ask(&system, &["quarantine", "replay", "small", "--json"]).await).unwrap();
        assert_eq!((&told["sent"], &told["spec_version"]), (&refused.into(), &2.into()), "{told}");
    }
    let expected: Vec<String> =
        (0..100).filter(|i| small::is_refused(*i)).map(|i| format!("row-{i}~v2")).collect();
    let joined = || async {
        let mut seen: Vec<String> = Vec::new();
        for recorded in system.clean().await.map_err(|e| e.to_string())? {
            if let tidemill_events::Event::Clean(items) = recorded.event {
                seen.extend(items.into_iter().filter_map(|item| match item {
                    tidemill_events::sample::CleanItem::Labelled(row) => Some(row.prediction_id.to_string()),
                    _ => None,
                }));
            }
        }
        seen.retain(|id| id.contains('~'));
        // Sent twice, each is there once.
        (seen == expected).then_some(()).ok_or_else(|| format!("{seen:?}"))
    };
    wait::until(LONG, joined).await.unwrap();
    system.stop().await;
}

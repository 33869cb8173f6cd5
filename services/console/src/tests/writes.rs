//! What people want.

use std::sync::{Arc, PoisonError};

use super::scene::{LOOP, Scene};
use crate::api::{IDEMPOTENCY_KEY, MAX_BODY};
use crate::log::LogError;

const COMMANDS: &str = "/v1/loops/tides/commands";

fn command(name: &str) -> String {
    format!(r#"{{"command": "{name}", "by": "ann", "reason": "a test"}}"#)
}

#[tokio::test]
async fn a_loop_file_is_put_in_force_once() {
    let scene = Scene::new().await;
    let (status, first) = scene.put("/v1/loops?by=ann", LOOP).await;
    assert_eq!((status, first["version"].as_u64(), first["is_new"].as_bool()), (201, Some(1), Some(true)));
    assert!(first["event"].is_string());
    let (status, same) = scene.put("/v1/loops", LOOP).await;
    assert_eq!((status, same["changed"].as_bool(), same["event"].is_null()), (200, Some(false), true));
    let (status, next) = scene.put("/v1/loops", &format!("{LOOP}  monitor: {{ window: 1h }}\n")).await;
    assert_eq!((status, next["version"].as_u64()), (200, Some(2)));
    assert_eq!(next["differences"][0]["path"].as_str(), Some("spec.monitor.window"));
    assert_eq!(scene.n_stored(), 2);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let scene = Scene::with_loop().await;
    let file = format!("{LOOP}  monitor: {{ window: 1h }}\n");
    let (status, body) = scene.put("/v1/loops?dry_run=true", &file).await;
    assert_eq!((status, body["dry_run"].as_bool(), body["changed"].as_bool()), (200, Some(true), Some(true)));
    assert_eq!((body["differences"][0]["new"].as_str(), scene.n_stored()), (Some("1h"), 1));
}

#[tokio::test]
async fn every_mistake_in_a_loop_file_is_answered_with_its_line() {
    let scene = Scene::new().await;
    let file = LOOP.replace("numeric", "nummeric") + "  monitor: { window: soon }\n";
    let (status, body) = scene.put("/v1/loops", &file).await;
    assert_eq!((status, body["error"].as_str()), (422, Some("invalid")));
    assert_eq!(body["code"].as_str(), Some("TM-0401"));
    let lines: Vec<_> =
        body["problems"].as_array().into_iter().flatten().map(|p| p["line"].as_u64()).collect();
    assert_eq!(lines, [Some(6), Some(8)], "{body}");
    assert_eq!(scene.n_stored(), 0);
}

#[tokio::test]
async fn large_and_unreadable_bodies_are_refused() {
    let scene = Scene::with_loop().await;
    assert_eq!(scene.put("/v1/loops", &"#".repeat(MAX_BODY + 1)).await.0, 413);
    assert_eq!(scene.put("/v1/loops", "").await.0, 422);
    for body in [
        "",
        "{}",
        r#"{"command": "dance", "by": "ann"}"#,
        r#"{"command": "pause"}"#,
        r#"{"command": "pause", "by": ""}"#,
    ] {
        let (status, answer) = scene.post(COMMANDS, &[], body).await;
        assert_eq!((status, answer["error"].as_str()), (422, Some("invalid")), "{body}: {answer}");
    }
    assert_eq!(scene.n_stored(), 1);
}

#[tokio::test]
async fn commands_are_stored_where_they_make_sense() {
    let scene = Scene::with_loop().await;
    for (name, expected, done) in [
        ("resume", 200, Some(false)),
        ("pause", 200, Some(true)),
        ("pause", 200, Some(false)),
        ("retrain", 409, None),
        ("resume", 200, Some(true)),
        ("rollback", 409, None),
    ] {
        let (status, body) = scene.post(COMMANDS, &[], &command(name)).await;
        assert_eq!((status, body["done"].as_bool()), (expected, done), "{name}: {body}");
    }
    assert_eq!(scene.n_stored(), 3);
    assert_eq!(scene.post("/v1/loops/nobody/commands", &[], &command("pause")).await.0, 404);
}

#[tokio::test]
async fn a_command_that_is_sent_again_is_given_once() {
    let scene = Scene::with_loop().await;
    let key = [(IDEMPOTENCY_KEY, "k1")];
    let (_, first) = scene.post(COMMANDS, &key, &command("pause")).await;
    let (status, again) = scene.post(COMMANDS, &key, &command("pause")).await;
    assert_eq!((status, again["done"].as_bool()), (200, Some(true)));
    assert_eq!(first["event"], again["event"]);
    assert_eq!(scene.n_stored(), 2);
}

#[tokio::test]
async fn what_the_log_says_is_passed_on() {
    let scene = Scene::with_loop().await;
    for (error, expected) in [
        (LogError::Standby, (503, "TM-0403")),
        (LogError::Unknown("slow".into()), (503, "TM-0404")),
        (LogError::Refused("no".into()), (500, "TM-0405")),
    ] {
        *scene.log.refuse.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        let (status, body) = scene.post(COMMANDS, &[], &command("pause")).await;
        assert_eq!((status, body["code"].as_str().unwrap_or_default()), expected, "{body}");
    }
    // A dry run needs no log.
    assert_eq!(scene.put("/v1/loops?dry_run=true", LOOP).await.0, 200);
}

#[tokio::test]
async fn writes_at_once_get_one_version_each() {
    let scene = Scene::with_loop().await;
    let file = |hours: u32| format!("{LOOP}  monitor: {{ window: {hours}h }}\n");
    let scene = Arc::new(scene);
    let asked: Vec<_> = (1..=8)
        .map(|hours| {
            let (scene, file) = (Arc::clone(&scene), file(hours));
            tokio::spawn(async move { scene.put("/v1/loops", &file).await })
        })
        .collect();
    let mut versions = Vec::new();
    for answer in asked {
        versions.push(answer.await.ok().and_then(|(_, body)| body["version"].as_u64()));
    }
    versions.sort();
    assert_eq!(versions, (2..=9).map(Some).collect::<Vec<_>>());
}

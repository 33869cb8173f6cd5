//! What memory knows, the view knows too: it explains models alike, and its lists begin with what the status shows.

use super::scene::Scene;

#[tokio::test]
async fn models_are_explained_alike_from_memory_and_from_the_view() {
    let scene = Scene::with_story().await;
    let id = tidemill_domain::LoopId::new("tides").unwrap_or_else(|e| unreachable!("{e}"));
    for version in ["m-a", "m-b"] {
        let remembered = scene.log.shared.view(|view| view.why(&id, version));
        let past = scene.log.view.past(&id, version).await.unwrap_or_else(|e| unreachable!("{e}"));
        let past = past.unwrap_or_else(|| unreachable!("{version} was proposed"));
        assert_eq!(scene.log.shared.view(|view| view.why_past(&id, past)), remembered, "{version}");
    }
    assert!(scene.log.view.past(&id, "m-").await.is_err(), "two models begin so");
    assert!(matches!(scene.log.view.past(&id, "m-c").await, Ok(None)));
    assert!(matches!(scene.log.view.past(&id, "M-A").await, Ok(None)), "case matters on every database");
}

#[tokio::test]
async fn a_model_that_memory_let_go_is_explained() {
    let scene = Scene::with_story().await;
    let (_, known) = scene.get("/v1/loops/tides/why/m-b").await;
    let scene = scene.forget();
    let (status, body) = scene.get("/v1/loops/tides/why/m-b").await;
    assert_eq!(status, 200, "{body}");
    let labels = |tree: &serde_json::Value| -> Vec<String> {
        let children = tree["children"].as_array().into_iter().flatten();
        children.filter_map(|c| c["label"].as_str()).map(str::to_owned).collect()
    };
    assert_eq!(labels(&body), labels(&known));
    assert_eq!(scene.get("/v1/loops/tides/why/m-c").await.0, 404);
}

#[tokio::test]
async fn lists_begin_with_what_the_status_shows() {
    let scene = Scene::with_story().await;
    let (_, status) = scene.get("/v1/loops/tides").await;
    for (field, list) in [
        ("rollout", "rollouts"),
        ("verdict", "verdicts"),
        ("spec", "specs"),
        ("turn", "turns"),
        ("triggers", "triggers"),
    ] {
        let (_, page) = scene.get(&format!("/v1/loops/tides/{list}?limit=5")).await;
        let expected = if field == "triggers" { &page["items"] } else { &page["items"][0] };
        assert_eq!(&status[field], expected, "{list}");
    }
}

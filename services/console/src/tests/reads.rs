//! What people ask.

use super::scene::Scene;

#[tokio::test]
async fn every_list_of_a_new_loop_is_empty() {
    let scene = Scene::with_loop().await;
    for list in [
        "alerts",
        "commands",
        "datasets",
        "leaderboard",
        "rollouts",
        "segments",
        "trials",
        "triggers",
        "turns",
        "verdicts",
        "windows",
    ] {
        let (status, body) = scene.get(&format!("/v1/loops/tides/{list}?limit=5")).await;
        assert_eq!(
            (status, body["total"].as_u64(), body["gone"].as_u64()),
            (200, Some(0), Some(0)),
            "{list}: {body}"
        );
    }
    let (status, body) = scene.get("/v1/loops").await;
    assert_eq!((status, body[0]["name"].as_str()), (200, Some("tides")));
    let (status, body) = scene.get("/v1/loops/tides").await;
    assert_eq!(
        (status, body["spec"]["version"].as_u64(), body["spec"]["by"].as_str()),
        (200, Some(1), Some("ann"))
    );
}

#[tokio::test]
async fn mistakes_are_answered_with_what_and_remedy() {
    let scene = Scene::with_loop().await;
    for (method, path, expected, error) in [
        ("GET", "/v1/loops/nobody", 404, "not_found"),
        ("GET", "/v1/loops/No_Name", 422, "invalid"),
        ("GET", "/v1/loops/tides/why/live", 404, "not_found"),
        ("GET", "/v1/loops/tides/trials?turn=7", 404, "not_found"),
        ("GET", "/v1/loops/tides/trials?sort=upwards", 422, "invalid"),
        ("GET", "/v1/loops/tides/turns?limit=many", 422, "invalid"),
        ("GET", "/v1/loops/tides/quarantine/p1", 404, "not_found"),
        ("GET", "/v2/loops", 404, "not_found"),
        ("DELETE", "/v1/loops/tides", 405, "invalid"),
    ] {
        let (status, body) = scene.ask(method, path, &[], String::new()).await;
        assert_eq!((status, body["error"].as_str()), (expected, Some(error)), "{path}: {body}");
        assert!(body["what"].as_str().is_some_and(|w| !w.is_empty()), "{path}: {body}");
        assert!(body["remedy"].as_str().is_some_and(|r| !r.is_empty()), "{path}: {body}");
    }
}

#[tokio::test]
async fn before_the_log_is_read_there_is_no_answer() {
    let scene = Scene::reading();
    let (status, body) = scene.get("/v1/loops").await;
    assert_eq!((status, body["error"].as_str()), (503, Some("unavailable")));
}

#[tokio::test]
async fn the_spec_in_force_is_given_as_a_loop_file() {
    let scene = Scene::with_loop().await;
    let (status, body) = scene.get("/v1/loops/tides/spec").await;
    let spec = tidemill_domain::spec::parse(body.as_str().unwrap_or_default());
    assert_eq!((status, spec.map(|s| s.name.as_str().to_owned())), (200, Ok("tides".to_owned())));
    assert_eq!(scene.get("/v1/loops/nobody/spec").await.0, 404);
}

#[tokio::test]
async fn refused_rows_are_listed_and_found() {
    let scene = Scene::with_story().await;
    let (status, body) = scene.get("/v1/loops/tides/quarantine?limit=1").await;
    assert_eq!(
        (status, body["total"].as_u64(), body["rows"][0]["prediction_id"].as_str(), body["next"].as_str()),
        (200, Some(5), Some("p/13"), Some("13"))
    );
    assert_eq!(body["kinds"]["\"moon\" is …, less is expected"].as_u64(), Some(5));
    let (status, body) = scene.get("/v1/loops/tides/quarantine/p%2F8").await;
    assert_eq!((status, body["sequence"].as_u64(), body["labelled"].as_bool()), (200, Some(8), Some(true)));
    let (_, by_place) = scene.get("/v1/loops/tides/quarantine/8").await;
    assert_eq!(body, by_place);
}

#[tokio::test]
async fn trials_are_filtered_and_sorted() {
    let scene = Scene::with_story().await;
    for (query, expected) in [
        ("limit=2", vec!["tides-3-refit-1", "tides-3-003"]),
        ("turn=1", vec!["tides-1-refit-1", "tides-1-003", "tides-1-002", "tides-1-001"]),
        ("turn=tides-1&algorithm=mlp", vec!["tides-1-003"]),
        ("turn=1&sort=score&limit=2", vec!["tides-1-001", "tides-1-002"]),
        ("turn=2&sort=cost&limit=2", vec!["tides-2-002", "tides-2-refit-1"]),
        ("state=failed", vec!["tides-3-003", "tides-2-003", "tides-1-003"]),
        ("purpose=refit&sort=score", vec!["tides-3-refit-1", "tides-2-refit-1", "tides-1-refit-1"]),
    ] {
        let (_, page) = scene.get(&format!("/v1/loops/tides/trials?{query}")).await;
        let items = page["items"].as_array().into_iter().flatten();
        let names: Vec<&str> = items.filter_map(|t| t["trial"].as_str()).collect();
        assert_eq!(names, expected, "{query}");
    }
    let (_, refused) = scene.get("/v1/loops/tides/trials?turn=9").await;
    assert_eq!(refused["remedy"].as_str(), Some("there is tides-1 to tides-3"));
}

#[tokio::test]
async fn pages_together_are_the_list() {
    let scene = Scene::with_story().await;
    for list in [
        "trials?sort=newest",
        "trials?sort=score",
        "trials?sort=cost",
        "segments?",
        "rollouts?",
        "quarantine?",
    ] {
        let field = if list.starts_with("quarantine") { "rows" } else { "items" };
        let (_, whole) = scene.get(&format!("/v1/loops/tides/{list}&limit=1000")).await;
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let (status, page) = scene.get(&format!("/v1/loops/tides/{list}&limit=2{after}")).await;
            assert_eq!((status, &page["total"]), (200, &whole["total"]), "{list}: {page}");
            items.extend(page[field].as_array().cloned().unwrap_or_default());
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(Some(&items), whole[field].as_array(), "{list}");
        assert!(items.len() > 2, "{list}");
    }
}

#[tokio::test]
async fn segments_are_those_of_the_newest_dataset() {
    let scene = Scene::with_story().await;
    let (_, page) = scene.get("/v1/loops/tides/segments?limit=2").await;
    let rows: Vec<_> =
        page["items"].as_array().into_iter().flatten().map(|s| s["first_row"].as_u64()).collect();
    assert_eq!(
        (rows, page["total"].as_u64(), page["gone"].as_u64()),
        (vec![Some(150), Some(100)], Some(3), Some(0))
    );
}

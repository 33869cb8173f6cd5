//! What people ask.

use tidemill_domain::PredictionId;
use tidemill_events::sample::Quarantined;
use tidemill_events::{Event, Partition, Topic};

use super::scene::Scene;

#[tokio::test]
async fn every_list_of_a_new_loop_is_empty() {
    let scene = Scene::with_loop().await;
    for list in ["turns", "trials", "windows", "alerts", "rollouts", "segments"] {
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
    let scene = Scene::with_loop().await;
    let row = Quarantined {
        prediction_id: Some(PredictionId::new("p/1")),
        payload: "{}".into(),
        reasons: vec!["\"moon\" is 7, less is expected".into()],
        labelled: false,
    };
    scene.write(Topic::Quarantine(Partition(0)), Event::Quarantined(row));
    let (status, body) = scene.get("/v1/loops/tides/quarantine?limit=1").await;
    assert_eq!(
        (status, body["total"].as_u64(), body["rows"][0]["prediction_id"].as_str()),
        (200, Some(1), Some("p/1"))
    );
    assert_eq!(body["kinds"]["\"moon\" is …, less is expected"].as_u64(), Some(1));
    let (status, body) = scene.get("/v1/loops/tides/quarantine/p%2F1").await;
    assert_eq!((status, body["payload"].as_str()), (200, Some("{}")));
}

//! The document of the API says what the API does: every route is in it, and every answer is as it says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::questions::QUESTIONS;
use super::scene::{LOOP, Scene};
use super::schema::check;
use crate::routes::routes;

async fn document(scene: &Scene) -> Value {
    scene.get("/v1/openapi.json").await.1
}

/// The schema of an answer.
fn schema<'a>(document: &'a Value, path: &str, method: &str, status: u16) -> &'a Value {
    let answers = &document["paths"][path][method]["responses"];
    let answer = answers.get(status.to_string()).unwrap_or(&answers["default"]);
    let content = answer["content"].as_object().and_then(|kinds| kinds.values().next());
    content.map_or(&Value::Null, |content| &content["schema"])
}

#[tokio::test]
async fn every_route_is_in_the_document_and_no_other() {
    let scene = Scene::new().await;
    let served: BTreeSet<String> =
        routes().iter().map(|(path, method, _)| format!("{method} {path}")).collect();
    let mut written = BTreeSet::new();
    for (path, methods) in document(&scene).await["paths"].as_object().into_iter().flatten() {
        written
            .extend(methods.as_object().into_iter().flatten().map(|(method, _)| format!("{method} {path}")));
    }
    assert_eq!(served, written);
    let asked: BTreeSet<&str> = QUESTIONS.iter().map(|(_, path)| *path).collect();
    let readable: BTreeSet<&str> = routes().iter().filter(|r| r.1 == "get").map(|r| r.0).collect();
    assert_eq!(asked, readable, "every path is asked");
}

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let scene = Scene::with_story().await;
    let document = document(&scene).await;
    for (question, path) in QUESTIONS {
        let (status, body) = scene.get(question).await;
        let schema = schema(&document, path, "get", status);
        assert_eq!(check(&document, schema, &body), Vec::<String>::new(), "{question}: {status} {body}");
        let is_refused = ["nobody", "99", "limit=0", "1001", "yesterday", "outcom="];
        let refused = is_refused.iter().any(|part| question.contains(part));
        assert_eq!(status != 200, refused, "{question}: {status} {body}");
    }
}

#[tokio::test]
async fn every_filter_of_the_document_is_taken_and_no_other() {
    let scene = Scene::with_story().await;
    let document = document(&scene).await;
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        let url = path.replace("{loop}", "tides").replace("{row}", "8").replace("{version}", "live");
        let parameters = methods["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let parameters: Vec<Value> = parameters
            .iter()
            .map(|p| p["$ref"].as_str().map_or(p, |r| document.pointer(&r[1..]).unwrap_or(p)).clone())
            .filter(|p| p["in"] == "query")
            .collect();
        for parameter in &parameters {
            let name = parameter["name"].as_str().unwrap_or_default();
            let schema = parameter["schema"]["$ref"]
                .as_str()
                .map_or(Some(&parameter["schema"]), |r| document.pointer(&r[1..]));
            let values = schema.and_then(|s| s["enum"].as_array()).cloned().unwrap_or_default();
            for value in values.iter().filter_map(Value::as_str) {
                let (status, body) = scene.get(&format!("{url}?{name}={value}")).await;
                assert_eq!(status, 200, "{url}?{name}={value}: {body}");
            }
        }
        if !parameters.is_empty() {
            assert_eq!(scene.get(&format!("{url}?colour=blue")).await.0, 422, "{url}");
        }
    }
}

#[tokio::test]
async fn what_is_written_is_answered_as_the_document_says() {
    let scene = Scene::new().await;
    let document = document(&scene).await;
    let file = format!("{LOOP}  monitor: {{ window: 1h }}\n");
    for (path, body) in [
        ("/v1/loops?by=ann", LOOP),
        ("/v1/loops?dry_run=true", &file),
        ("/v1/loops", "kind: Loop"),
        ("/v1/loops", &file),
    ] {
        let (status, answer) = scene.put(path, body).await;
        let schema = schema(&document, "/v1/loops", "put", status);
        assert_eq!(check(&document, schema, &answer), Vec::<String>::new(), "{path}: {answer}");
    }
    for command in ["pause", "pause", "rollback", "dance"] {
        let body = json!({ "command": command, "by": "ann" });
        let request = &document["paths"]["/v1/loops/{loop}/commands"]["post"]["requestBody"];
        let fits = check(&document, &request["content"]["application/json"]["schema"], &body).is_empty();
        assert_eq!(fits, command != "dance");
        let (status, answer) = scene.post("/v1/loops/tides/commands", &[], &body.to_string()).await;
        let schema = schema(&document, "/v1/loops/{loop}/commands", "post", status);
        assert_eq!(check(&document, schema, &answer), Vec::<String>::new(), "{command}: {answer}");
    }
}

#[test]
fn a_wrong_answer_is_found() {
    let schema = json!({
        "type": "object", "properties": { "n": { "type": "integer", "minimum": 0 }, "s": { "enum": ["a"] } },
        "required": ["n"], "additionalProperties": false
    });
    for (value, expected) in [
        (json!({ "n": 1, "s": "a" }), 0),
        (json!({ "n": -1 }), 1),
        (json!({ "n": "1" }), 2),
        (json!({ "s": "b" }), 2),
        (json!({ "n": 1, "x": 1 }), 1),
        (json!([]), 2),
    ] {
        let wrong = check(&Value::Null, &schema, &value);
        assert_eq!(wrong.len(), expected, "{value}: {wrong:?}");
    }
    assert_eq!(check(&Value::Null, &json!({ "pattern": "a" }), &json!("a")).len(), 1);
}

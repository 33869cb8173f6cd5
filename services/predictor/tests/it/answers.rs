//! What clients are told.

use tidemill_domain::{Output, Value};
use tidemill_events::rollout::Role;
use tidemill_predictor::Options;
use tidemill_proto::v1;
use tonic::Code;

use crate::rig::{Rig, number, request};

#[tokio::test]
async fn before_a_model_there_is_no_answer_but_a_reason() {
    let mut rig = Rig::start().await;
    let unknown = rig.client.predict(request("p", None)).await.err();
    assert!(unknown.is_some_and(|s| matches!(s.code(), Code::NotFound | Code::Unavailable)));
    rig.apply(1, 1);
    rig.in_force(1, 0).await;
    let status = rig.client.predict(request("p-1", None)).await.err();
    let status = status.unwrap_or_else(|| unreachable!("there is no model"));
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("no model of loop parcels has passed"), "{}", status.message());
    // The row can teach all the same.
    let records = rig.logged(1).await;
    assert_eq!((records[0].prediction_id.as_str(), records[0].scored.len()), ("p-1", 0));

    let other = v1::PredictRequest { r#loop: "No Loop".into(), ..request("p", None) };
    assert_eq!(rig.client.predict(other).await.err().map(|s| s.code()), Some(Code::NotFound));
}

#[tokio::test]
async fn the_answer_is_that_of_the_model_and_everything_is_logged() {
    let mut rig = Rig::start().await;
    rig.apply(1, 1);
    let (champion, shadow) = (rig.shelved(1.0, 1), rig.shelved(2.0, 1));
    rig.route(1, vec![(&champion, Role::Champion, 100), (&shadow, Role::Shadow, 0)]);
    rig.in_force(1, 1).await;
    let mut row = request("", Some("van-7"));
    row.features.insert("note".into(), v1::Value { kind: Some(v1::value::Kind::Text("fragile".into())) });
    let answer = rig.client.predict(row).await.unwrap_or_else(|e| unreachable!("{e}")).into_inner();
    assert_eq!(number(&answer), 1.0);
    assert_eq!(answer.model_version, champion.model.version.as_str());
    assert!(answer.prediction_id.starts_with("p-") && answer.served_at.is_some());

    let records = rig.logged(1).await;
    let record = &records[0];
    assert_eq!(record.prediction_id.as_str(), answer.prediction_id);
    assert_eq!(record.entity.as_deref(), Some("van-7"));
    assert_eq!(record.features.get("note"), Some(&Value::Text("fragile".into())));
    let said: Vec<_> = record.scored.iter().map(|s| (s.version.clone(), s.output.clone())).collect();
    let expected = [
        (champion.model.version.clone(), Output::Number(1.0)),
        (shadow.model.version.clone(), Output::Number(2.0)),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn every_problem_of_a_row_is_named() {
    let mut rig = Rig::start().await;
    rig.apply(1, 1);
    let champion = rig.shelved(1.0, 1);
    rig.route(1, vec![(&champion, Role::Champion, 100)]);
    rig.in_force(1, 1).await;
    let nan = v1::Value { kind: Some(v1::value::Kind::Number(f64::NAN)) };
    let mut bad = request(&"x".repeat(300), Some("van\n7"));
    bad.features.insert("x0".into(), nan);
    let status = rig.client.predict(bad.clone()).await.err().unwrap_or_else(|| unreachable!("it was taken"));
    assert_eq!(status.code(), Code::InvalidArgument);
    for part in ["prediction_id: ", "entity: ", "features.x0: "] {
        assert!(status.message().contains(part), "{part} is not in {}", status.message());
    }
    // A row without its features is none of these.
    let empty = v1::PredictRequest { features: Default::default(), ..request("p", None) };
    let batch = v1::PredictBatchRequest { requests: vec![empty, bad] };
    let results =
        rig.client.predict_batch(batch).await.unwrap_or_else(|e| unreachable!("{e}")).into_inner().results;
    assert!(matches!(&results[0].result, Some(v1::predict_result::Result::Answer(a)) if number(a) == 1.0));
    assert!(matches!(&results[1].result, Some(v1::predict_result::Result::Problem(p)) if p.code == 3));
    let many = v1::PredictBatchRequest { requests: vec![request("p", None); 1_001] };
    assert_eq!(rig.client.predict_batch(many).await.err().map(|s| s.code()), Some(Code::InvalidArgument));
}

#[tokio::test]
async fn a_challenger_answers_its_share_and_the_same_entities_again() {
    let mut rig = Rig::start().await;
    rig.apply(1, 1);
    let (champion, challenger) = (rig.shelved(1.0, 1), rig.shelved(2.0, 1));
    rig.route(1, vec![(&champion, Role::Champion, 75), (&challenger, Role::Challenger, 25)]);
    rig.in_force(1, 1).await;
    let mut heard = Vec::new();
    for round in 0..2 {
        let requests =
            (0..1_000).map(|i| request(&format!("{round}-{i}"), Some(&format!("van-{i}")))).collect();
        let batch = rig.client.predict_batch(v1::PredictBatchRequest { requests }).await;
        let results = batch.unwrap_or_else(|e| unreachable!("{e}")).into_inner().results;
        let answers = results.into_iter().map(|r| match r.result {
            Some(v1::predict_result::Result::Answer(answer)) => number(&answer),
            other => unreachable!("{other:?}"),
        });
        heard.push(answers.collect::<Vec<_>>());
    }
    assert_eq!(heard[0], heard[1]);
    let n_challenger = heard[0].iter().filter(|y| **y == 2.0).count();
    assert!((200..300).contains(&n_challenger), "{n_challenger}");
    let records = rig.logged(2_000).await;
    assert!(records.iter().all(|r| r.scored.len() == 2), "both score every row");
}

#[tokio::test]
async fn too_many_requests_are_turned_away_and_counted() {
    let mut rig = Rig::start_with(Options { max_requests: 1, ..Options::default() }).await;
    rig.apply(1, 1);
    let champion = rig.shelved(1.0, 1);
    rig.route(1, vec![(&champion, Role::Champion, 100)]);
    rig.in_force(1, 1).await;
    let batch = || v1::PredictBatchRequest { requests: vec![request("p", None); 1_000] };
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let mut client = rig.client.clone();
        tasks.spawn(
            async move { client.predict_batch(batch()).await.map_or_else(|s| s.code(), |_| Code::Ok) },
        );
    }
    let codes = tasks.join_all().await;
    assert!(codes.contains(&Code::Ok));
    let n_shed = codes.iter().filter(|c| **c == Code::ResourceExhausted).count();
    let counter = format!("tidemill_predictor_rows_total{{code=\"resource_exhausted\"}} {n_shed}\n");
    assert!(n_shed > 0 && rig.metrics.text().contains(&counter), "{n_shed}: {}", rig.metrics.text());
}

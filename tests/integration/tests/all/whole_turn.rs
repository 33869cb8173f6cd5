//! A whole turn on the real bus: every row accounted for, a model promoted and explained, people in control.

use std::collections::BTreeSet;
use std::time::Duration;

use tidemill_events::Event;
use tidemill_events::sample::CleanItem;
use tidemill_integration::{TestSystem, wait};

use crate::small;

const ROWS: usize = 300;

async fn json(url: String) -> serde_json::Value {
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

async fn labelled(system: &TestSystem) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for recorded in system.clean().await.unwrap() {
        if let Event::Clean(items) = recorded.event {
            ids.extend(items.into_iter().filter_map(|i| match i {
                CleanItem::Labelled(row) => Some(row.prediction_id.to_string()),
                _ => None,
            }));
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_become_a_model_that_serves_and_is_explained() {
    let system = TestSystem::start().await.unwrap();
    let console = system.system.console_url();
    let client = reqwest::Client::new();
    let applied = client.put(format!("{console}/v1/loops")).body(small::LOOP).send().await.unwrap();
    assert!(applied.status().is_success(), "{}", applied.text().await.unwrap());
    let producer = system.producer(small::spec().name).unwrap();
    for index in 0..ROWS {
        let (row, label) = small::row(index);
        producer.predict(&row).await.unwrap();
        producer.label(&row.id, label).await.unwrap();
    }

    let expected: BTreeSet<String> =
        (0..ROWS).filter(|i| !small::is_refused(*i)).map(|i| format!("row-{i}")).collect();
    let joined = || async {
        let seen = labelled(&system).await;
        if seen == expected {
            Ok(())
        } else {
            Err(format!("{} of {} rows joined", seen.len(), expected.len()))
        }
    };
    wait::until(Duration::from_secs(30), joined).await.unwrap();

    let promoted = || async {
        let status = json(format!("{console}/v1/loops/small")).await;
        let version = status["models"][0]["version"].as_str().map(str::to_owned);
        version.ok_or_else(|| format!("no model serves: {status}"))
    };
    let version = wait::until(Duration::from_secs(60), promoted).await.unwrap();
    let answer = || async {
        let (row, _) = small::row(ROWS);
        let answer = producer.predict(&row).await.map_err(|e| e.to_string())?;
        answer.ok_or_else(|| "the predictor has no model".to_owned())
    };
    let answer = wait::until(Duration::from_secs(30), answer).await.unwrap();
    assert!(answer.version.starts_with("m-"), "{answer:?}");

    // INV-4: from the live model back to the rows.
    let why = json(format!("{console}/v1/loops/small/why/{version}")).await.to_string();
    for link in ["verdict", "trial", "trigger", "dataset", "segment"] {
        assert!(why.to_lowercase().contains(link), "{link} is missing in {why}");
    }

    // The refused rows can be looked at.
    let quarantine = json(format!("{console}/v1/loops/small/quarantine")).await.to_string();
    assert!(quarantine.contains("a number from -10 to 10 is expected"), "{quarantine}");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_file_with_mistakes_is_refused_with_all_of_them() {
    let system = TestSystem::start().await.unwrap();
    let url = format!("{}/v1/loops", system.system.console_url());
    let bad = small::LOOP.replace("window: 50 rows", "window: 50 rowz").replace("trials: 2", "trials: none");
    let answer = reqwest::Client::new().put(url).body(bad).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 422);
    let failure: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(failure["problems"].as_array().map(Vec::len), Some(2), "{failure}");
    system.stop().await;
}

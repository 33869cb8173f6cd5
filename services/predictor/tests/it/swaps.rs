//! Models come and go under load.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tidemill_events::rollout::Role;
use tokio::time::sleep;

use crate::rig::{Rig, number, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_models_are_swapped() {
    let mut rig = Rig::start().await;
    rig.apply(1, 1);
    let models: Vec<_> = (0..8).map(|y| rig.shelved(f64::from(y), 1)).collect();
    rig.route(1, vec![(&models[0], Role::Champion, 100)]);
    rig.in_force(1, 1).await;
    let said: BTreeMap<String, f64> =
        models.iter().zip(0..).map(|(m, y)| (m.model.version.to_string(), f64::from(y))).collect();

    let (done, n_answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for c in 0..8 {
        let (mut client, said) = (rig.client.clone(), said.clone());
        let (done, n_answers) = (Arc::clone(&done), Arc::clone(&n_answers));
        clients.spawn(async move {
            let mut i = 0;
            while !done.load(Ordering::SeqCst) {
                i += 1;
                let answer = client.predict(request(&format!("{c}-{i}"), None)).await;
                let answer = answer.unwrap_or_else(|e| unreachable!("{e}")).into_inner();
                assert_eq!(said.get(&answer.model_version), Some(&number(&answer)));
                n_answers.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for version in 2..60_u64 {
        let at = usize::try_from(version).unwrap_or(0);
        let (champion, challenger) = (&models[at % 8], &models[(at + 1) % 8]);
        if version % 3 == 0 {
            rig.route(version, vec![(champion, Role::Champion, 50), (challenger, Role::Challenger, 50)]);
        } else {
            rig.route(version, vec![(champion, Role::Champion, 100)]);
        }
        if version % 10 == 0 {
            rig.apply(version / 10 + 1, 1);
        }
        sleep(Duration::from_millis(20)).await;
    }
    rig.in_force(6, 59).await;
    done.store(true, Ordering::SeqCst);
    while let Some(ended) = clients.join_next().await {
        assert!(ended.is_ok(), "{ended:?}");
    }
    let n = n_answers.load(Ordering::SeqCst);
    assert!(n > 1_000, "{n}");
    assert_eq!(rig.logged(n).await.len(), n);
}

#[tokio::test]
async fn a_table_whose_models_are_not_there_waits() {
    let mut rig = Rig::start().await;
    rig.apply(1, 1);
    let first = rig.shelved(1.0, 1);
    rig.route(1, vec![(&first, Role::Champion, 100)]);
    rig.in_force(1, 1).await;
    let (second, bytes) = Rig::model(2.0, 1);
    rig.route(2, vec![(&second, Role::Champion, 100)]);
    sleep(Duration::from_millis(300)).await;
    let answer = rig.client.predict(request("p", None)).await.unwrap_or_else(|e| unreachable!("{e}"));
    assert_eq!(number(answer.get_ref()), 1.0);
    assert!(rig.metrics.text().contains("tidemill_predictor_load_failures_total"));
    rig.put(bytes);
    rig.in_force(1, 2).await;
    let answer = rig.client.predict(request("p", None)).await.unwrap_or_else(|e| unreachable!("{e}"));
    assert_eq!(number(answer.get_ref()), 2.0);
}

#[tokio::test]
async fn a_model_that_never_comes_holds_up_neither_newer_tables_nor_the_way_back() {
    let mut rig = Rig::start().await;
    rig.apply(1, 1);
    let (first, third) = (rig.shelved(1.0, 1), rig.shelved(3.0, 1));
    let (never, _) = Rig::model(2.0, 1);
    rig.route(1, vec![(&first, Role::Champion, 100)]);
    rig.in_force(1, 1).await;
    rig.route(2, vec![(&never, Role::Champion, 100)]);
    sleep(Duration::from_millis(200)).await;
    rig.route(3, vec![(&third, Role::Champion, 100)]);
    rig.in_force(1, 3).await;
    rig.route(4, vec![(&first, Role::Champion, 100)]);
    rig.in_force(1, 4).await;
}

#[tokio::test]
async fn a_model_sees_the_features_of_its_own_schema() {
    let mut rig = Rig::start().await;
    rig.apply(1, 1);
    let narrow = rig.shelved(1.0, 1);
    rig.route(1, vec![(&narrow, Role::Champion, 100)]);
    rig.in_force(1, 1).await;
    rig.apply(2, 2);
    rig.in_force(2, 1).await;
    let wide = rig.shelved(2.0, 2);
    rig.route(2, vec![(&narrow, Role::Champion, 100), (&wide, Role::Shadow, 0)]);
    rig.in_force(2, 2).await;
    assert!(rig.client.predict(request("p", None)).await.is_ok());
    let records = rig.logged(1).await;
    assert_eq!(records[0].scored.len(), 2);
}

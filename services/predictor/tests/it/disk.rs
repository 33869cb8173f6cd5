//! What is in the data folder is enough to answer, and damage there hurts nothing but itself.

use std::fs;

use tidemill_events::model::Deployed;
use tidemill_events::rollout::Role;
use tidemill_predictor::{DataError, Options, PredictorError};
use tidemill_service::PartState;
use tonic::Code;

use crate::rig::{CEILING, Rig, number, request, until};

async fn serving() -> (Rig, Deployed, Deployed) {
    let mut rig = Rig::start().await;
    rig.apply(1, 1);
    let (champion, challenger) = (rig.shelved(1.0, 1), rig.shelved(2.0, 1));
    rig.route(2, vec![(&champion, Role::Champion, 50), (&challenger, Role::Challenger, 50)]);
    rig.in_force(1, 2).await;
    rig.kept(2, &[&champion, &challenger]).await;
    (rig, champion, challenger)
}

async fn ask(rig: &mut Rig, entity: &str) -> Result<(f64, String), Code> {
    let answer = rig.client.predict(request("", Some(entity))).await.map_err(|status| status.code())?;
    Ok((number(answer.get_ref()), answer.into_inner().model_version))
}

fn damage(rig: &Rig, model: &Deployed) {
    let path = rig.folder.path().join("artefacts").join(model.model.artefact.as_str());
    let mut bytes = fs::read(&path).unwrap_or_else(|e| unreachable!("{e}"));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert!(fs::write(path, bytes).is_ok());
}

#[tokio::test]
async fn a_start_without_log_and_store_answers_as_before() {
    let (mut rig, ..) = serving().await;
    let entities: Vec<_> = (0..20).map(|i| format!("van-{i}")).collect();
    let mut before = Vec::new();
    for entity in &entities {
        before.push(ask(&mut rig, entity).await);
    }
    let mut rig = rig.restart(true).await;
    rig.in_force(1, 2).await;
    until("it is live", || rig.health.get("predictor") == Some(PartState::Live)).await;
    for (entity, before) in entities.iter().zip(before) {
        assert_eq!(ask(&mut rig, entity).await, before);
    }
    let mut unknown = request("", None);
    unknown.r#loop = "letters".into();
    let status =
        rig.client.predict(unknown).await.err().unwrap_or_else(|| unreachable!("there is no such loop"));
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().contains("there is parcels"), "{}", status.message());
}

#[tokio::test]
async fn a_damaged_challenger_leaves_its_share_to_the_champion_until_it_can_be_had_again() {
    let (rig, champion, challenger) = serving().await;
    let shelf = rig.shelf.clone();
    damage(&rig, &challenger);
    let mut rig = rig.restart(true).await;
    rig.in_force(1, 2).await;
    for i in 0..20 {
        let expected = Ok((1.0, champion.model.version.to_string()));
        assert_eq!(ask(&mut rig, &format!("van-{i}")).await, expected);
    }
    assert_eq!(rig.counter("damaged_files_total{file=\"artefact\"}"), 1);
    rig.put(shelf.bytes(&challenger));
    until("both models are there", || rig.counter("models") == 2).await;
    rig.kept(2, &[&champion, &challenger]).await;
}

#[tokio::test]
async fn a_damaged_champion_is_no_crash_and_comes_back_from_the_store() {
    let (rig, champion, challenger) = serving().await;
    let shelf = rig.shelf.clone();
    damage(&rig, &champion);
    let mut rig = rig.restart(true).await;
    rig.in_force(1, 2).await;
    let mut codes = Vec::new();
    for i in 0..20 {
        codes.push(ask(&mut rig, &format!("van-{i}")).await.err());
    }
    assert!(codes.contains(&None) && codes.contains(&Some(Code::Unavailable)), "{codes:?}");
    rig.put(shelf.bytes(&champion));
    until("both models are there", || rig.counter("models") == 2).await;
    for i in 0..20 {
        assert!(ask(&mut rig, &format!("van-{i}")).await.is_ok());
    }
    rig.kept(2, &[&champion, &challenger]).await;
}

#[tokio::test]
async fn a_damaged_route_table_is_reported_and_the_log_replaces_it() {
    let (rig, champion, challenger) = serving().await;
    let path = rig.folder.path().join("loops/parcels.json");
    let text = fs::read_to_string(&path).unwrap_or_default();
    assert!(fs::write(&path, text.replace("\"version\":2", "\"version\":3")).is_ok());
    let mut rig = rig.restart(false).await;
    assert_eq!(rig.counter("damaged_files_total{file=\"loop\"}"), 1);
    rig.apply(1, 1);
    rig.route(2, vec![(&champion, Role::Champion, 50), (&challenger, Role::Challenger, 50)]);
    rig.in_force(1, 2).await;
    rig.kept(2, &[&champion, &challenger]).await;
}

#[tokio::test]
async fn models_that_no_table_names_any_more_go() {
    let (mut rig, _, challenger) = serving().await;
    rig.route(3, vec![(&challenger, Role::Champion, 100)]);
    rig.in_force(1, 3).await;
    rig.kept(3, &[&challenger]).await;
    // What the log says replaces what was kept, also when the log has begun anew.
    let mut rig = rig.restart(false).await;
    rig.in_force(1, 3).await;
    let other = rig.shelved(5.0, 1);
    rig.apply(1, 1);
    rig.route(1, vec![(&other, Role::Champion, 100)]);
    rig.in_force(1, 1).await;
    rig.kept(1, &[&other]).await;
}

#[tokio::test]
async fn two_predictors_do_not_share_a_folder() {
    let rig = Rig::start().await;
    let options = Options { data: rig.folder.path().to_owned(), ..Options::default() };
    let second = tokio::time::timeout(CEILING, Rig::serve_only(options)).await;
    assert!(matches!(second, Ok(Err(PredictorError::Data(DataError::InUse(_))))), "{second:?}");
}

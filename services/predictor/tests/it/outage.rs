//! Predictions while a real bus is down, by a predictor that was there and by one that starts then, and their log afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tidemill_bus::{Bus, BusConfig};
use tidemill_predictor::{Options, PredictorError};
use tidemill_proto::v1;
use tidemill_proto::v1::predictor_client::PredictorClient;
use tidemill_service::{Context, PartState};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tonic::transport::Channel;

use crate::live::{Process, World};
use crate::rig::{CEILING, counter, number, request, until};

/// The predictor in this process, on a real bus.
struct Serving {
    context: Context,
    url: String,
    running: JoinHandle<Result<(), PredictorError>>,
}

impl Serving {
    async fn start(world: &World, options: Options) -> Self {
        let config = BusConfig { url: world.nats_url(), credentials: None, name: "predictor".into() };
        let bus = Bus::connect_later(config).await.unwrap_or_else(|e| unreachable!("{e}"));
        let context = Context::new(bus, world.store(), 1, "test");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap_or_else(|e| unreachable!("{e}"));
        let address = listener.local_addr().unwrap_or_else(|e| unreachable!("{e}"));
        let options = Options { data: world.folder.path().join("predictor"), ..options };
        let running = tokio::spawn(tidemill_predictor::run_on(listener, context.clone(), options));
        until("it is live", || context.health.get("predictor") == Some(PartState::Live)).await;
        Self { context, url: format!("http://{address}"), running }
    }

    async fn client(&self) -> PredictorClient<Channel> {
        PredictorClient::connect(self.url.clone()).await.unwrap_or_else(|e| unreachable!("{e}"))
    }

    fn gauge(&self, name: &str) -> usize {
        counter(&self.context.metrics, name)
    }

    fn bus(&self) -> Option<PartState> {
        self.context.health.get("bus")
    }

    async fn stop(self) {
        self.context.stop.cancel();
        assert!(matches!(timeout(CEILING, self.running).await, Ok(Ok(Ok(())))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_is_killed_under_load() {
    let mut world = World::start().await;
    let champion = world.teach().await;
    let serving = Serving::start(&world, Options::default()).await;
    let (done, n_answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for c in 0..4 {
        let (done, n_answers, version) =
            (Arc::clone(&done), Arc::clone(&n_answers), champion.model.version.to_string());
        let mut client = serving.client().await;
        clients.spawn(async move {
            let mut i = 0;
            while !done.load(Ordering::SeqCst) {
                let answer = client.predict(request(&format!("{c}-{i}"), None)).await;
                let answer = answer.unwrap_or_else(|e| unreachable!("{e}")).into_inner();
                assert_eq!((number(&answer), &answer.model_version), (1.0, &version));
                n_answers.fetch_add(1, Ordering::SeqCst);
                i += 1;
            }
        });
    }
    let answers = || n_answers.load(Ordering::SeqCst);
    let gauge = |name: &str| serving.gauge(name);
    until("some are logged", || gauge("logged_total") > 200).await;
    world.kill();
    let at_kill = answers();
    until("the spool grows", || gauge("spool_rows") > 1_000 && answers() > at_kill + 1_000).await;
    until("the bus is reported away", || matches!(serving.bus(), Some(PartState::Away { .. }))).await;
    assert!(serving.context.health.is_ready());
    world.revive().await;
    until("the bus is back", || serving.bus() == Some(PartState::Live)).await;
    let at_revival = answers();
    until("answers go on", || answers() > at_revival + 200).await;
    done.store(true, Ordering::SeqCst);
    while let Some(ended) = clients.join_next().await {
        assert!(ended.is_ok(), "{ended:?}");
    }
    until("everything is delivered", || gauge("logged_total") == answers()).await;
    let (ids, n_all) = world.arrived(answers()).await;
    assert_eq!((ids.len(), n_all), (answers(), answers()));
    serving.stop().await;
}

#[tokio::test]
async fn what_the_bound_sheds_is_counted_and_all_the_rest_arrives() {
    const SENT: usize = 20_000;
    let mut world = World::start().await;
    world.teach().await;
    let serving = Serving::start(&world, Options { log_spool_mib: 1, ..Options::default() }).await;
    let mut client = serving.client().await;
    world.kill();
    for batch in 0..SENT / 1_000 {
        let requests = (0..1_000).map(|i| request(&format!("{batch}-{i}"), None)).collect();
        let answered = client.predict_batch(v1::PredictBatchRequest { requests }).await;
        let results = answered.unwrap_or_else(|e| unreachable!("{e}")).into_inner().results;
        let is_answer =
            |r: &v1::PredictResult| matches!(r.result, Some(v1::predict_result::Result::Answer(_)));
        assert!(results.len() == 1_000 && results.iter().all(is_answer));
    }
    let n_shed = || serving.gauge("log_shed_total{reason=\"spool_full\"}");
    let n_known = || n_shed() + serving.gauge("spool_rows") + serving.gauge("logged_total");
    until("all are written down or shed", || n_known() == SENT).await;
    assert!(n_shed() > 0 && serving.gauge("spool_bytes") <= 1 << 20);
    world.revive().await;
    until("everything is delivered", || serving.gauge("spool_rows") == 0).await;
    let (ids, n_all) = world.arrived(SENT - n_shed()).await;
    assert_eq!((ids.len() + n_shed(), n_all + n_shed()), (SENT, SENT));
    serving.stop().await;
}

#[tokio::test]
async fn a_process_killed_and_started_while_everything_is_down_answers_and_its_log_arrives() {
    let mut world = World::start().await;
    let champion = world.teach().await;
    let mut process = Process::start(&world, world.store_folder()).await;
    process.in_force(1).await;
    let spool = world.folder.path().join("predictor/spool");
    ask(&mut process, "before", 50, champion.model.version.as_str()).await;
    world.arrived(50).await;
    until("the model is kept", || world.folder.path().join("predictor/loops/parcels.json").exists()).await;
    world.kill();
    ask(&mut process, "while", 200, champion.model.version.as_str()).await;
    let on_disk = || {
        let files = std::fs::read_dir(&spool).into_iter().flatten().flatten();
        let texts = files.map(|f| std::fs::read_to_string(f.path()).unwrap_or_default());
        texts.map(|text| text.matches("\"while-").count()).sum::<usize>()
    };
    until("all are written down", || on_disk() == 200).await;
    process.kill().await;

    let nowhere = world.folder.path().join("empty-store");
    let mut process = Process::start(&world, nowhere).await;
    process.in_force(1).await;
    ask(&mut process, "after", 50, champion.model.version.as_str()).await;
    let ready = process.ready().await;
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains(r#""bus":{"away":{"since":"2"#), "{ready}");
    world.revive().await;
    let (ids, _) = world.arrived(300).await;
    assert_eq!(ids.len(), 300);
    process.kill().await;
}

async fn ask(process: &mut Process, prefix: &str, n: usize, version: &str) {
    for i in 0..n {
        let answer = process.client.predict(request(&format!("{prefix}-{i}"), None)).await;
        let answer = answer.unwrap_or_else(|e| unreachable!("{e}")).into_inner();
        assert_eq!((number(&answer), answer.model_version.as_str()), (1.0, version));
    }
}

//! The console against the nats-server that is installed: what it writes is there after a restart, and of two one writes.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use tidemill_bus::{Bus, BusConfig, NatsServer, Provision, provision};
use tidemill_console::{ConsoleError, Options, run_on};
use tidemill_service::Context;
use tidemill_store::Store;
use tidemill_view::PostgresServer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const LOOP: &str = "apiVersion: tidemill.dev/v1
kind: Loop
metadata: { name: tides }
spec:
  schema:
    features: [{ name: moon, type: numeric }]
    target: { name: high, type: categorical }
";

struct Running {
    address: SocketAddr,
    context: Context,
    task: JoinHandle<Result<(), ConsoleError>>,
}

impl Running {
    async fn start(server: &NatsServer, dir: &TempDir, name: &str) -> Self {
        let view = dir.path().join(format!("{name}.db")).to_string_lossy().into_owned();
        Self::start_with(server, dir, name, view).await
    }

    async fn start_with(server: &NatsServer, dir: &TempDir, name: &str, view_url: String) -> Self {
        let config = BusConfig { url: server.url().to_owned(), credentials: None, name: name.into() };
        let bus = Bus::connect(config).await.unwrap_or_else(|e| unreachable!("{e}"));
        let wanted = Provision { lease: Duration::from_secs(1), ..Provision::default() };
        provision(&bus, &wanted).await.unwrap_or_else(|e| unreachable!("{e}"));
        let store =
            Store::open(&dir.path().join("store").to_string_lossy()).unwrap_or_else(|e| unreachable!("{e}"));
        let context = Context::new(bus, store, 1, name);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap_or_else(|e| unreachable!("{e}"));
        let address = listener.local_addr().unwrap_or_else(|e| unreachable!("{e}"));
        let options = Options { view_url, ..Options::default() };
        let task = tokio::spawn(run_on(listener, options, context.clone()));
        Self { address, context, task }
    }

    async fn stop(self) {
        self.context.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task).await;
        assert!(matches!(ended, Ok(Ok(Ok(())))), "{ended:?}");
    }

    async fn once(&self, method: &Method, path: &str, body: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address);
        let request = reqwest::Client::new().request(method.clone(), url).body(body.to_owned());
        let answer = request.send().await.unwrap_or_else(|e| unreachable!("{e}"));
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// Asks until the console is ready for it.
    async fn ask(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let ceiling = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.once(&method, path, body).await;
            if answer.0 != 503 || Instant::now() > ceiling {
                return answer;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn file(hours: u32) -> String {
    format!("{LOOP}  monitor: {{ window: {hours}h }}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_starts_again_knows_everything() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let server = NatsServer::start(dir.path().join("nats")).await.unwrap_or_else(|e| unreachable!("{e}"));
    let first = Running::start(&server, &dir, "first").await;
    let (status, applied) = first.ask(Method::PUT, "/v1/loops?by=ann", LOOP).await;
    assert_eq!((status, applied["version"].as_u64()), (201, Some(1)), "{applied}");
    let command = r#"{"command": "pause", "by": "bob", "reason": "a test"}"#;
    let (status, paused) = first.ask(Method::POST, "/v1/loops/tides/commands", command).await;
    assert_eq!((status, paused["done"].as_bool()), (200, Some(true)), "{paused}");
    first.stop().await;

    let second = Running::start(&server, &dir, "second").await;
    let (status, body) = second.ask(Method::GET, "/v1/loops/tides", "").await;
    assert_eq!(
        (status, body["spec"]["by"].as_str(), body["paused"]["by"].as_str()),
        (200, Some("ann"), Some("bob"))
    );
    let (status, applied) = second.ask(Method::PUT, "/v1/loops", &file(1)).await;
    assert_eq!((status, applied["version"].as_u64()), (200, Some(2)), "{applied}");
    let (status, applied) = second.ask(Method::PUT, "/v1/loops", &file(1)).await;
    assert_eq!((status, applied["changed"].as_bool()), (200, Some(false)), "{applied}");
    // Its view was built from the log alone, and is never behind what was answered before.
    let (status, specs) = second.ask(Method::GET, "/v1/loops/tides/specs", "").await;
    assert_eq!(
        (status, specs["total"].as_u64(), specs["items"][0]["version"].as_u64()),
        (200, Some(2), Some(2))
    );
    let (status, commands) = second.ask(Method::GET, "/v1/loops/tides/commands", "").await;
    assert_eq!((status, commands["items"][0]["by"].as_str()), (200, Some("bob")), "{commands}");
    let (status, rows) = second.ask(Method::GET, "/v1/loops/tides/quarantine", "").await;
    assert_eq!((status, rows["total"].as_u64()), (200, Some(0)), "{rows}");
    second.stop().await;
    // A third one goes on with the view of the second.
    let third = Running::start(&server, &dir, "second").await;
    assert_eq!(third.ask(Method::GET, "/v1/loops/tides/specs", "").await.1, specs);
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_consoles_one_writes_and_the_other_takes_over() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let server = NatsServer::start(dir.path().join("nats")).await.unwrap_or_else(|e| unreachable!("{e}"));
    let first = Running::start(&server, &dir, "first").await;
    assert_eq!(first.ask(Method::PUT, "/v1/loops", &file(1)).await.0, 201);
    let second = Running::start(&server, &dir, "second").await;
    // It reads, and passes commands on, but puts no spec in force.
    assert_eq!(second.ask(Method::GET, "/v1/loops/tides", "").await.0, 200);
    assert_eq!(second.once(&Method::PUT, "/v1/loops", &file(2)).await.0, 503);
    first.stop().await;
    let (status, applied) = second.ask(Method::PUT, "/v1/loops", &file(2)).await;
    assert_eq!((status, applied["version"].as_u64()), (200, Some(2)), "{applied}");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_all_but_the_lists_goes_on() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let server = NatsServer::start(dir.path().join("nats")).await.unwrap_or_else(|e| unreachable!("{e}"));
    let mut postgres = PostgresServer::start().await.unwrap_or_else(|e| unreachable!("{e}"));
    let console = Running::start_with(&server, &dir, "only", postgres.url()).await;
    assert_eq!(console.ask(Method::PUT, "/v1/loops", &file(1)).await.0, 201);
    let (status, specs) = console.ask(Method::GET, "/v1/loops/tides/specs", "").await;
    assert_eq!((status, specs["total"].as_u64()), (200, Some(1)), "{specs}");
    postgres.stop();
    let (status, applied) = console.ask(Method::PUT, "/v1/loops", &file(2)).await;
    assert_eq!((status, applied["version"].as_u64()), (200, Some(2)), "{applied}");
    let (status, body) = console.ask(Method::GET, "/v1/loops/tides", "").await;
    assert_eq!((status, body["spec"]["version"].as_u64()), (200, Some(2)));
    let (status, refused) = console.once(&Method::GET, "/v1/loops/tides/specs", "").await;
    assert_eq!((status, refused["error"].as_str()), (503, Some("unavailable")), "{refused}");
    // When it is back, the view goes on by itself.
    postgres.start_again().await.unwrap_or_else(|e| unreachable!("{e}"));
    let ceiling = Instant::now() + Duration::from_secs(60);
    loop {
        let (status, specs) = console.ask(Method::GET, "/v1/loops/tides/specs", "").await;
        if (status, specs["total"].as_u64()) == (200, Some(2)) {
            break;
        }
        assert!(Instant::now() < ceiling, "{status} {specs}");
        sleep(Duration::from_millis(50)).await;
    }
    console.stop().await;
}

//! A real nats-server and a real store that are killed and come back, and the predictor as a process of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tidemill_bus::{Bus, BusConfig, Item, NatsServer, Provision, ReadFrom, Reader, provision};
use tidemill_domain::{EventId, PredictionId};
use tidemill_events::emit::Outgoing;
use tidemill_events::intake::IntakeItem;
use tidemill_events::model::Deployed;
use tidemill_events::rollout::Role;
use tidemill_events::stream::{Stream, filter};
use tidemill_events::{Event, Intake, Log, Meta, Subject, Topic};
use tidemill_proto::v1;
use tidemill_proto::v1::predictor_client::PredictorClient;
use tidemill_store::Store;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::transport::Channel;

use crate::rig::{CEILING, Rig, loop_id, route_event, spec_event};

/// The bus and the store.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    nats: Option<NatsServer>,
    pub(crate) bus: Bus,
    port: u16,
}

impl World {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap_or_else(|e| unreachable!("{e}"));
        let nats =
            NatsServer::start(folder.path().join("nats")).await.unwrap_or_else(|e| unreachable!("{e}"));
        let config = BusConfig { url: nats.url().to_owned(), credentials: None, name: "test".into() };
        let bus = Bus::connect(config).await.unwrap_or_else(|e| unreachable!("{e}"));
        assert!(provision(&bus, &Provision::default()).await.is_ok());
        let port = nats.port();
        Self { folder, nats: Some(nats), bus, port }
    }

    pub(crate) fn nats_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn store_folder(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn store(&self) -> Store {
        let store = Store::open(&self.store_folder().display().to_string());
        store.unwrap_or_else(|e| unreachable!("{e}"))
    }

    /// Kills the bus as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(nats) = self.nats.take() {
            nats.kill();
        }
    }

    /// Starts the bus again where it was.
    pub(crate) async fn revive(&mut self) {
        let nats = NatsServer::start_with(self.folder.path().join("nats"), Some(self.port), &[]).await;
        self.nats = Some(nats.unwrap_or_else(|e| unreachable!("{e}")));
    }

    /// A loop with a champion that always answers 1.
    pub(crate) async fn teach(&self) -> Deployed {
        let (champion, bytes) = Rig::model(1.0, 1);
        assert!(self.store().put_artefact(&bytes).await.is_ok());
        self.tell(Log::Spec, "spec", spec_event(1, 1)).await;
        self.tell(Log::Rollout, "table", route_event(1, vec![(&champion, Role::Champion, 100)])).await;
        champion
    }

    async fn tell(&self, log: Log, id: &str, event: Event) {
        let meta = Meta {
            id: EventId::new(id),
            source: "test".into(),
            causation: None,
            correlation: None,
            upto: None,
        };
        let out = Outgoing { subject: Subject::log(loop_id(), log), meta, event, content: None };
        let stored = self.bus.unfenced(&out, None).await;
        assert!(stored.is_ok(), "{stored:?}");
    }

    /// Waits until so many different predictions are on the bus, and gives them with the number of all.
    pub(crate) async fn arrived(&self, n: usize) -> (BTreeSet<PredictionId>, usize) {
        let from = ReadFrom::first(Stream::Intake, filter(Topic::Intake(Intake::Prediction)));
        let (mut ids, mut n_all) = (BTreeSet::new(), 0);
        let reading = async {
            let mut reader = loop {
                match Reader::open(&self.bus, from.clone()).await {
                    Ok(reader) => break reader,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            };
            while ids.len() < n {
                let items = reader.next_batch(256, Duration::from_millis(200)).await.unwrap_or_default();
                for item in items {
                    let Item::Event(received) = item else { unreachable!("{item:?}") };
                    let Event::Intake(batch) = received.event.event else { unreachable!("no intake") };
                    for item in batch.items {
                        let IntakeItem::Prediction(record) = item else { unreachable!("{item:?}") };
                        n_all += 1;
                        ids.insert(record.prediction_id);
                    }
                }
            }
        };
        let in_time = timeout(CEILING, reading).await.is_ok();
        assert!(in_time, "{} of {n} predictions arrived", ids.len());
        (ids, n_all)
    }
}

/// The predictor as a process, killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) client: PredictorClient<Channel>,
    health: String,
}

impl Process {
    /// Starts it with a store that is there, or is not.
    pub(crate) async fn start(world: &World, store: PathBuf) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill-predictor"));
        command.args([
            "--nats-url",
            &world.nats_url(),
            "--grpc-listen",
            "127.0.0.1:0",
            "--listen",
            "127.0.0.1:0",
        ]);
        command.args(["--log-format", "json", "--replica", "test"]);
        command.arg("--store").arg(store).arg("--data").arg(world.folder.path().join("predictor"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|e| unreachable!("{e}"));
        let stderr = child.stderr.take().unwrap_or_else(|| unreachable!("it is piped"));
        let (said, address) = oneshot::channel();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            let (mut said, mut health) = (Some(said), None);
            // Read to the end, or the process would wait for us.
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("health is served") {
                    health = address_in(&line);
                } else if line.contains("gRPC is served")
                    && let Some(said) = said.take()
                {
                    let _ = said.send((address_in(&line), health.take()));
                }
            }
        });
        let Ok(Ok((Some(grpc), Some(health)))) = timeout(CEILING, address).await else {
            unreachable!("it did not say where it serves")
        };
        let client = PredictorClient::connect(format!("http://{grpc}")).await;
        Self { child, client: client.unwrap_or_else(|e| unreachable!("{e}")), health }
    }

    /// Kills it as `kill -9` does.
    pub(crate) async fn kill(mut self) {
        assert!(self.child.kill().await.is_ok());
    }

    /// What `/readyz` says.
    pub(crate) async fn ready(&self) -> String {
        let mut answer = String::new();
        let asked = async {
            let mut connection = TcpStream::connect(&self.health).await?;
            connection.write_all(b"GET /readyz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await?;
            connection.read_to_string(&mut answer).await
        };
        let asked = asked.await;
        assert!(asked.is_ok(), "{asked:?}");
        answer
    }

    /// Waits until the table is in force.
    pub(crate) async fn in_force(&mut self, table: u64) {
        let is_there = async {
            loop {
                let status = self.client.status(v1::StatusRequest::default()).await;
                let loops = status.map(|s| s.into_inner().loops).unwrap_or_default();
                if loops.iter().any(|l| l.table_version == table) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(CEILING, is_there).await.is_ok(), "table {table} is not in force");
    }
}

fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("127.0.0.1:")?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("127.0.0.1:{port}"))
}

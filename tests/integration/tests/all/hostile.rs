//! Ten thousand malformed messages on each intake among good rows, and as many senseless requests over gRPC and HTTP: nothing
//! panics, everything is accounted for, the good rows are unharmed.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tidemill_domain::Timestamp;
use tidemill_domain::hash::{seed_of, unit_of};
use tidemill_events::intake::{IntakeItem, decode_json};
use tidemill_events::stream::Stream;
use tidemill_events::{Intake, Subject, Topic};
use tidemill_integration::{TestSystem, wait};
use tidemill_proto::v1::predictor_client::PredictorClient;
use tidemill_proto::v1::{PredictRequest, Value as Cell, value::Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::small;

/// Malformed messages on each intake.
const HOSTILE: usize = 10_000;
/// Good rows among them.
const GOOD: usize = 300;
const LONG: Duration = Duration::from_secs(180);

/// A number below `n` that follows from the name of what it is for.
fn pick(name: &str, n: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
    let at = (unit_of(name) * n as f64) as usize;
    at.min(n - 1)
}

fn noise(name: &str, len: usize) -> Vec<u8> {
    (0..len.div_ceil(8)).flat_map(|i| seed_of(&format!("{name}/{i}")).to_le_bytes()).take(len).collect()
}

/// A message of which nothing can become a row of the loop.
fn malformed(kind: Intake, index: usize) -> Vec<u8> {
    let name = format!("{kind:?}/{index}");
    let good = match kind {
        Intake::Prediction => format!(r#"{{"prediction_id":"h-{index}","features":{{"a":1,"b":2}}}}"#),
        Intake::Label | Intake::Feedback => format!(r#"{{"prediction_id":"h-{index}","label":"yes"}}"#),
    };
    match pick(&name, 10) {
        // never valid UTF-8, whatever follows
        0 => [vec![0xFF, 0xFE], noise(&name, pick(&format!("{name}/n"), 400))].concat(),
        1 => good.as_bytes()[..1 + pick(&format!("{name}/n"), good.len() - 2)].to_vec(),
        2 => vec![b'['; 1 + pick(&format!("{name}/n"), 50_000)],
        3 => br#"{"prediction_id":7}"#.to_vec(),
        4 => good.replace("prediction_id", "who").into_bytes(),
        5 => good.replacen('{', "{\"prediction_id\":\"twice\",", 1).into_bytes(),
        6 => format!(r#"{{"prediction_id":"{}"}}"#, "x".repeat(1 + pick(&format!("{name}/n"), 200_000)))
            .into_bytes(),
        7 => format!(r#""{}""#, "\\u0000".repeat(50)).into_bytes(),
        8 => good.replace(['1', '2'], "1e999").replace("\"yes\"", "1e999").into_bytes(),
        _ => good.replace("{\"a\":1,\"b\":2}", "[[[]]]").replace("\"yes\"", "{\"a\":[]}").into_bytes(),
    }
}

async fn send(system: &TestSystem, kind: Intake, payloads: Vec<Vec<u8>>) {
    let subject = Subject::new(small::spec().name, Topic::Intake(kind)).to_string();
    let bus = system.bus();
    // A window of publications under way, as a producer in a hurry has.
    let mut under_way = tokio::task::JoinSet::new();
    for payload in payloads {
        let (bus, subject) = (bus.clone(), subject.clone());
        under_way.spawn(async move { bus.publish_raw(&subject, None, &[], Bytes::from(payload)).await });
        if under_way.len() >= 128 {
            under_way.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    while let Some(sent) = under_way.join_next().await {
        sent.unwrap().unwrap();
    }
}

async fn apply(system: &TestSystem) {
    let url = format!("{}/v1/loops", system.system.console_url());
    let applied = reqwest::Client::new().put(url).body(small::LOOP).send().await.unwrap();
    assert!(applied.status().is_success(), "{}", applied.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_lie_in_quarantine_and_harm_nobody() {
    let system = TestSystem::start().await.unwrap();
    apply(&system).await;
    let kinds = [Intake::Prediction, Intake::Label, Intake::Feedback];
    let producer = system.producer(small::spec().name).unwrap();
    // A message may be refused in several places; each of them is told.
    let mut unreadable = 0;
    for (kind, index) in kinds.iter().flat_map(|kind| (0..HOSTILE).map(move |index| (*kind, index))) {
        let items = decode_json(kind, &malformed(kind, index), Timestamp(0)).items;
        assert!(
            !items.is_empty() && items.iter().all(|i| matches!(i, IntakeItem::Unreadable(_))),
            "{items:?}"
        );
        unreadable += items.len();
    }
    let hostile = async {
        for kind in kinds {
            send(&system, kind, (0..HOSTILE).map(|i| malformed(kind, i)).collect()).await;
        }
    };
    let good = async {
        for index in 0..GOOD {
            let (row, label) = small::row(index);
            producer.observe(&row).await.unwrap();
            producer.label(&row.id, label).await.unwrap();
        }
    };
    tokio::join!(hostile, good);
    // Under a name that no loop can have there is nobody to keep it for: it becomes a dead letter.
    let subject = Subject::new(small::spec().name, Topic::Intake(Intake::Label)).to_string();
    let nobody = subject.replace("small", "NOBODY");
    system.bus().publish_raw(&nobody, None, &[], Bytes::from_static(b"{}")).await.unwrap();
    let dead = || async {
        let extent = system.bus().extent(Stream::Dead).await.map_err(|e| e.to_string())?;
        (!extent.is_empty()).then_some(()).ok_or_else(|| "there is no dead letter".to_owned())
    };
    wait::until(LONG, dead).await.unwrap();

    // Of the good rows those that the loop file refuses lie there too: as they came, and once more with their label.
    let refused = (0..GOOD).filter(|i| small::is_refused(*i)).count();
    let expected = unreadable + 2 * refused;
    let url = format!("{}/v1/loops/small/quarantine?limit=1", system.system.console_url());
    let counted = || async {
        let answer: serde_json::Value =
            reqwest::get(&url).await.map_err(|e| e.to_string())?.json().await.map_err(|e| e.to_string())?;
        let total = answer["total"].as_u64().unwrap_or_default();
        (total == expected as u64)
            .then_some(())
            .ok_or_else(|| format!("{total} of {expected}: {}", answer["kinds"]))
    };
    wait::until(LONG, counted).await.unwrap();
    let labelled = || async {
        let mut ids = BTreeMap::<String, u32>::new();
        for recorded in system.clean().await.map_err(|e| e.to_string())? {
            if let tidemill_events::Event::Clean(items) = recorded.event {
                for item in items {
                    if let tidemill_events::sample::CleanItem::Labelled(row) = item {
                        *ids.entry(row.prediction_id.to_string()).or_default() += 1;
                    }
                }
            }
        }
        let once = ids.len() == GOOD - refused && ids.values().all(|n| *n == 1);
        once.then_some(()).ok_or_else(|| format!("{} good rows", ids.len()))
    };
    wait::until(LONG, labelled).await.unwrap();
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_requests_are_answered_and_harm_nobody() {
    let system = TestSystem::start().await.unwrap();
    apply(&system).await;
    let grpc = system.system.grpc_url();
    let client = PredictorClient::connect(grpc.clone()).await.unwrap();
    let mut under_way = tokio::task::JoinSet::new();
    for index in 0..HOSTILE {
        let mut client = client.clone();
        let name = format!("grpc/{index}");
        let text = || String::from_utf8_lossy(&noise(&name, pick(&name, 300))).into_owned();
        let number = [f64::NAN, f64::INFINITY, -0.0, f64::MAX, f64::MIN_POSITIVE][pick(&name, 5)];
        let cell = [Some(Kind::Number(number)), Some(Kind::Text(text())), None]
            [pick(&format!("{name}/c"), 3)]
        .clone();
        let request = PredictRequest {
            r#loop: if index % 2 == 0 { "small".to_owned() } else { text() },
            prediction_id: text(),
            entity: (index % 3 == 0).then(text),
            features: (0..pick(&name, 40))
                .map(|n| (format!("{n}{}", text()), Cell { kind: cell.clone() }))
                .collect(),
        };
        under_way.spawn(async move { client.predict(request).await.map(|_| ()).map_err(|s| s.code()) });
        if under_way.len() >= 64 {
            answered(under_way.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(answer) = under_way.join_next().await {
        answered(answer.unwrap());
    }

    let console = system.system.console_url();
    let http = reqwest::Client::new();
    for index in 0..HOSTILE / 10 {
        let name = format!("http/{index}");
        let path: String = noise(&name, 12).iter().map(|b| format!("%{b:02x}")).collect();
        let places = [
            format!("{console}/v1/{path}"),
            format!("{console}/v1/loops/{path}"),
            format!("{console}/v1/loops/small/{path}"),
            format!("{console}/v1/loops/small/why/{path}"),
            format!("{console}/v1/loops/small/trials?limit={path}&after={path}"),
            format!("{console}/v1/loops/small/commands"),
        ];
        let place = &places[pick(&name, places.len())];
        let body = noise(&name, pick(&format!("{name}/b"), 5_000));
        let method = [reqwest::Method::GET, reqwest::Method::POST, reqwest::Method::PUT]
            [pick(&format!("{name}/m"), 3)]
        .clone();
        let answer = http.request(method, place).body(body).send().await.unwrap();
        assert!(!answer.status().is_server_error(), "{place}: {}", answer.status());
    }

    // What speaks neither protocol is hung up on.
    for url in [&grpc, &console] {
        let address = url.trim_start_matches("http://");
        for index in 0..100 {
            let mut socket = TcpStream::connect(address).await.unwrap();
            let _ = socket.write_all(&noise(&format!("tcp/{index}"), 2_000)).await;
            let _ = socket.shutdown().await;
            let mut rest = Vec::new();
            let _ =
                tokio::time::timeout(Duration::from_secs(30), socket.read_to_end(&mut rest)).await.unwrap();
        }
    }

    // And then an ordinary row is served as ever: there is no model yet, and the loop goes on.
    let producer = system.producer(small::spec().name).unwrap();
    for index in 0..150 {
        let (row, label) = small::row(index);
        producer.predict(&row).await.unwrap();
        producer.label(&row.id, label).await.unwrap();
    }
    let serves = || async {
        let (row, _) = small::row(GOOD);
        producer.predict(&row).await.map_err(|e| e.to_string())?.ok_or_else(|| "no model serves".to_owned())
    };
    wait::until(LONG, serves).await.unwrap();
    system.stop().await;
}

/// A senseless request is the client's mistake, or it finds no model yet; never the server's failure.
fn answered(answer: Result<(), tonic::Code>) {
    let expected = [
        tonic::Code::FailedPrecondition,
        tonic::Code::InvalidArgument,
        tonic::Code::NotFound,
        tonic::Code::Unavailable,
    ];
    match answer {
        Ok(()) => {}
        Err(code) => assert!(expected.contains(&code), "{code:?}"),
    }
}

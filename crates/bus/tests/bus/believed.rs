//! What the design believes of JetStream itself, said to the broker directly: nothing of this crate but the server is used.
//!
//! Each test is named for a belief. Where one fails on a newer server, the design has to be looked at, not the test.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::Config as PullConfig;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::kv::Operation;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, Stream};
use async_nats::jetstream::{self, Context};
use futures::StreamExt;
use serde_json::Value;
use tempfile::TempDir;
use tidemill_bus::NatsServer;

use crate::harness::until;

const ID: &str = "Nats-Msg-Id";
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
/// The refusal of a message that expects another last sequence.
const WRONG_LAST_SEQUENCE: u64 = 10_071;

/// A server and a stream on it that takes `a.>`.
struct Plain {
    client: async_nats::Client,
    js: Context,
    stream: Stream,
    _server: NatsServer,
    _dir: TempDir,
}

impl Plain {
    async fn new(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = NatsServer::start(dir.path()).await.unwrap_or_else(|e| panic!("{e}"));
        let client = async_nats::connect(server.url()).await.unwrap();
        let js = jetstream::new(client.clone());
        let config = Config { name: "A".into(), subjects: vec!["a.>".into()], ..config };
        let stream = js.create_stream(config).await.unwrap();
        Self { client, js, stream, _server: server, _dir: dir }
    }

    /// Publishes and gives the broker's answer as it is.
    async fn tell(&self, subject: &str, headers: &[(&str, &str)], payload: &str) -> Value {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        let answer = self.client.request_with_headers(subject.to_owned(), map, payload.to_owned().into());
        serde_json::from_slice(&answer.await.unwrap().payload).unwrap()
    }

    async fn n_stored(&self) -> u64 {
        self.stream.get_info().await.unwrap().state.messages
    }
}

fn code(answer: &Value) -> Option<u64> {
    answer["error"]["err_code"].as_u64()
}

#[tokio::test]
async fn a_message_that_expects_another_last_sequence_of_its_subject_is_refused_with_10071() {
    let plain = Plain::new(Config::default()).await;
    assert_eq!(plain.tell("a.x", &[(EXPECTED, "0")], "").await["seq"], 1);
    assert_eq!(plain.tell("a.y", &[(EXPECTED, "0")], "").await["seq"], 2, "subjects are fenced apart");
    assert_eq!(plain.tell("a.x", &[(EXPECTED, "1")], "").await["seq"], 3);
    for stale in ["0", "1", "2", "4"] {
        let answer = plain.tell("a.x", &[(EXPECTED, stale)], "").await;
        assert_eq!(code(&answer), Some(WRONG_LAST_SEQUENCE), "{answer}");
    }
    assert_eq!(plain.n_stored().await, 3);
}

#[tokio::test]
async fn reading_the_tail_does_not_stop_a_zombie_and_a_claim_does() {
    let plain = Plain::new(Config::default()).await;
    plain.tell("a.x", &[], "the old owner's last").await;
    let tail = plain.stream.get_last_raw_message_by_subject("a.x").await.unwrap().sequence;
    // The new owner has read the tail and works; the old one wakes up and sends what it had ready.
    let late = plain.tell("a.x", &[(EXPECTED, &tail.to_string())], "late").await;
    assert_eq!(late["seq"], 2, "it is taken: {late}");
    // Had the new owner written anything first, it were not.
    assert_eq!(plain.tell("a.x", &[(EXPECTED, "2")], "owner.claimed").await["seq"], 3);
    let late = plain.tell("a.x", &[(EXPECTED, "2")], "late").await;
    assert_eq!(code(&late), Some(WRONG_LAST_SEQUENCE), "{late}");
    assert_eq!(plain.n_stored().await, 3);
}

#[tokio::test]
async fn a_second_message_of_an_id_is_answered_with_the_first_and_not_stored() {
    let plain = Plain::new(Config::default()).await;
    plain.tell("a.x", &[], "").await;
    let first = plain.tell("a.x", &[(ID, "one")], "").await;
    assert_eq!((first["seq"].as_u64(), first["duplicate"].as_bool()), (Some(2), None));
    let second = plain.tell("a.x", &[(ID, "one")], "other content").await;
    assert_eq!((second["seq"].as_u64(), second["duplicate"].as_bool()), (Some(2), Some(true)));
    // One window serves the whole stream: two services that answer one cause on two subjects need two ids.
    let elsewhere = plain.tell("a.y", &[(ID, "one")], "").await;
    assert_eq!(elsewhere["duplicate"], true, "{elsewhere}");
    assert_eq!(plain.n_stored().await, 2);
}

#[tokio::test]
async fn a_second_message_of_an_id_with_a_stale_expectation_is_not_stored_whatever_is_answered() {
    let plain = Plain::new(Config::default()).await;
    plain.tell("a.x", &[(ID, "one"), (EXPECTED, "0")], "").await;
    plain.tell("a.x", &[(ID, "two"), (EXPECTED, "1")], "").await;
    let again = plain.tell("a.x", &[(ID, "one"), (EXPECTED, "0")], "").await;
    // Versions differ in which of the two they look at first.
    let is_known = again["duplicate"] == true || code(&again) == Some(WRONG_LAST_SEQUENCE);
    assert!(is_known, "{again}");
    assert_eq!(plain.n_stored().await, 2);
}

#[tokio::test]
async fn beyond_the_window_an_id_is_stored_again_and_only_an_expected_sequence_refuses_it() {
    let window = Duration::from_millis(100);
    let plain = Plain::new(Config { duplicate_window: window, ..Config::default() }).await;
    plain.tell("a.x", &[(ID, "one"), (EXPECTED, "0")], "").await;
    plain.tell("a.y", &[(ID, "two")], "").await;
    until("the id is forgotten", || async {
        plain.tell("a.y", &[(ID, "two")], "").await["duplicate"].is_null()
    })
    .await;
    assert_eq!(plain.n_stored().await, 3, "the second was stored twice");
    let again = plain.tell("a.x", &[(ID, "one"), (EXPECTED, "0")], "").await;
    assert_eq!(code(&again), Some(WRONG_LAST_SEQUENCE), "{again}");
    assert_eq!(plain.n_stored().await, 3);
}

#[tokio::test]
async fn a_key_that_grows_old_raises_no_watch_event_and_asking_shows_that_it_is_gone() {
    let config = Config {
        max_age: Duration::from_millis(300),
        max_messages_per_subject: 1,
        allow_rollup: true,
        duplicate_window: Duration::from_millis(100),
        ..Config::default()
    };
    let plain = Plain::new(Config::default()).await;
    let bucket = Config { name: "KV_b".into(), subjects: vec!["$KV.b.>".into()], ..config };
    plain.js.create_stream(bucket).await.unwrap();
    let store = plain.js.get_key_value("b").await.unwrap();
    let mut watch = store.watch_all().await.unwrap();
    store.put("lease", "a".into()).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().key, "lease");
    until("it is gone", || async { store.entry("lease").await.unwrap().is_none() }).await;
    store.put("later", "b".into()).await.unwrap();
    let next = watch.next().await.unwrap().unwrap();
    assert_eq!((next.key.as_str(), next.operation), ("later", Operation::Put), "nothing was told between");
}

#[tokio::test]
async fn a_full_stream_that_discards_new_messages_refuses_them_and_keeps_the_old() {
    let config = Config { max_bytes: 1_000, discard: DiscardPolicy::New, ..Config::default() };
    let plain = Plain::new(config).await;
    let kilobyte = "x".repeat(600);
    assert_eq!(plain.tell("a.x", &[], &kilobyte).await["seq"], 1);
    let refused = plain.tell("a.x", &[], &kilobyte).await;
    assert_eq!(code(&refused), Some(10_077), "{refused}");
    let kept = plain.stream.get_raw_message(1).await.unwrap();
    assert_eq!((kept.payload.len(), plain.n_stored().await), (600, 1));
}

async fn pulled(consumer: &PullConsumer, wait: Duration) -> Option<(u64, i64)> {
    let mut batch = consumer.batch().max_messages(1).expires(wait).messages().await.unwrap();
    let message = batch.next().await?.unwrap();
    let info = message.info().unwrap();
    Some((info.stream_sequence, info.delivered))
}

const LONG: Duration = Duration::from_secs(5);

#[tokio::test]
async fn beyond_max_deliver_a_message_lies_in_its_work_queue_and_nobody_gets_it() {
    let plain = Plain::new(Config { retention: RetentionPolicy::WorkQueue, ..Config::default() }).await;
    plain.tell("a.x", &[], "").await;
    let config = PullConfig {
        durable_name: Some("workers".into()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_millis(150),
        max_deliver: 2,
        ..PullConfig::default()
    };
    let consumer = plain.stream.create_consumer(config).await.unwrap();
    // Again after `ack_wait`, as nobody acknowledges; and then no more.
    assert_eq!(pulled(&consumer, LONG).await, Some((1, 1)));
    assert_eq!(pulled(&consumer, LONG).await, Some((1, 2)));
    assert_eq!(pulled(&consumer, Duration::from_millis(600)).await, None);
    assert_eq!(plain.n_stored().await, 1, "that is why our own queue has no limit and the worker gives up");
}

#[tokio::test]
async fn progress_puts_off_the_next_delivery() {
    let plain = Plain::new(Config { retention: RetentionPolicy::WorkQueue, ..Config::default() }).await;
    plain.tell("a.x", &[], "").await;
    let config = PullConfig {
        durable_name: Some("workers".into()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(1),
        ..PullConfig::default()
    };
    let consumer: PullConsumer = plain.stream.create_consumer(config).await.unwrap();
    let mut batch = consumer.batch().max_messages(1).expires(LONG).messages().await.unwrap();
    let message = batch.next().await.unwrap().unwrap();
    let progress = async {
        loop {
            message.ack_with(jetstream::AckKind::Progress).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let for_others = tokio::select! {
        () = progress => None,
        pulled = pulled(&consumer, Duration::from_secs(2)) => pulled,
    };
    assert_eq!(for_others, None, "twice as long as `ack_wait`");
    assert_eq!(pulled(&consumer, LONG).await, Some((1, 2)), "without progress it goes out again");
}

#[tokio::test]
async fn a_durable_hands_its_next_owner_newer_messages_before_those_that_a_dead_one_had() {
    let plain = Plain::new(Config::default()).await;
    for _ in 0..3 {
        plain.tell("a.x", &[], "").await;
    }
    let config = PullConfig {
        durable_name: Some("owner".into()),
        ack_policy: AckPolicy::All,
        ..PullConfig::default()
    };
    let consumer = plain.stream.create_consumer(config).await.unwrap();
    assert_eq!(pulled(&consumer, LONG).await, Some((1, 1)));
    // Its owner is gone. That is why ordered inputs are not read with durables.
    assert_eq!(pulled(&consumer, LONG).await, Some((2, 1)));
}

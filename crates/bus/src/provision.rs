//! What must exist on the broker before any service starts: streams, the durable of the workers, the buckets.
//!
//! Provisioning may run again at any time, also with other settings: it changes what differs and says so.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config as PullConfig;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use tidemill_domain::Span;
use tidemill_events::stream::{Kept, LEASES, SNAPSHOTS, Stream, WORKERS};

use crate::connect::Bus;
use crate::error::{Cause, Error};

/// Trials under way at once, over all workers.
const MAX_RUNNING: i64 = 256;
/// Trials that may wait.
const MAX_WAITING: i64 = 10_000;
const MIB: u64 = 1 << 20;

/// What to provision.
#[derive(Clone, Debug)]
pub struct Provision {
    /// The longest time that a label may take, over all loops.
    pub horizon: Span,
    /// Copies of everything in a cluster of servers.
    pub replicas: usize,
    /// How large the streams may grow, in bytes.
    pub limits: Limits,
    /// How long a lease lasts.
    pub lease: Duration,
    /// How long a worker may be silent before its trial is handed out again.
    pub ack_wait: Duration,
    /// How long the broker remembers message ids. It saves producers from doubles; nothing of ours relies on it.
    pub duplicates: Duration,
}

/// Bounds of the streams in bytes; none means as much as the server has. A full stream refuses new messages.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What producers sent.
    pub intake: Option<u64>,
    /// Rows and windows.
    pub samples: Option<u64>,
    /// The log of the loops.
    pub log: Option<u64>,
    /// Trials to run.
    pub work: Option<u64>,
    /// Messages that are no events, and why.
    pub dead: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            intake: Some(2_048 * MIB),
            samples: Some(4_096 * MIB),
            log: Some(1_024 * MIB),
            work: Some(64 * MIB),
            dead: Some(64 * MIB),
        }
    }
}

impl Default for Provision {
    fn default() -> Self {
        Self {
            horizon: Span::days(30),
            replicas: 1,
            limits: Limits::default(),
            lease: Duration::from_secs(10),
            ack_wait: Duration::from_secs(30),
            duplicates: Duration::from_secs(120),
        }
    }
}

/// What was done about one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Created,
    /// It was as it should be.
    Kept,
    /// It was otherwise.
    Updated,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Kept => "kept",
            Self::Updated => "updated",
        })
    }
}

/// One thing on the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// Its name.
    pub name: String,
    /// What was done.
    pub change: Change,
}

/// Sees that everything is on the broker as it should be.
///
/// # Errors
/// When the broker refuses something, for example because it has not enough storage.
pub async fn provision(bus: &Bus, wanted: &Provision) -> Result<Vec<Provisioned>, Error> {
    let mut done = Vec::new();
    for stream in Stream::ALL {
        done.push(ensure_stream(bus, stream_config(stream, wanted)).await?);
    }
    done.push(ensure_stream(bus, bucket_config(LEASES, wanted.lease, wanted)).await?);
    // A pointer stays until the next one; old snapshots are named by nobody.
    done.push(ensure_stream(bus, bucket_config(SNAPSHOTS, Duration::ZERO, wanted)).await?);
    done.push(ensure_workers(bus, wanted).await?);
    Ok(done)
}

fn stream_config(stream: Stream, wanted: &Provision) -> Config {
    let (max_age, retention) = match stream.kept(wanted.horizon) {
        Kept::For(span) => (Duration::from_micros(span.0.unsigned_abs()), RetentionPolicy::Limits),
        Kept::ForEver => (Duration::ZERO, RetentionPolicy::Limits),
        Kept::UntilDone => (Duration::ZERO, RetentionPolicy::WorkQueue),
    };
    let limit = match stream {
        Stream::Intake => wanted.limits.intake,
        Stream::Samples => wanted.limits.samples,
        Stream::Loop => wanted.limits.log,
        Stream::Work => wanted.limits.work,
        Stream::Dead => wanted.limits.dead,
    };
    Config {
        name: stream.name().to_owned(),
        subjects: stream.subjects(),
        retention,
        max_age,
        max_bytes: limit.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
        max_messages: if stream == Stream::Work { MAX_WAITING } else { -1 },
        max_messages_per_subject: -1,
        max_consumers: -1,
        discard: if stream.refuses_when_full() { DiscardPolicy::New } else { DiscardPolicy::Old },
        duplicate_window: wanted.duplicates,
        storage: StorageType::File,
        num_replicas: wanted.replicas,
        ..Config::default()
    }
}

/// A key-value bucket is a stream by convention; its values grow old, or stay if `max_age` is zero. The client's own way to make one needs a newer server than 2.9.
fn bucket_config(name: &str, max_age: Duration, wanted: &Provision) -> Config {
    Config {
        name: format!("KV_{name}"),
        subjects: vec![format!("$KV.{name}.>")],
        max_age,
        max_messages_per_subject: 1,
        max_messages: -1,
        max_bytes: -1,
        max_consumers: -1,
        discard: DiscardPolicy::New,
        duplicate_window: if max_age.is_zero() { wanted.duplicates } else { max_age.min(wanted.duplicates) },
        allow_rollup: true,
        deny_delete: true,
        // On disk, or a restart of the server would let epochs begin anew.
        storage: StorageType::File,
        num_replicas: wanted.replicas,
        ..Config::default()
    }
}

/// Whether a stream is as it is wanted, in everything that is set here.
fn agrees(is: &Config, wanted: &Config) -> bool {
    is.subjects == wanted.subjects
        && is.max_age == wanted.max_age
        && is.max_bytes == wanted.max_bytes
        && is.max_messages == wanted.max_messages
        && is.max_messages_per_subject == wanted.max_messages_per_subject
        && is.discard == wanted.discard
        && is.duplicate_window == wanted.duplicate_window
        && is.num_replicas == wanted.num_replicas
        && is.allow_rollup == wanted.allow_rollup
        && is.deny_delete == wanted.deny_delete
}

async fn ensure_stream(bus: &Bus, wanted: Config) -> Result<Provisioned, Error> {
    let name = wanted.name.clone();
    let failed = |call: &str, source: Cause| {
        let error = Error::Provision { name: name.clone(), source };
        bus.explain(&format!("$JS.API.STREAM.{call}.{name}"), error)
    };
    let change = match bus.stream(&name).await {
        Ok(stream) if agrees(&stream.cached_info().config, &wanted) => Change::Kept,
        Ok(stream) => {
            // What is not set here stays as somebody else set it.
            let is = stream.cached_info().config.clone();
            let merged = Config {
                subjects: wanted.subjects,
                max_age: wanted.max_age,
                max_bytes: wanted.max_bytes,
                max_messages: wanted.max_messages,
                max_messages_per_subject: wanted.max_messages_per_subject,
                discard: wanted.discard,
                duplicate_window: wanted.duplicate_window,
                num_replicas: wanted.num_replicas,
                allow_rollup: wanted.allow_rollup,
                deny_delete: wanted.deny_delete,
                ..is
            };
            bus.js.update_stream(&merged).await.map_err(|e| failed("UPDATE", e.into()))?;
            Change::Updated
        }
        Err(Error::NotProvisioned { .. }) => {
            bus.js.create_stream(wanted).await.map_err(|e| failed("CREATE", e.into()))?;
            Change::Created
        }
        Err(error) => return Err(error),
    };
    Ok(Provisioned { name, change })
}

async fn ensure_workers(bus: &Bus, wanted: &Provision) -> Result<Provisioned, Error> {
    let stream = bus.stream(Stream::Work.name()).await?;
    let config = PullConfig {
        durable_name: Some(WORKERS.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: wanted.ack_wait,
        // The worker itself gives up after some deliveries and reports it; the broker would only fall silent.
        max_deliver: -1,
        max_ack_pending: MAX_RUNNING,
        filter_subject: tidemill_events::stream::filter(tidemill_events::Topic::Work),
        ..PullConfig::default()
    };
    let is: Result<PullConsumer, _> = stream.get_consumer(WORKERS).await;
    let change = match is.map(|c| c.cached_info().config.clone()) {
        Ok(is)
            if is.ack_wait == config.ack_wait
                && is.max_deliver == config.max_deliver
                && is.max_ack_pending == config.max_ack_pending
                && is.filter_subject == config.filter_subject =>
        {
            Change::Kept
        }
        Ok(_) => Change::Updated,
        Err(_) => Change::Created,
    };
    if change != Change::Kept {
        stream.create_consumer(config).await.map_err(|e| {
            let api = format!("$JS.API.CONSUMER.DURABLE.CREATE.{}.{WORKERS}", Stream::Work.name());
            bus.explain(&api, Error::Provision { name: WORKERS.to_owned(), source: e.into() })
        })?;
    }
    Ok(Provisioned { name: WORKERS.to_owned(), change })
}

//! Figures that are read when they are asked for: the connection to the broker, the parts of the process, the process itself.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tidemill_bus::Bus;

use crate::health::Health;
use crate::process;

/// One figure, as it is explained.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: MetricType,
    read: Read,
}

#[derive(Debug)]
enum Read {
    Count(fn(&Bus) -> u64),
    Gauge(fn(&Bus) -> f64),
    /// One for each part.
    Parts,
}

const fn count(name: &'static str, help: &'static str, read: fn(&Bus) -> u64) -> Figure {
    Figure { name, help, kind: MetricType::Counter, read: Read::Count(read) }
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&Bus) -> f64) -> Figure {
    Figure { name, help, kind: MetricType::Gauge, read: Read::Gauge(read) }
}

/// All of them.
pub(crate) const FIGURES: &[Figure] = &[
    gauge("bus_connected", "Whether there is a connection to the broker", |bus| {
        if bus.is_connected() { 1.0 } else { 0.0 }
    }),
    count("bus_disconnected", "How often the connection to the broker was lost", |bus| {
        bus.counts().disconnected()
    }),
    count("bus_refused", "How often the broker refused a permission", |bus| bus.counts().refused()),
    count(
        "bus_slow",
        "How often messages were dropped on the way because they were read too slowly; they are read again",
        |bus| bus.counts().slow(),
    ),
    count("bus_reopened", "How often reading was begun again after a gap", |bus| bus.counts().reopened()),
    Figure {
        name: "part_ready",
        help: "Whether a part of the process is ready",
        kind: MetricType::Gauge,
        read: Read::Parts,
    },
    gauge("process_cpu_seconds", "Processor seconds of the process so far", |_| process::cpu_seconds()),
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^52")]
    gauge("process_resident_bytes", "Memory of the process", |_| process::rss_bytes() as f64),
];

/// Reads them.
pub(crate) struct Watched {
    bus: Bus,
    health: Health,
}

impl Watched {
    pub(crate) fn new(bus: Bus, health: Health) -> Self {
        Self { bus, health }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl Collector for Watched {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for figure in FIGURES {
            let mut metric = encoder.encode_descriptor(figure.name, figure.help, None, figure.kind)?;
            match figure.read {
                Read::Count(read) => ConstCounter::new(read(&self.bus)).encode(metric)?,
                Read::Gauge(read) => ConstGauge::new(read(&self.bus)).encode(metric)?,
                Read::Parts => {
                    for (part, is_ready) in self.health.parts() {
                        let labels = [("part", part)];
                        ConstGauge::new(i64::from(is_ready)).encode(metric.encode_family(&labels)?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

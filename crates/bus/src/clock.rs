//! The wall clock, asked here and nowhere else: cores take their time from the log.

use std::time::{SystemTime, UNIX_EPOCH};

use tidemill_domain::Timestamp;

/// The time of this machine.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

//! Waiting by condition: often, with a long ceiling, and a word about what is missing when it is reached.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
pub(crate) const EVERY: Duration = Duration::from_millis(50);

/// Waits until `look` gives a value; `Err` says what is still missing, and is the result after `ceiling`.
///
/// # Errors
/// With what was missing in the end.
pub async fn until<T, F: Future<Output = Result<T, String>>>(
    ceiling: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T, String> {
    let end = Instant::now() + ceiling;
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(missing) if Instant::now() > end => return Err(format!("after {ceiling:?}: {missing}")),
            Err(_) => sleep(EVERY).await,
        }
    }
}

//! Decoded segments in memory, the most recently used ones, because several trials read the same rows. It must not know where
//! they come from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_domain::{CleanRow, ContentHash};
use tidemill_events::wire::Weigh;

/// How much more memory a row takes than its text would.
const OVERHEAD: usize = 2;

/// A cache of segments that is bounded by their size.
#[derive(Debug)]
pub(crate) struct Cache {
    limit: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<ContentHash, Entry>,
    used: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    rows: Arc<Vec<CleanRow>>,
    bytes: usize,
    last_used: u64,
}

impl Cache {
    /// An empty cache that holds at most `limit` bytes, about.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, inner: Mutex::default() }
    }

    pub(crate) fn get(&self, hash: &ContentHash) -> Option<Arc<Vec<CleanRow>>> {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let entry = inner.entries.get_mut(hash)?;
        entry.last_used = now;
        Some(Arc::clone(&entry.rows))
    }

    /// Takes a segment in and forgets those that were not used for longest; one that is too large is not taken.
    pub(crate) fn put(&self, hash: &ContentHash, rows: &Arc<Vec<CleanRow>>) {
        let bytes = OVERHEAD * rows.iter().map(Weigh::weigh).sum::<usize>();
        if bytes > self.limit {
            return;
        }
        let mut inner = self.lock();
        inner.forget(hash);
        while inner.used + bytes > self.limit {
            let oldest =
                inner.entries.iter().min_by_key(|(_, entry)| entry.last_used).map(|(hash, _)| hash.clone());
            let Some(oldest) = oldest else { break };
            inner.forget(&oldest);
        }
        inner.clock += 1;
        inner.used += bytes;
        let last_used = inner.clock;
        inner.entries.insert(hash.clone(), Entry { rows: Arc::clone(rows), bytes, last_used });
    }

    pub(crate) fn forget(&self, hash: &ContentHash) {
        self.lock().forget(hash);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is held; if it did, what is in it would still be whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, hash: &ContentHash) {
        if let Some(entry) = self.entries.remove(hash) {
            self.used -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill_domain::{PredictionId, Timestamp, Value};

    use super::*;

    fn rows(n: usize) -> Arc<Vec<CleanRow>> {
        let row = CleanRow {
            prediction_id: PredictionId::new("p"),
            entity: None,
            time: Timestamp(0),
            features: vec![Value::Number(1.0)],
            scored: Vec::new(),
            label: None,
        };
        Arc::new(vec![row; n])
    }

    #[test]
    fn the_segments_used_last_stay() {
        let one = OVERHEAD * rows(10).iter().map(Weigh::weigh).sum::<usize>();
        let cache = Cache::new(2 * one);
        let [a, b, c, huge] = [b"a", b"b", b"c", b"d"].map(|name| ContentHash::of(name));
        cache.put(&a, &rows(10));
        cache.put(&b, &rows(10));
        assert!(cache.get(&a).is_some());
        cache.put(&c, &rows(10));
        cache.put(&huge, &rows(100));
        let held: Vec<_> = [&a, &b, &c, &huge].iter().map(|hash| cache.get(hash).is_some()).collect();
        assert_eq!(held, [true, false, true, false]);
        cache.put(&a, &rows(10));
        assert_eq!(cache.lock().used, 2 * one);
        cache.forget(&a);
        cache.forget(&a);
        assert_eq!(cache.lock().used, one);
    }
}

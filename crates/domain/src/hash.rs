//! Content hashes and the derivation of ids from their causes. Pure: the same parts give the same id everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The BLAKE3 hash of some content, as 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(String);

impl ContentHash {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).to_hex().to_string())
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hashes several parts into one; each part is preceded by its length, so that no two lists of parts collide.
#[must_use]
pub fn hash_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    ContentHash(hasher.finalize().to_hex().to_string())
}

/// A seed for a random generator, derived from text: the same text gives the same seed on every machine.
#[must_use]
pub fn seed_of(text: &str) -> u64 {
    let hash = blake3::hash(text.as_bytes());
    let mut first = [0_u8; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// A number in `[0, 1)` that depends on the text alone: the hash behind sticky routing and held-out reserves.
#[must_use]
pub fn unit_of(text: &str) -> f64 {
    // 53 bits: every value is exactly representable.
    (seed_of(text) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_parts_do_not_collide() {
        assert_ne!(hash_parts([b"ab".as_slice(), b"c"]), hash_parts([b"a".as_slice(), b"bc"]));
    }

    #[test]
    fn unit_is_within_bounds_and_spread() {
        let mean = (0..10_000).map(|i| unit_of(&i.to_string())).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}

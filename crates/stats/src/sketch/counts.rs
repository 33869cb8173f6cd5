//! How often each category was seen, for a bounded number of categories.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Categories counted one by one unless a caller says otherwise.
pub const DEFAULT_MAX_CATEGORIES: usize = 256;

/// Mergeable counts per category.
///
/// At most `max_categories` are named; rows of any further category are counted together as `other`, so the total is
/// always exact. Once `other` is above 0, a category may have rows hidden there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    max_categories: usize,
    named: BTreeMap<String, u64>,
    other: u64,
    missing: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_CATEGORIES)
    }
}

impl Counts {
    /// Names at most `max_categories` categories (at least one).
    #[must_use]
    pub fn new(max_categories: usize) -> Self {
        Self { max_categories: max_categories.max(1), named: BTreeMap::new(), other: 0, missing: 0 }
    }

    /// Counts one row; `None` stands for a missing value.
    pub fn insert(&mut self, category: Option<&str>) {
        let Some(category) = category else {
            self.missing += 1;
            return;
        };
        if let Some(count) = self.named.get_mut(category) {
            *count += 1;
        } else if self.named.len() < self.max_categories {
            self.named.insert(category.to_owned(), 1);
        } else {
            self.other += 1;
        }
    }

    /// Adds the counts of `other`; the tighter of the two bounds holds.
    ///
    /// The rarest categories move to `other` when there are too many (of equals, the last by name), so the outcome does
    /// not depend on which side is merged into which.
    pub fn merge(&mut self, other: &Self) {
        self.max_categories = self.max_categories.min(other.max_categories);
        self.other += other.other;
        self.missing += other.missing;
        for (category, count) in &other.named {
            *self.named.entry(category.clone()).or_default() += count;
        }
        if self.named.len() > self.max_categories {
            let mut ranked: Vec<_> = std::mem::take(&mut self.named).into_iter().collect();
            // Stable: equals keep the order of their names.
            ranked.sort_by_key(|(_, count)| Reverse(*count));
            self.other += ranked.drain(self.max_categories..).map(|(_, count)| count).sum::<u64>();
            self.named = ranked.into_iter().collect();
        }
    }

    /// The named categories and their counts.
    #[must_use]
    pub fn named(&self) -> &BTreeMap<String, u64> {
        &self.named
    }

    /// The count of one category; 0 if it is not named.
    #[must_use]
    pub fn get(&self, category: &str) -> u64 {
        self.named.get(category).copied().unwrap_or(0)
    }

    /// Rows of categories beyond the bound.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.other
    }

    /// Rows without a value.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// All rows: named, other and missing.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.named.values().sum::<u64>() + self.other + self.missing
    }

    /// The counts of both sides, aligned: one pair per category that either names, then other, then missing.
    pub(crate) fn align(&self, with: &Self) -> Vec<(String, u64, u64)> {
        let mut keys: Vec<&String> = self.named.keys().chain(with.named.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let named = keys.into_iter().map(|key| (key.clone(), self.get(key), with.get(key)));
        named
            .chain([
                ("(other)".to_owned(), self.other, with.other),
                ("(missing)".to_owned(), self.missing, with.missing),
            ])
            .collect()
    }
}

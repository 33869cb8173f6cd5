//! A list that keeps its newest items and counts the rest (INV-8). It must not know what it keeps.

use std::collections::VecDeque;

/// The newest items, oldest first, and how many were let go.
#[derive(Clone, Debug, PartialEq)]
pub struct Newest<T> {
    items: VecDeque<T>,
    most: usize,
    gone: u64,
}

impl<T> Newest<T> {
    /// A list of at most `most` items.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { items: VecDeque::new(), most, gone: 0 }
    }

    /// Adds an item; the oldest goes where there are too many.
    pub fn push(&mut self, item: T) {
        self.items.push_back(item);
        while self.items.len() > self.most {
            self.items.pop_front();
            self.gone += 1;
        }
    }

    /// The items, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter()
    }

    /// The newest item.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        self.items.back()
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many were let go.
    #[must_use]
    pub fn gone(&self) -> u64 {
        self.gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_the_rest_is_counted() {
        let mut list = Newest::new(2);
        (1..=5).for_each(|n| list.push(n));
        assert_eq!((list.iter().copied().collect::<Vec<_>>(), list.gone()), (vec![4, 5], 3));
    }
}

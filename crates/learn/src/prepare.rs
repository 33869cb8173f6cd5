//! Preprocessing: from the cells of a row to the numbers a learner takes. It is fitted on training rows and travels with
//! the model; it must not know which learner it feeds.

use std::borrow::Cow;

use tidemill_domain::Value;

mod basis;
mod codes;
mod dense;
mod spread;

pub(crate) use basis::Basis;
pub(crate) use codes::Codes;
pub(crate) use dense::Dense;

/// The name of a category, without a copy where the cell is a text.
fn category(cell: &Value) -> Option<Cow<'_, str>> {
    match cell {
        Value::Text(s) => Some(Cow::Borrowed(s)),
        other => other.category().map(Cow::Owned),
    }
}

/// A finite number, if the cell is one.
fn finite(cell: &Value) -> Option<f64> {
    cell.number().filter(|x| x.is_finite())
}

/// The most frequent categories of a column, at most `most` of them, sorted by name.
fn frequent(cells: impl Iterator<Item = impl AsRef<str>>, most: usize) -> Vec<String> {
    let mut counts: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for cell in cells {
        let name = cell.as_ref();
        match counts.get_mut(name) {
            Some(n) => *n += 1,
            None => {
                counts.insert(name.to_owned(), 1);
            }
        }
    }
    let mut by_count: Vec<(String, u64)> = counts.into_iter().collect();
    // Stable: among equals the names stay in order.
    by_count.sort_by_key(|c| std::cmp::Reverse(c.1));
    by_count.truncate(most);
    let mut names: Vec<String> = by_count.into_iter().map(|c| c.0).collect();
    names.sort_unstable();
    names
}

/// Whether names are sorted and distinct, as binary search needs them.
fn sorted(names: &[String]) -> bool {
    names.windows(2).all(|w| w[0] < w[1])
}

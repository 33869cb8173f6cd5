//! The list of mistakes as it grows, and how places and texts of the user are shown in it.

use std::fmt::Write as _;

use super::Problem;

/// More problems than this are only counted.
const MAX_PROBLEMS: usize = 1_000;
/// Texts of the user are cut after so many characters.
const MAX_SHOWN: usize = 60;

/// A place in the file: line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Mark {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// The place of the byte at `at`.
    pub(super) fn of_byte(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// What is wrong and what would be right, before it is known where.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) what: String,
    pub(super) remedy: String,
}

impl Mistake {
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl Problem {
    pub(super) fn new(mark: Mark, path: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        let path = path.to_owned();
        Self { line: mark.line, column: mark.column, path, what: what.into(), remedy: remedy.into() }
    }
}

/// The mistakes found so far.
#[derive(Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    pub(super) fn add(&mut self, mark: Mark, path: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.push(Problem::new(mark, path, what, remedy));
    }

    pub(super) fn push(&mut self, problem: Problem) {
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// All of them in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|p| (p.line, p.column));
        if self.more > 0 {
            let last = self.list.last().map_or(Mark::START, |p| Mark { line: p.line, column: p.column });
            let what = format!("{} more problems are not shown", self.more);
            self.list.push(Problem::new(last, "", what, "repair those above first"));
        }
        self.list
    }
}

/// A text of the user, in quotes, without control characters, and not too long.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", clip(text))
}

/// A text of the user on one line and not too long.
pub(super) fn clip(text: &str) -> String {
    clip_to(MAX_SHOWN, text)
}

/// A text on one line and not longer than `most` characters.
pub(super) fn clip_to(most: usize, text: &str) -> String {
    let mut shown = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == most {
            shown.push_str("...");
            break;
        }
        if c.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A key as it appears in a path.
pub(super) fn key_text(key: &str) -> String {
    let simple = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if simple { clip(key) } else { quoted(key) }
}

//! The fields of one record: looked up by name, read as what is expected, and everything that is wrong noted. It must not
//! know which records there are.

use tidemill_domain::{Timestamp, Value};

use super::limits::bare;
use super::node::Node;

/// Whole numbers up to here are exact as 64-bit floating point.
const EXACT: i128 = 1 << 53;
/// Whole numbers below this many microseconds, in 1973, are no microseconds of our days but seconds or milliseconds.
const FIRST_MICROS: i128 = 100_000_000_000_000;
/// The last instant that RFC 3339 can write, in microseconds.
const LAST_MICROS: i128 = 253_402_207_200_000_000;

/// The keys of an object, and the problems found in them.
pub(super) struct Fields<'a> {
    entries: &'a [(String, Node)],
    /// What stands before a key in a message.
    path: String,
    pub(super) problems: Vec<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(entries: &'a [(String, Node)], path: String) -> Self {
        Self { entries, path, problems: Vec::new() }
    }

    /// Notes a problem, once.
    pub(super) fn problem(&mut self, key: &str, what: &str, expected: &str) {
        let problem = format!("{}{key}: {what}; {expected}", self.path);
        // A key is looked up several times in a row, so the same problem comes back soon if at all.
        if !self.problems.iter().rev().take(3).any(|known| *known == problem) {
            self.problems.push(problem);
        }
    }

    /// The value of a key; null counts as none.
    pub(super) fn get(&mut self, key: &str) -> Option<&'a Node> {
        let mut found = self.entries.iter().filter(|(k, _)| k == key).map(|(_, node)| node);
        let first = found.next();
        if found.next().is_some() {
            self.problem(key, "it is here twice", "each key once is expected");
        }
        first.filter(|node| **node != Node::Null)
    }

    /// An id: a text, or a whole number taken as text.
    pub(super) fn id(&mut self, key: &str) -> Option<String> {
        match self.get(key)? {
            Node::Text(text) => Some(text.clone()),
            Node::Integer(n) => Some(n.to_string()),
            other => {
                self.problem(key, &format!("it is {}", other.describe()), "a text is expected");
                None
            }
        }
    }

    /// An id that must be there.
    pub(super) fn need_id(&mut self, key: &str) -> Option<String> {
        if self.get(key).is_none() {
            self.problem(key, "it is missing", "a text of 1 to 256 bytes is expected");
            return None;
        }
        self.id(key)
    }

    /// An instant: RFC 3339, or microseconds since 1970.
    pub(super) fn time(&mut self, key: &str) -> Option<Timestamp> {
        let node = self.get(key)?;
        let time = match node {
            Node::Text(text) => text.parse().ok(),
            Node::Integer(n) if (FIRST_MICROS..=LAST_MICROS).contains(n) => {
                i64::try_from(*n).ok().map(Timestamp)
            }
            _ => None,
        };
        if time.is_none() {
            let expected = "RFC 3339 as 2026-03-01T12:00:00Z, or whole microseconds since 1970, is expected";
            self.problem(key, &format!("it is {}", node.describe()), expected);
        }
        time
    }

    /// A cell that stands at `key`: a number, a text, true or false (taken as texts), or null.
    pub(super) fn value(&mut self, key: &str, node: &Node) -> Value {
        match node {
            Node::Null => Value::Missing,
            Node::Bool(b) => Value::Text(b.to_string()),
            Node::Text(text) => Value::Text(text.clone()),
            Node::Float(x) => Value::Number(*x),
            Node::Integer(n) if (-EXACT..=EXACT).contains(n) => match i32::try_from(*n) {
                Ok(small) => Value::Number(f64::from(small)),
                Err(_) => Value::Number(n.to_string().parse().unwrap_or_default()),
            },
            Node::Integer(n) => {
                let expected = "a number keeps 15 digits; if it is an id or a code, send it as a text";
                self.problem(key, &format!("{n} has too many digits"), expected);
                Value::Missing
            }
            other @ (Node::List(_) | Node::Object(_)) => {
                let expected = "a number, a text, true, false or null is expected";
                self.problem(key, &format!("it is {}", other.describe()), expected);
                Value::Missing
            }
        }
    }

    /// The entries of an object that must stand at `key`; `None` if there is nothing.
    pub(super) fn object(&mut self, key: &str) -> Option<&'a [(String, Node)]> {
        match self.get(key)? {
            Node::Object(entries) => Some(entries),
            other => {
                self.problem(key, &format!("it is {}", other.describe()), "an object is expected");
                None
            }
        }
    }

    /// The path of a key below `key`.
    pub(super) fn below(key: &str, name: &str) -> String {
        format!("{key}.{}", bare(name))
    }
}

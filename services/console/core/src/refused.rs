//! Why a request gets no answer, in words that help. It must not know of HTTP.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It makes no sense in the state that the loop is in.
    Conflict,
    /// It is malformed.
    Invalid,
    /// What it is about does not exist.
    NotFound,
}

/// A refusal: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its kind.
    pub why: Why,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

impl Refused {
    /// A refusal because of the state.
    #[must_use]
    pub fn conflict(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: Why::Conflict, what: what.into(), remedy: remedy.into() }
    }

    /// A refusal because of the form.
    #[must_use]
    pub fn invalid(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: Why::Invalid, what: what.into(), remedy: remedy.into() }
    }

    /// A refusal because something does not exist.
    #[must_use]
    pub fn not_found(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: Why::NotFound, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

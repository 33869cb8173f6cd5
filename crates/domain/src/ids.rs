//! One newtype for each kind of id, in alphabetical order. Ids are derived from their causes, never drawn at random.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::{ContentHash, hash_parts};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as the id.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(/// A dataset version: `d-` and twelve digits of the hash of its parent and of the segments it adds.
    DatasetId);
id!(/// An event: the hash of service, subject, cause and ordinal.
    EventId);
id!(/// A model version: `m-` and twelve digits of the hash of its artefact.
    ModelVersion);
id!(/// A prediction, named by whoever asked for it; a label refers to it.
    PredictionId);
id!(/// One run of training within a turn.
    TrialId);
id!(/// A proposal to retrain.
    TriggerId);
id!(/// One turn of the loop, from an accepted trigger to its outcome.
    TurnId);

impl ModelVersion {
    /// The version of the model whose artefact hashes to `artefact`.
    #[must_use]
    pub fn of(artefact: &ContentHash) -> Self {
        Self(format!("m-{}", artefact.short()))
    }
}

impl DatasetId {
    /// The id of the dataset that adds `segments` to `parent`.
    #[must_use]
    pub fn of<'a>(parent: Option<&Self>, segments: impl IntoIterator<Item = &'a ContentHash>) -> Self {
        let parent = parent.map_or("", Self::as_str);
        let parts =
            std::iter::once(parent.as_bytes()).chain(segments.into_iter().map(|s| s.as_str().as_bytes()));
        Self(format!("d-{}", hash_parts(parts).short()))
    }
}

/// The name of a loop: a subject token and a DNS label, so lower-case letters, digits and dashes, at most 63.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LoopId(String);

/// Why a text is no loop name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no loop name: use 1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit"
)]
pub struct BadLoopId(pub String);

impl LoopId {
    /// Checks the text and takes it as a name.
    ///
    /// # Errors
    /// When the text is no DNS label.
    pub fn new(text: impl Into<String>) -> Result<Self, BadLoopId> {
        let text = text.into();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let good = (1..=63).contains(&text.len())
            && text.chars().all(|c| plain(c) || c == '-')
            && text.starts_with(plain)
            && text.ends_with(plain);
        if good { Ok(Self(text)) } else { Err(BadLoopId(text)) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LoopId {
    type Error = BadLoopId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<LoopId> for String {
    fn from(id: LoopId) -> Self {
        id.0
    }
}

impl fmt::Display for LoopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_names_are_dns_labels() {
        for good in ["electricity", "a", "a-1", "9lives"] {
            assert!(LoopId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", "a*", ">", &"x".repeat(64)] {
            assert!(LoopId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dataset_id_depends_on_parent_and_order() {
        let (a, b) = (ContentHash::of(b"a"), ContentHash::of(b"b"));
        let first = DatasetId::of(None, [&a]);
        assert_ne!(DatasetId::of(Some(&first), [&b]), DatasetId::of(None, [&a, &b]));
        assert_ne!(DatasetId::of(None, [&b, &a]), DatasetId::of(None, [&a, &b]));
    }
}

//! Snapshots of cores: a state as bytes and back, so that a start need not fold everything again.
//!
//! A snapshot is a shortcut and never a truth: whatever is wrong with one, the log is still there. It must not know where
//! snapshots are kept. MessagePack carries what JSON does not: keys that are no text, and numbers that are not finite.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a snapshot is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadSnapshot {
    /// The core keeps none.
    #[error("this core keeps no snapshots")]
    NotKept,
    /// It is of a core that was set up otherwise, for example for another number of partitions.
    #[error("it is of a core that was set up otherwise")]
    OtherSetup,
    /// Its bytes are no state.
    #[error("its bytes are no state of this core")]
    Unreadable(#[source] rmp_serde::decode::Error),
}

/// The bytes of a state; none if it has something in it that cannot be written, which is a defect that tests find.
#[must_use]
pub fn save<T: Serialize>(state: &T) -> Option<Vec<u8>> {
    rmp_serde::to_vec_named(state).ok()
}

/// The state of the bytes.
///
/// # Errors
/// When they are not of such a state.
pub fn load<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BadSnapshot> {
    rmp_serde::from_slice(bytes).map_err(BadSnapshot::Unreadable)
}

/// Shared parts of a state, written as what they are.
pub mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes what is shared.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<T: Serialize, S: Serializer>(part: &Arc<T>, s: S) -> Result<S::Ok, S::Error> {
        part.as_ref().serialize(s)
    }

    /// Reads it; from now on it is shared with nobody.
    ///
    /// # Errors
    /// When it is something else.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(d).map(Arc::new)
    }
}

/// The same for a part that may not be there.
pub mod shared_option {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes what is shared.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<T: Serialize, S: Serializer>(part: &Option<Arc<T>>, s: S) -> Result<S::Ok, S::Error> {
        part.as_deref().serialize(s)
    }

    /// Reads it; from now on it is shared with nobody.
    ///
    /// # Errors
    /// When it is something else.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Arc<T>>, D::Error> {
        Ok(Option::<T>::deserialize(d)?.map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tidemill_domain::{LoopSpec, Schema, Target, TargetKind, Value};

    use super::*;
    use crate::event::{Command, CommandKind};

    #[test]
    fn states_come_back_as_they_were() {
        let state = BTreeMap::from([((1_u8, Some("a")), f64::INFINITY), ((2, None), f64::NEG_INFINITY)]);
        let bytes = save(&state).unwrap_or_default();
        let back: Result<BTreeMap<(u8, Option<&str>), f64>, _> =
            rmp_serde::from_slice(&bytes).map_err(|e| e.to_string());
        assert_eq!(back, Ok(state));
        for value in [Value::Missing, Value::Number(1.0), Value::Number(-0.1), Value::Text("1".into())] {
            let back = save(&value).map(|bytes| load::<Value>(&bytes).map_err(|e| e.to_string()));
            assert_eq!(back, Some(Ok(value)));
        }
        let command = Command { kind: CommandKind::Retrain, by: "me".into(), reason: String::new() };
        let back = save(&command).map(|bytes| load::<Command>(&bytes).map_err(|e| e.to_string()));
        assert_eq!(back, Some(Ok(command)));
    }

    #[test]
    fn specs_come_back_as_they_were() {
        let target = Target { name: "y".into(), kind: TargetKind::Numeric };
        let schema = Schema { entity: None, features: Vec::new(), target, slices: Vec::new() };
        let name = tidemill_domain::LoopId::new("a").unwrap_or_else(|e| unreachable!("{e}"));
        let spec = LoopSpec::with_defaults(name, schema);
        let back = save(&spec).map(|bytes| load::<LoopSpec>(&bytes).map_err(|e| e.to_string()));
        assert_eq!(back, Some(Ok(spec)));
    }

    #[test]
    fn other_bytes_are_refused() {
        assert!(load::<BTreeMap<u8, u8>>(b"nonsense").is_err());
        assert!(load::<BTreeMap<u8, u8>>(b"").is_err());
    }
}

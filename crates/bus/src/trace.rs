//! W3C trace context: one trace across the bus, from an input to everything that follows from it.

use std::fmt;
use std::str::FromStr;

use tidemill_domain::hash::hash_parts;
use tidemill_domain::{EventId, LoopId, PredictionId};

/// What the header `traceparent` says: the trace, the span and whether it is sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace: String,
    span: String,
    flags: String,
}

/// Why a text is no trace context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no traceparent: expected 00-<32 hex>-<16 hex>-<2 hex>")]
pub struct BadTraceParent(pub String);

impl TraceParent {
    /// The context of a new trace that begins with the event `id`.
    #[must_use]
    pub fn root(id: &EventId) -> Self {
        let hash = hash_parts([b"trace".as_slice(), id.as_str().as_bytes()]);
        Self {
            trace: hash.as_str()[..32].to_owned(),
            span: hash.as_str()[32..48].to_owned(),
            flags: "01".into(),
        }
    }

    /// The context of a prediction: everybody who knows its id finds its trace, so that its label joins it, whoever sends
    /// that and whenever.
    #[must_use]
    pub fn of_prediction(loop_id: &LoopId, prediction: &PredictionId) -> Self {
        Self::root(&EventId::new(format!("prediction/{loop_id}/{prediction}")))
    }

    /// The context of the event `id`: that of the trace that it belongs to, or of a new one.
    #[must_use]
    pub fn of_event(parent: Option<&Self>, id: &EventId) -> Self {
        parent.map_or_else(|| Self::root(id), |parent| parent.child(id))
    }

    /// The context of the event `id` that follows from this one. Derived, not drawn: the same event has the same span again.
    #[must_use]
    pub fn child(&self, id: &EventId) -> Self {
        let hash = hash_parts([self.trace.as_bytes(), id.as_str().as_bytes()]);
        Self { span: hash.as_str()[..16].to_owned(), ..self.clone() }
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.trace
    }

    /// The span.
    #[must_use]
    pub fn span_id(&self) -> &str {
        &self.span
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{}", self.trace, self.span, self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = BadTraceParent;
    fn from_str(text: &str) -> Result<Self, BadTraceParent> {
        let hex = |part: &str, n: usize| {
            part.len() == n && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        match text.split('-').collect::<Vec<_>>().as_slice() {
            // Later versions may append fields to those of version 00.
            [version, trace, span, flags, ..]
                if hex(version, 2)
                    && *version != "ff"
                    && hex(trace, 32)
                    && hex(span, 16)
                    && hex(flags, 2) =>
            {
                Ok(Self { trace: (*trace).into(), span: (*span).into(), flags: (*flags).into() })
            }
            _ => Err(BadTraceParent(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_share_the_trace_and_are_derived() {
        let root = TraceParent::root(&EventId::new("a"));
        let child = root.child(&EventId::new("b"));
        assert_eq!(root.trace_id(), child.trace_id());
        assert_ne!(root, child);
        assert_eq!(child, root.child(&EventId::new("b")));
        assert_eq!(child.to_string().parse(), Ok(child));
    }

    #[test]
    fn other_texts_are_refused() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(good.parse::<TraceParent>().is_ok());
        for bad in ["", "00", &good.to_uppercase(), &good[1..], &good.replace("00-", "ff-")] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }
}

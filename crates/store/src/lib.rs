//! Artefacts and segments.

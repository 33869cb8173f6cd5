//! The shell of ingest.

//! That what lies in `deploy/` and `docs/` says what the code does. Each check lists breaches; each is also shown to find one.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod compose;
mod docker;
mod errors;
mod files;
mod k8s;
mod kustomize;
mod metrics;
mod programs;
mod prometheus;
mod strict;

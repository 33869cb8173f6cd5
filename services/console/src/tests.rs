//! Requests through the router, over a log in memory.

#[allow(dead_code, reason = "each crate that builds a log uses another part of this")]
#[path = "../core/src/tests/history.rs"]
mod history;
mod openapi;
mod past;
mod questions;
mod reads;
mod scene;
mod schema;
mod story;
mod writes;

use tidemill_console_core::View;

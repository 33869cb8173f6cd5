//! Requests through the router, over a log in memory.

mod reads;
mod scene;
mod writes;

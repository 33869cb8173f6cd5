//! The command line of Tidemill, and the whole system in one process for development, demo and tests.

pub mod ask;
mod backtest;
mod cli;
mod demo;
mod import;
mod init;
pub mod producer;
mod provision;
mod replay;
pub mod rows;
mod say;
pub mod system;
mod up;

pub use cli::{command, main};

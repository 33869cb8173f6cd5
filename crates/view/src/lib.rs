//! SQL alike on SQLite (a file, or memory) and on Postgres: where a view lies, transactions, statements and their values; and a
//! Postgres of our own for tests.
//!
//! It is a crate of its own because only the console asks SQL: in `crates/store` every worker would link two databases. It
//! must not know which tables there are nor what they mean, and nobody else must know of sqlx.

mod address;
mod database;
mod error;
mod server;
mod transaction;
mod value;

pub use database::Database;
pub use error::Error;
pub use server::{PostgresServer, ServerError};
pub use transaction::{Row, Transaction};
pub use value::Value;

//! The tables of the view, and whether those that are there are ours.
//!
//! There is no way from one shape of the view to the next but to build it anew: the log is the truth, and a view that was
//! carried over could differ from one that was built.

use tidemill_domain::ContentHash;
use tidemill_view::{Transaction, values};

use super::error::SqlError;

/// One set of statements for SQLite and Postgres.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/0001_view.sql")];
/// Raise it when the same event makes other rows than before in the same tables.
const FOLD: u32 = 1;

/// The version of the view: a hash, so that nobody can forget to raise it.
pub(super) fn version() -> String {
    ContentHash::of(format!("{FOLD}\n{}", MIGRATIONS.join("\n")).as_bytes()).short().to_owned()
}

/// The version of the tables that are there, and the log that they tell of; nothing where there are none.
pub(super) async fn found(tx: &mut Transaction) -> Result<Option<(String, String)>, SqlError> {
    if !tx.tables().await?.iter().any(|table| table == "view_version") {
        return Ok(None);
    }
    let Some(row) = tx.one("SELECT version FROM view_version", values![]).await? else { return Ok(None) };
    let found = row.text(0)?;
    if found != version() {
        // The tables of another version may have other columns.
        return Ok(Some((found, String::new())));
    }
    let log = tx.one("SELECT log FROM view_version", values![]).await?.map(|row| row.text(0)).transpose()?;
    Ok(Some((found, log.unwrap_or_default())))
}

/// Drops whatever is there and makes the tables.
pub(super) async fn make(tx: &mut Transaction, log: &str) -> Result<(), SqlError> {
    tx.drop_tables().await?;
    for migration in MIGRATIONS {
        tx.script(migration).await?;
    }
    tx.run("INSERT INTO view_version (version, log) VALUES ($1, $2)", values![version(), log]).await?;
    Ok(())
}

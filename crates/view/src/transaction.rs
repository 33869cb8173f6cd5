//! Transactions: all or nothing, one set of statements for both databases. Dropping one undoes it.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row as _};

use crate::error::Error;
use crate::value::Value;

/// The lock under which tables are made and dropped, on Postgres; any number that nobody else uses.
const LOCK: &str = "DO $$ BEGIN PERFORM pg_advisory_xact_lock(7411741174117411); END $$";

/// A transaction.
pub struct Transaction {
    pub(crate) inner: sqlx::Transaction<'static, Any>,
    pub(crate) shown: String,
    pub(crate) is_postgres: bool,
}

/// A row of an answer.
pub struct Row(AnyRow);

impl Transaction {
    /// Runs a statement and says how many rows it changed.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn run(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, Error> {
        let done = prepare(sql, values).execute(&mut *self.inner).await;
        done.map(|done| done.rows_affected()).map_err(|e| Error::of(&self.shown, sql, e))
    }

    /// All rows of an answer.
    ///
    /// # Errors
    /// When the database does not give it.
    pub async fn all(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        let rows = prepare(sql, values).fetch_all(&mut *self.inner).await;
        rows.map(|rows| rows.into_iter().map(Row).collect()).map_err(|e| Error::of(&self.shown, sql, e))
    }

    /// The first row of an answer.
    ///
    /// # Errors
    /// When the database does not give it.
    pub async fn one(&mut self, sql: &str, values: Vec<Value>) -> Result<Option<Row>, Error> {
        let row = prepare(sql, values).fetch_optional(&mut *self.inner).await;
        row.map(|row| row.map(Row)).map_err(|e| Error::of(&self.shown, sql, e))
    }

    /// Runs several statements without values.
    ///
    /// # Errors
    /// When the database does not take one of them.
    pub async fn script(&mut self, sql: &'static str) -> Result<(), Error> {
        let done = sqlx::raw_sql(sql).execute(&mut *self.inner).await;
        done.map(|_| ()).map_err(|e| Error::of(&self.shown, "a migration", e))
    }

    /// Waits until nobody else makes or drops tables, until the end of the transaction; and sees that there is a place for them.
    ///
    /// # Errors
    /// When the database does not answer, or does not let us make tables.
    pub async fn lock_tables(&mut self) -> Result<(), Error> {
        if self.is_postgres {
            self.script(LOCK).await?;
            self.script("CREATE SCHEMA IF NOT EXISTS tidemill_view").await?;
        }
        Ok(())
    }

    /// The tables that there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tables(&mut self) -> Result<Vec<String>, Error> {
        let sql = if self.is_postgres {
            "SELECT tablename::TEXT FROM pg_catalog.pg_tables WHERE schemaname = 'tidemill_view' ORDER BY tablename"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        };
        self.all(sql, Vec::new()).await?.iter().map(|row| row.text(0)).collect()
    }

    /// Drops every table.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drop_tables(&mut self) -> Result<(), Error> {
        for table in self.tables().await? {
            let name = table.replace('"', "\"\"");
            self.run(&format!("DROP TABLE \"{name}\""), Vec::new()).await?;
        }
        Ok(())
    }

    /// Makes it so.
    ///
    /// # Errors
    /// When the database does not answer; whether it is so, the next transaction shows.
    pub async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await.map_err(|e| Error::of(&self.shown, "COMMIT", e))
    }
}

impl Row {
    /// A text.
    ///
    /// # Errors
    /// When it is none.
    pub fn text(&self, column: usize) -> Result<String, Error> {
        self.0.try_get(column).map_err(|source| Error::Row { column, source })
    }

    /// A text that may be missing.
    ///
    /// # Errors
    /// When it is something else.
    pub fn some_text(&self, column: usize) -> Result<Option<String>, Error> {
        self.0.try_get(column).map_err(|source| Error::Row { column, source })
    }

    /// A whole number.
    ///
    /// # Errors
    /// When it is none.
    pub fn int(&self, column: usize) -> Result<i64, Error> {
        self.0.try_get(column).map_err(|source| Error::Row { column, source })
    }

    /// A sequence or a count.
    ///
    /// # Errors
    /// When it is no number.
    pub fn count(&self, column: usize) -> Result<u64, Error> {
        self.int(column).map(|n| u64::try_from(n).unwrap_or(0))
    }

    /// A number.
    ///
    /// # Errors
    /// When it is none.
    pub fn real(&self, column: usize) -> Result<f64, Error> {
        self.0.try_get(column).map_err(|source| Error::Row { column, source })
    }
}

/// Statements are written in this repository and their values are bound, so none can be smuggled in.
fn prepare(sql: &str, values: Vec<Value>) -> Query<'static, Any, AnyArguments> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    values.into_iter().fold(query, |query, value| match value {
        Value::Int(n) => query.bind(n),
        Value::Real(x) => query.bind(x),
        Value::Text(text) => query.bind(text),
        Value::NoText => query.bind(None::<String>),
    })
}

//! A database: connections as they are needed, set up for what a view needs.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool};

use crate::address::Address;
use crate::error::Error;
use crate::transaction::Transaction;

/// Connections at the same time.
const CONNECTIONS: u32 = 8;
/// How long a connection is waited for.
const CONNECT: Duration = Duration::from_secs(5);

/// What a session of Postgres needs: tables of our own, and no question that runs for ever.
const POSTGRES: &str = "SET search_path TO tidemill_view; SET statement_timeout TO 15000";
/// What a session of SQLite needs: readers beside the writer; what a crash of the machine takes is read from the log again.
const SQLITE: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";

/// A database. Clones share its connections.
#[derive(Clone)]
pub struct Database {
    pool: AnyPool,
    shown: String,
    is_postgres: bool,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("at", &self.shown).finish_non_exhaustive()
    }
}

impl Database {
    /// A database at the path of a file, `memory:`, or `postgres://...`. It is reached when it is first asked.
    ///
    /// # Errors
    /// When there can be none at such a place.
    pub fn open(place: &str) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let address = Address::parse(place)?;
        let shown = address.shown();
        let bad = |source| Error::Away { shown: shown.clone(), source };
        let (url, session, connections) = match &address {
            // Each connection would have a memory of its own.
            Address::Memory => ("sqlite::memory:".to_owned(), SQLITE, 1),
            Address::File(path) => {
                let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
                if let Some(folder) = folder {
                    let failed = |source| Error::Folder { path: folder.to_owned(), source };
                    std::fs::create_dir_all(folder).map_err(failed)?;
                }
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
                (format!("sqlite:{path}?mode=rwc"), SQLITE, CONNECTIONS)
            }
            Address::Postgres(url) => (url.clone(), POSTGRES, CONNECTIONS),
        };
        let options: AnyConnectOptions = url.parse().map_err(bad)?;
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| begin_session(connection, session))
            .connect_lazy_with(options);
        Ok(Self { pool, shown, is_postgres: matches!(address, Address::Postgres(_)) })
    }

    /// Where it is, without secrets.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// A transaction that writes. SQLite lets one write at a time, so it takes its turn at once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write(&self) -> Result<Transaction, Error> {
        self.begin(if self.is_postgres { "BEGIN" } else { "BEGIN IMMEDIATE" }).await
    }

    /// A transaction that reads: all its answers are of one moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self) -> Result<Transaction, Error> {
        self.begin(if self.is_postgres { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "BEGIN" })
            .await
    }

    /// Closes its connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn begin(&self, statement: &'static str) -> Result<Transaction, Error> {
        let begun = self.pool.begin_with(statement).await;
        let inner = begun.map_err(|e| Error::of(&self.shown, statement, e))?;
        Ok(Transaction { inner, shown: self.shown.clone(), is_postgres: self.is_postgres })
    }
}

fn begin_session<'c>(
    connection: &'c mut AnyConnection,
    session: &'static str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move { sqlx::raw_sql(session).execute(connection).await.map(|_| ()) })
}

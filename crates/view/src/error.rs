//! What can go wrong with SQL, told apart by what helps: another address, waiting, or other data.

use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// When the place of the view cannot be understood.
    #[error(
        "\"{text}\" is no place for a view: write the path of a file, memory:, or postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    Address {
        /// What was written, without secrets.
        text: String,
    },
    /// When the folder of the file cannot be made.
    #[error("cannot make the folder {} for the view", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// When the database cannot be reached, or does not go on now; trying again may help.
    #[error("the database at {shown} does not answer")]
    Away {
        /// Where it is.
        shown: String,
        /// Why.
        source: sqlx::Error,
    },
    /// When the database does not take a statement because of what is in it; trying again does not help.
    #[error("the database does not take: {statement}")]
    Refused {
        /// The statement, without its values.
        statement: String,
        /// Why.
        source: sqlx::Error,
    },
    /// When a row is not as it was written.
    #[error("column {column} of a row cannot be read")]
    Row {
        /// Counted from 0.
        column: usize,
        /// Why.
        source: sqlx::Error,
    },
}

impl Error {
    /// Whether the data of the statement is to blame, so that it will never be taken.
    #[must_use]
    pub fn is_about_data(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    pub(crate) fn of(shown: &str, statement: &str, source: sqlx::Error) -> Self {
        if blames_data(&source) {
            let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            Self::Refused { statement, source }
        } else {
            Self::Away { shown: shown.to_owned(), source }
        }
    }
}

fn blames_data(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return matches!(error, sqlx::Error::Encode(_) | sqlx::Error::TypeNotFound { .. });
    };
    let code = error.code().unwrap_or_default();
    // Postgres: data, integrity and limits of the program; SQLite: too big, constraint, mismatch (low byte of the code).
    let is_postgres = code.len() == 5 && ["22", "23", "54"].iter().any(|class| code.starts_with(class));
    let is_sqlite = code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20));
    is_postgres || (code.len() != 5 && is_sqlite)
}

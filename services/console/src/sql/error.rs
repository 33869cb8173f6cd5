//! What can go wrong with the view.

use tidemill_console_core::Refused;
use tidemill_domain::Code;

use crate::api::{ErrorKind, Failure};

/// Why the view is not written, or does not answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// When the database fails.
    #[error("{} the view cannot be used", Code::ViewDatabase)]
    Database(#[from] tidemill_view::Error),
    /// When a record cannot be written as JSON, or read.
    #[error("a record of the view is not as it should be")]
    Record(#[from] serde_json::Error),
    /// When another console wrote to the view meanwhile.
    #[error("another console went on with the view")]
    Moved,
    /// When a console of another version, or of another log, built the view anew.
    #[error("a console of another version, or of another log, built the view anew")]
    Superseded,
    /// When the question makes no sense.
    #[error("{0}")]
    Refused(Refused),
}

impl SqlError {
    /// Whether the events that were to be written are to blame, so that trying again does not help.
    pub(super) fn is_about_data(&self) -> bool {
        match self {
            Self::Database(error) => error.is_about_data(),
            Self::Record(_) => true,
            Self::Moved | Self::Superseded | Self::Refused(_) => false,
        }
    }
}

impl From<Refused> for SqlError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Refused(refused) => refused.into(),
            SqlError::Record(_) => Self::new(
                ErrorKind::Internal,
                "a record of the view cannot be read",
                "drop the view, it is built anew from the log; and see the log of the console",
            ),
            SqlError::Database(_) | SqlError::Moved | SqlError::Superseded => {
                tracing::warn!(error = tidemill_bus::chain(&error), "a question was not answered");
                Self::unavailable(
                    error.to_string(),
                    "ask again in a moment; lists come from a database, see the log of the console. status and why go on",
                )
            }
        }
    }
}

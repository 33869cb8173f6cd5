//! What can stop a role: the bus, the store, or its own machine.

use tidemill_domain::Code;

/// Why a role stopped.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// When the broker does not do what is asked.
    #[error("the bus failed")]
    Bus(#[from] tidemill_bus::Error),
    /// When what a role keeps on its machine, and could make anew from the log, cannot be read or written.
    #[error("{} what is kept on this machine cannot be used", Code::LocalUnusable)]
    Local(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// When content cannot be stored.
    #[error("the store failed")]
    Store(#[source] tidemill_store::Error),
}

impl Trouble {
    /// Whether trying again cannot help.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Bus(error) => error.is_fatal(),
            Self::Local(_) => false,
            Self::Store(error) => !error.is_transient(),
        }
    }

    /// Whether another replica has the role now.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        use tidemill_bus::Error;
        matches!(self, Self::Bus(Error::Fenced { .. } | Error::LeaseLost { .. }))
    }
}

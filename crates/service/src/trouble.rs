//! What can stop a role: the bus or the store.

/// Why a role stopped.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// When the broker does not do what is asked.
    #[error("the bus failed")]
    Bus(#[from] tidemill_bus::Error),
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

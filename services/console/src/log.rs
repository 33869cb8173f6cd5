//! What the handlers need of the log, so that tests run them without a broker.

use futures::future::BoxFuture;
use tidemill_domain::Code;
use tidemill_events::emit::Outgoing;

/// Why an event is not on the log, as far as one knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// When trying again cannot help.
    #[error("{code} the log does not take the event: {0}", code = Code::WriteRefused)]
    Refused(String),
    /// When this replica is not the one that writes.
    #[error("{} this replica may not write", Code::ConsoleStandby)]
    Standby,
    /// When there was no answer in time; the event may be there or not.
    #[error("{code} the log gave no answer in time: {0}", code = Code::WriteUnknown)]
    Unknown(String),
}

/// The future of an answer.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, LogError>>;

/// The log as the console writes it.
pub trait Log: Send + Sync + 'static {
    /// Waits a little until this replica is the owner of what has one, and has folded everything that earlier owners wrote:
    /// the number of its tenure. What is decided after this may be published in this tenure, and in no other.
    fn tenure(&self) -> Answer<'_, u64>;

    /// Stores an event once: its place in the stream, nothing if it was there already. Where anybody may write, the tenure
    /// does not matter.
    fn publish(&self, event: Outgoing, tenure: Option<u64>) -> Answer<'_, Option<u64>>;
}

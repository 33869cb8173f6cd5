//! What can go wrong between us and the broker: a variant for each thing that was tried.

use std::path::PathBuf;

use tidemill_domain::Code;
use tidemill_events::Subject;

/// The error that another crate gave.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why something on the bus failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// When the broker cannot be reached or refuses us.
    #[error("{code} cannot connect to NATS at {url}", code = Code::NatsUnreachable)]
    Connect {
        /// Where.
        url: String,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// When a consumer cannot be made or read.
    #[error("{code} cannot read {filter} from the stream {stream}", code = Code::NoAnswer)]
    Consume {
        /// The stream.
        stream: &'static str,
        /// What was to be read of it.
        filter: String,
        /// What the broker said.
        #[source]
        source: Cause,
    },
    /// When the file of credentials cannot be read.
    #[error("{code} cannot read the NATS credentials {path}", code = Code::NatsCredentials)]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// When an event cannot be written as a message.
    #[error("{code} cannot encode the event {id} for {subject}", code = Code::Defect)]
    Encode {
        /// Its id.
        id: String,
        /// Where it was to go.
        subject: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// When a newer owner of the role has claimed a subject.
    #[error("{code} {role} with epoch {epoch} lost {subject} to {owner} with epoch {newer}", code = Code::Fenced)]
    Fenced {
        /// The role.
        role: String,
        /// Our epoch.
        epoch: u64,
        /// Where it was seen.
        subject: String,
        /// Who owns it now.
        owner: String,
        /// The epoch of the new owner.
        newer: u64,
    },
    /// When a stream has reached its bound and takes nothing more; trying again helps once there is room.
    #[error("{} the stream of {subject} is full", Code::StreamFull)]
    Full {
        /// Where the message was to go.
        subject: String,
    },
    /// When the broker carries no JetStream for our account.
    #[error(
        "{code} the NATS server at {url} has no JetStream for us: start it with -js, or enable it for the account", code = Code::NoJetStream
    )]
    JetStream {
        /// Where.
        url: String,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// When a lease can be neither taken nor given back.
    #[error("{code} cannot {doing} the lease of {role}", code = Code::LeaseUnavailable)]
    Lease {
        /// The role.
        role: String,
        /// What was tried.
        doing: &'static str,
        /// What the broker said.
        #[source]
        source: Cause,
    },
    /// When a lease ran out, or somebody else has it.
    #[error("{code} the lease of {role} is lost", code = Code::LeaseLost)]
    LeaseLost {
        /// The role.
        role: String,
    },
    /// When a role publishes where it is not the owner.
    #[error("{code} {role} does not own {subject}", code = Code::Defect)]
    NotOwned {
        /// The role.
        role: String,
        /// Where it was to go.
        subject: Subject,
    },
    /// When a stream or bucket does not exist.
    #[error("{code} {name} does not exist on the broker: run `tidemill provision`", code = Code::NotProvisioned)]
    NotProvisioned {
        /// Its name.
        name: String,
    },
    /// When the broker does not allow us something; it answers nothing, and logs it.
    #[error("{code} no permission for {subject}: the broker said \"{said}\"", code = Code::NatsPermission)]
    Permission {
        /// Where we tried.
        subject: String,
        /// What it said.
        said: String,
    },
    /// When it cannot be said or found out where the snapshot of a role is.
    #[error("{code} cannot {doing} the pointer to the snapshot of {name}", code = Code::NoAnswer)]
    Pointer {
        /// The role.
        name: String,
        /// What was tried.
        doing: &'static str,
        /// What the broker said.
        #[source]
        source: Cause,
    },
    /// When something cannot be created or changed.
    #[error("{code} cannot provision {name}", code = Code::CannotProvision)]
    Provision {
        /// Its name.
        name: String,
        /// What the broker said.
        #[source]
        source: Cause,
    },
    /// When a message is not taken.
    #[error("{code} cannot publish to {subject}", code = Code::NotStored)]
    Publish {
        /// Where.
        subject: String,
        /// What the broker said.
        #[source]
        source: Cause,
    },
    /// When a message cannot be acknowledged.
    #[error("{code} cannot acknowledge the message {sequence} of {stream}", code = Code::NoAnswer)]
    Acknowledge {
        /// The stream.
        stream: &'static str,
        /// The place of the message.
        sequence: u64,
        /// What the broker said.
        #[source]
        source: Cause,
    },
    /// When the state of a stream cannot be read.
    #[error("{code} cannot look into the stream {stream}", code = Code::NoAnswer)]
    Look {
        /// The stream.
        stream: String,
        /// What the broker said.
        #[source]
        source: Cause,
    },
    /// When a message is larger than the broker takes.
    #[error("{code} the event {id} for {subject} is larger than the broker takes", code = Code::TooLarge)]
    TooLarge {
        /// Its id.
        id: String,
        /// Where it was to go.
        subject: String,
    },
    /// When the broker is too old.
    #[error("{code} the NATS server at {url} is version {version}: at least 2.9 is needed", code = Code::NatsTooOld)]
    TooOld {
        /// Where.
        url: String,
        /// What it is.
        version: String,
    },
}

impl Error {
    /// Whether trying again can help: neither a missing permission nor a defect of ours goes away by itself.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Credentials { .. }
            | Self::Encode { .. }
            | Self::NotOwned { .. }
            | Self::Permission { .. }
            | Self::TooLarge { .. }
            | Self::TooOld { .. } => true,
            Self::Acknowledge { .. }
            | Self::Connect { .. }
            | Self::Consume { .. }
            | Self::Fenced { .. }
            | Self::Full { .. }
            | Self::JetStream { .. }
            | Self::Lease { .. }
            | Self::LeaseLost { .. }
            | Self::Look { .. }
            | Self::NotProvisioned { .. }
            | Self::Pointer { .. }
            | Self::Provision { .. }
            | Self::Publish { .. } => false,
        }
    }
}

/// An error and everything that caused it, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some libraries say in their own text what their source says again.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

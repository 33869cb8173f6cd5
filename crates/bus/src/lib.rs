//! The bus: what `tidemill-events` names, carried by NATS JetStream.
//!
//! Fenced publishing and claims ([`Publisher`]), reading in order ([`Reader`]), leases ([`Lease`]), the work queue
//! ([`WorkQueue`]) and provisioning. It must not know what events mean, except claims and trials to run; it decides nothing.
//! It runs on nats-server 2.9 and later.

pub mod backoff;
pub mod clock;
mod connect;
mod counts;
mod dead;
pub mod error;
mod lease;
mod message;
mod permission;
mod pointer;
mod provision;
mod publish;
mod read;
mod send;
mod server;
pub mod spans;
mod tail;
mod trace;
mod work;

pub use backoff::Backoff;
pub use connect::{Bus, BusConfig};
pub use counts::Counts;
pub use error::{Error, chain};
pub use lease::Lease;
pub use permission::{OPERATOR, Permissions, allows, authorization, password_variable, permissions};
pub use pointer::Pointer;
pub use provision::{Change, Limits, Provision, Provisioned, provision};
pub use publish::{Published, Publisher};
pub use read::{Item, Poison, ReadFrom, Reader, Received};
pub use send::Stored;
pub use server::{NatsServer, ServerError};
pub use tail::{Extent, Tail};
pub use trace::{BadTraceParent, TraceParent};
pub use work::{MAX_TRIES, Pulled, Work, WorkQueue};

//! Sees to it that nats-server is there.

use std::path::Path;

use crate::install::{ensure as install, version_of};
use crate::run::Failure;

const HINT: &str = "nats-server is not installed. Debian, Ubuntu: apt-get install nats-server. macOS: brew install \
                    nats-server. Others: a package or release of NATS, in the PATH";

/// Finds nats-server, or installs it where that is possible.
pub(crate) fn ensure() -> Result<(), Failure> {
    install("nats-server", "nats-server", HINT, || version_of(Path::new("nats-server")))
}

//! What the console is told beside what every service is told.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use clap::Args;

/// Where the console is to be found unless it is told otherwise.
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7411));

/// Options of the console.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where HTTP is served. There is no authentication: whoever reaches it may change every loop
    #[arg(long, env = "TIDEMILL_CONSOLE_ADDRESS", default_value_t = DEFAULT_ADDRESS, value_name = "ADDRESS")]
    pub address: SocketAddr,
}

impl Default for Options {
    fn default() -> Self {
        Self { address: DEFAULT_ADDRESS }
    }
}

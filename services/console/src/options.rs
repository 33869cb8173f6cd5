//! What the console is told beside what every service is told.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use clap::Args;

/// Where the console is to be found unless it is told otherwise.
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7411));

/// Where its view is unless it is told otherwise: beside the store.
pub const DEFAULT_VIEW: &str = "./tidemill-data/view.db";

/// Options of the console.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where HTTP is served. There is no authentication: whoever reaches it may change every loop
    #[arg(long, env = "TIDEMILL_CONSOLE_ADDRESS", default_value_t = DEFAULT_ADDRESS, value_name = "ADDRESS")]
    pub address: SocketAddr,

    /// Where the view of the log in SQL is: the path of a file for SQLite, memory:, or postgres://USER:PASSWORD@HOST/DATABASE.
    /// It can be dropped at any time; it is built again from the log
    #[arg(
        long,
        env = "TIDEMILL_VIEW_URL",
        hide_env_values = true,
        default_value = DEFAULT_VIEW,
        value_name = "URL"
    )]
    pub view_url: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { address: DEFAULT_ADDRESS, view_url: DEFAULT_VIEW.to_owned() }
    }
}

//! The broker of a cluster as a process: on a port that stays the same, because services know no other.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tokio::net::TcpStream;

use super::READY;
use super::process::{Process, Program};
use crate::{HarnessError, wait};

/// The name of its process.
pub const BROKER: &str = "nats-server";

pub(super) fn url(nats: u16) -> String {
    format!("nats://127.0.0.1:{nats}")
}

pub(super) fn broker_program(root: &Path, port: u16, group: i32) -> Program {
    let folder = root.join("nats");
    let arguments = ["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd", &folder.display().to_string()];
    Program {
        name: BROKER.to_owned(),
        path: PathBuf::from("nats-server"),
        arguments: arguments.map(str::to_owned).to_vec(),
        folder,
        group,
    }
}

pub(super) async fn answers(broker: &mut Process, port: u16) -> Result<(), HarnessError> {
    let end = tokio::time::Instant::now() + READY;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        if let Some(status) = broker.ended() {
            return Err(HarnessError::Ended {
                name: "nats-server".to_owned(),
                status,
                log: broker.log_tail(),
            });
        }
        if tokio::time::Instant::now() > end {
            let what = format!("nats-server does not answer after {READY:?}");
            return Err(HarnessError::NotReady { what, log: broker.log_tail() });
        }
        tokio::time::sleep(wait::EVERY).await;
    }
    Ok(())
}

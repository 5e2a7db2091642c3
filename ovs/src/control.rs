//! Asks ovs-vswitchd itself, over its control socket (what `ovs-appctl` speaks): JSON-RPC with strings.
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::error::{Error, Result};

/// The control socket of the vswitchd with this process id.
pub fn socket(rundir: &Path, pid: i32) -> PathBuf {
    rundir.join(format!("ovs-vswitchd.{pid}.ctl"))
}

/// Runs a command of the daemon whose control socket is at `path` and gives its output.
///
/// # Errors
/// [`Error::Refused`] with the daemon's words if the command fails or is not known.
pub async fn call(
    path: &Path,
    command: &str,
    arguments: &[&str],
    limit: Duration,
) -> Result<String> {
    let client = Client::connect(path).await?;
    match client.call(command, json!(arguments), limit).await? {
        Json::String(output) => Ok(output),
        other => Err(Error::Protocol {
            path: path.to_owned(),
            detail: format!(
                "result of {command} is {}, expected a string",
                crate::ops::kind(&other)
            ),
        }),
    }
}

/// The version of the running daemon, such as `3.1.0`, as it says itself; the database may name another.
pub async fn version(path: &Path, limit: Duration) -> Result<String> {
    let text = call(path, "version", &[], limit).await?;
    // "ovs-vswitchd (Open vSwitch) 3.1.0\n" and more lines
    Ok(text
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().last())
        .unwrap_or_default()
        .to_owned())
}

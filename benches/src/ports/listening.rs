//! Servers of traffic tools in a pod: started, known to listen, ended.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tests::netns::Netns;
use tests::wait;

/// The transport protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A server that listens; dropped, it is killed.
#[derive(Debug)]
pub struct Listening {
    child: Child,
}

impl Listening {
    /// Start a server in `pod` and wait until its port is open.
    ///
    /// # Errors
    /// When it is not installed, ends, or does not open its port.
    pub fn start(
        pod: &Netns,
        program: &str,
        arguments: &[&str],
        transport: Transport,
        port: u16,
    ) -> Result<Self> {
        let mut command = pod.command(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().with_context(|| not_installed(program))?;
        let mut listening = Self { child };
        let mut ended = None;
        wait::until(
            Duration::from_secs(20),
            &format!("{program} to listen on port {port}"),
            || {
                ended = listening.child.try_wait().ok().flatten();
                ended.is_some() || is_open(pod, transport, port)
            },
        )?;
        match ended {
            Some(status) => {
                bail!("{program} {arguments:?} ended with {status} instead of listening")
            }
            None => Ok(listening),
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Run a client in `pod` to its end.
///
/// # Errors
/// When it is not installed or fails; the message has its output.
pub fn finish(program: &str, mut command: Command) -> Result<String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().with_context(|| not_installed(program))?;
    succeeded(&command, child.wait_with_output()?)
}

/// What a client printed.
///
/// # Errors
/// When it failed; the message has its output.
pub fn succeeded(command: &Command, output: Output) -> Result<String> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{command:?} ended with {}: {stdout} {stderr}",
            output.status
        );
    }
    Ok(stdout)
}

fn not_installed(program: &str) -> String {
    format!("cannot start {program}: `benches/setup.sh traffic` installs it")
}

/// Whether a socket of the namespace is bound to the port, and listens if it is TCP.
fn is_open(pod: &Netns, transport: Transport, port: u16) -> bool {
    let (tables, state): (&[&str], &str) = match transport {
        Transport::Tcp => (&["tcp", "tcp6"], "0A"),
        Transport::Udp => (&["udp", "udp6"], "07"),
    };
    let port = format!(":{port:04X}");
    let open = pod.run(|| {
        let mut text = String::new();
        for table in tables {
            text +=
                &fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
        }
        Ok(text.lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next().is_some_and(|local| local.ends_with(&port))
                && fields.nth(1) == Some(state)
        }))
    });
    open.unwrap_or(false)
}

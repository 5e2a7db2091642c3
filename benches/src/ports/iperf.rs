//! TCP throughput by iperf3, one process for each stream as in the published measurement.

use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::Value;

use super::listening::{Listening, Transport, succeeded};
use super::path::Laid;

const PORT: u16 = 5201;

/// Gigabits each second that arrive, of `processes` clients that send for `seconds` at the same time.
///
/// # Errors
/// When a client or a server fails.
pub fn tcp(laid: &Laid, processes: u16, seconds: u32) -> Result<f64> {
    let ports = PORT..PORT + processes;
    let mut servers = Vec::new();
    for port in ports.clone() {
        let port_text = port.to_string();
        let arguments = ["--server", "--port", &port_text];
        servers.push(Listening::start(
            &laid.server,
            "iperf3",
            &arguments,
            Transport::Tcp,
            port,
        )?);
    }
    let mut clients = Vec::new();
    for port in ports {
        let mut command = laid.client.command("iperf3");
        command.args([
            "--client",
            &laid.address.to_string(),
            "--port",
            &port.to_string(),
        ]);
        command.args(["--time", &seconds.to_string(), "--json"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().context("cannot start iperf3")?;
        clients.push((command, child));
    }
    // All are waited for before one's failure is told: none must go on sending into the next measurement.
    let ended: Vec<_> = clients
        .into_iter()
        .map(|(command, child)| (command, child.wait_with_output()))
        .collect();
    let mut sum = 0.0;
    for (command, output) in ended {
        sum += received(&succeeded(&command, output?)?)?;
    }
    Ok(sum / 1e9)
}

/// Bits each second at the receiver, of iperf3's report.
fn received(text: &str) -> Result<f64> {
    let report: Value = serde_json::from_str(text).context("iperf3 printed no JSON")?;
    report["end"]["sum_received"]["bits_per_second"]
        .as_f64()
        .with_context(|| format!("iperf3 reports no throughput: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_is_what_arrived() {
        let text = r#"{"end":{"sum_sent":{"bits_per_second":2e9},"sum_received":{"bits_per_second":1.5e9}}}"#;
        assert_eq!(received(text).unwrap(), 1.5e9);
        assert!(received(r#"{"error":"unable to connect"}"#).is_err());
        assert!(received("").is_err());
    }
}

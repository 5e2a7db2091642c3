//! Small messages by sockperf: 64-byte datagrams each second, and the latency of a 64-byte ping-pong over TCP.

use anyhow::{Context, Result};

use super::listening::{Listening, Transport, finish};
use super::path::Laid;

const PORT: u16 = 11111;

/// Bytes of a message.
const SIZE: &str = "64";

/// Datagrams each second that the sender gets out, in `seconds`.
///
/// On one processor the receiver starves beside a sender that never waits, so what arrives says little.
///
/// # Errors
/// When the client or the server fails.
pub fn datagrams(laid: &Laid, seconds: u32) -> Result<f64> {
    let text = run(laid, "throughput", Transport::Udp, seconds)?;
    number_after(&text, "Message Rate is ")
        .with_context(|| format!("sockperf reports no rate: {text}"))
}

/// Microseconds of half a round trip over TCP, on average over `seconds`.
///
/// # Errors
/// When the client or the server fails.
pub fn latency(laid: &Laid, seconds: u32) -> Result<f64> {
    let text = run(laid, "ping-pong", Transport::Tcp, seconds)?;
    number_after(&text, "Latency is ")
        .with_context(|| format!("sockperf reports no latency: {text}"))
}

fn run(laid: &Laid, mode: &str, transport: Transport, seconds: u32) -> Result<String> {
    let (address, port, seconds) = (
        laid.address.to_string(),
        PORT.to_string(),
        seconds.to_string(),
    );
    let mut common = vec!["-i", &address, "-p", &port];
    if transport == Transport::Tcp {
        common.push("--tcp");
    }
    let server = [&["server"], common.as_slice()].concat();
    let _server = Listening::start(&laid.server, "sockperf", &server, transport, PORT)?;
    let mut client = laid.client.command("sockperf");
    client
        .arg(mode)
        .args(&common)
        .args(["-m", SIZE, "-t", &seconds]);
    finish("sockperf", client)
}

/// The number that follows a phrase.
fn number_after(text: &str, phrase: &str) -> Option<f64> {
    let (_, rest) = text.split_once(phrase)?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_read_where_sockperf_prints_it() {
        let text = "sockperf: Summary: Message Rate is 399047 [msg/sec]\nsockperf: Summary: Latency is 34.068 usec\n";
        assert_eq!(number_after(text, "Message Rate is "), Some(399_047.0));
        assert_eq!(number_after(text, "Latency is "), Some(34.068));
        assert_eq!(number_after("sockperf: ERROR", "Latency is "), None);
    }
}

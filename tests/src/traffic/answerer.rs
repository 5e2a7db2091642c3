//! A backend: answers on TCP and UDP with its name and the client it saw.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::time::TimeVal;

use crate::netns::Netns;

/// How often its threads look whether they should end.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MICROSECONDS: i64 = 20_000;

/// A running backend. Dropped, it ends: connections are refused from then on.
#[derive(Debug)]
pub struct Answerer {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Answerer {
    /// Answers at `address` in `netns`, on both protocols, with `<name> saw <client>`.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn start(netns: &Netns, name: &str, address: SocketAddr) -> Result<Self> {
        let (tcp, udp) = netns
            .run(|| {
                let tcp = TcpListener::bind(address)?;
                // accept ends with it, too.
                setsockopt(&tcp, ReceiveTimeout, &TimeVal::new(0, PAUSE_MICROSECONDS))?;
                let udp = UdpSocket::bind(address)?;
                udp.set_read_timeout(Some(PAUSE))?;
                Ok((tcp, udp))
            })
            .with_context(|| format!("{name} cannot listen at {address}"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let threads = vec![
            thread::spawn({
                let (stop, name) = (stop.clone(), name.to_owned());
                move || answer_tcp(&tcp, &name, &stop)
            }),
            thread::spawn({
                let (stop, name) = (stop.clone(), name.to_owned());
                move || answer_udp(&udp, &name, &stop)
            }),
        ];
        Ok(Self { stop, threads })
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

fn answer_tcp(listener: &TcpListener, name: &str, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Ok((mut stream, client)) = listener.accept() else {
            continue;
        };
        // A client that goes away is its own affair.
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok();
        stream.read_exact(&mut [0]).ok();
        write!(stream, "{name} saw {}", client.ip()).ok();
    }
}

fn answer_udp(socket: &UdpSocket, name: &str, stop: &AtomicBool) {
    let mut buffer = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((_, client)) = socket.recv_from(&mut buffer) {
            let answer = format!("{name} saw {}", client.ip());
            socket.send_to(answer.as_bytes(), client).ok();
        }
    }
}

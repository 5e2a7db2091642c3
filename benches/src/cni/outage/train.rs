//! Numbered datagrams from many pods to one server, all sent and read by one thread.
//!
//! A thread for each pod would measure the scheduler: with a hundred pods on two
//! cores the probes have to be cheap. A socket stays in the namespace where it was
//! opened, so one thread can hold one in every pod.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tests::netns::Netns;

use super::window::Probe;

/// UDP port of the echo.
const PORT: u16 = 7007;

/// How long after it was sent a probe may still be on its way, and says nothing yet.
const IN_FLIGHT: Duration = Duration::from_millis(200);

/// A running train.
#[derive(Debug)]
pub struct Train {
    stop: Arc<AtomicBool>,
    probes: Arc<Mutex<Vec<Vec<Probe>>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Train {
    /// Every pod sends a probe to `address`, one of `server`'s, every `pause`.
    ///
    /// # Errors
    /// When a socket cannot be opened.
    pub fn start(
        pods: &[&Netns],
        server: &Netns,
        address: Ipv4Addr,
        pause: Duration,
    ) -> Result<Self> {
        let echo = server.run(|| {
            let socket =
                UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).context("no socket for the echo")?;
            socket.set_read_timeout(Some(Duration::from_millis(100)))?;
            Ok(socket)
        })?;
        let mut sockets = Vec::new();
        for pod in pods {
            sockets.push(pod.run(|| {
                let socket =
                    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("no socket for a pod")?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            })?);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let probes = Arc::new(Mutex::new(vec![Vec::new(); pods.len()]));
        let (halt, log) = (Arc::clone(&stop), Arc::clone(&probes));
        let sender = thread::spawn(move || run(&sockets, address, pause, &log, &halt));
        let halt = Arc::clone(&stop);
        let echo = thread::spawn(move || serve(&echo, &halt));
        Ok(Self {
            stop,
            probes,
            threads: vec![sender, echo],
        })
    }

    /// The pods of whose last `count` probes one did not come back, those that may still be on their way left out.
    pub fn unsteady(&self, count: usize) -> Vec<usize> {
        let settled = Instant::now() - IN_FLIGHT;
        let steady = |pod: &[Probe]| {
            let known = pod.partition_point(|probe| probe.sent < settled);
            known >= count && pod[known - count..known].iter().all(|probe| probe.echoed)
        };
        let probes = lock(&self.probes);
        (0..probes.len())
            .filter(|&pod| !steady(&probes[pod]))
            .collect()
    }

    /// Each pod's probes sent since `event`, those that may still be on their way left out.
    pub fn since(&self, event: Instant) -> Vec<Vec<Probe>> {
        let settled = Instant::now() - IN_FLIGHT;
        let of_pod = |pod: &Vec<Probe>| {
            let first = pod.partition_point(|probe| probe.sent < event);
            let end = pod.partition_point(|probe| probe.sent < settled);
            pod[first..end.max(first)].to_vec()
        };
        lock(&self.probes).iter().map(of_pod).collect()
    }
}

impl Drop for Train {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

fn lock(probes: &Mutex<Vec<Vec<Probe>>>) -> MutexGuard<'_, Vec<Vec<Probe>>> {
    probes
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Send a probe from every socket, read what came back, sleep until the next turn.
fn run(
    sockets: &[UdpSocket],
    address: Ipv4Addr,
    pause: Duration,
    probes: &Mutex<Vec<Vec<Probe>>>,
    stop: &AtomicBool,
) {
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let mut probes = lock(probes);
        for (socket, log) in sockets.iter().zip(probes.iter_mut()) {
            let mut number = [0; 8];
            // Errors are ICMP's word for a loss that the missing echo tells as well; each is reported once,
            // so the queue behind it still gets read at the next turn.
            while let Ok(8) = socket.recv(&mut number) {
                if let Some(probe) = log.get_mut(u64::from_be_bytes(number) as usize) {
                    probe.echoed = true;
                }
            }
            number = (log.len() as u64).to_be_bytes();
            log.push(Probe {
                sent: Instant::now(),
                echoed: false,
            });
            // What the kernel refuses to send, as while the pod has no route, is lost like any other.
            socket.send_to(&number, (address, PORT)).ok();
        }
        drop(probes);
        next = (next + pause).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Return every datagram to where it came from.
fn serve(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 64];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            socket.send_to(&buffer[..length], from).ok();
        }
    }
}

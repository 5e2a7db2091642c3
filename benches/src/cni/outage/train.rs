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
use tests::rig::Rig;

use super::window::Probe;

/// UDP port of the echo.
const PORT: u16 = 7007;

/// How long after it was sent a probe may still be on its way, and says nothing yet (stretched in the VM).
const IN_FLIGHT: Duration = Duration::from_millis(200);

/// How late an echo may be before the pod counts as not served (stretched in the VM): longer than a busy machine
/// lets a probe wait, shorter than any restart.
pub fn late() -> Duration {
    Duration::from_millis(100) * Rig::patience()
}

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

    /// Each pod's probes sent since `event`, once every pod has sent `count` of them since `calm` and the last
    /// `count` came back; else the pods that have not. Probes that may still be on their way are left out.
    pub fn steady(
        &self,
        event: Instant,
        calm: Instant,
        count: usize,
    ) -> Result<Vec<Vec<Probe>>, Vec<usize>> {
        let settled = Instant::now() - IN_FLIGHT * Rig::patience();
        let known = |pod: &[Probe]| pod.partition_point(|probe| probe.sent < settled);
        let probes = lock(&self.probes);
        let silent: Vec<usize> = (0..probes.len())
            .filter(|&pod| {
                let pod = &probes[pod][..known(&probes[pod])];
                let pod = &pod[pod.partition_point(|probe| probe.sent < calm)..];
                pod.len() < count
                    || pod
                        .iter()
                        .rev()
                        .take(count)
                        .any(|probe| !probe.is_timely(late()))
            })
            .collect();
        if !silent.is_empty() {
            return Err(silent);
        }
        let since = |pod: &Vec<Probe>| {
            let first = pod.partition_point(|probe| probe.sent < event);
            pod[first..known(pod).max(first)].to_vec()
        };
        Ok(probes.iter().map(since).collect())
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
                    probe.back.get_or_insert_with(Instant::now);
                }
            }
            number = (log.len() as u64).to_be_bytes();
            log.push(Probe {
                sent: Instant::now(),
                back: None,
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

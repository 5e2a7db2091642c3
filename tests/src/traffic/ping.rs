//! A train of numbered datagrams between two namespaces, each echoed: how many were lost, and from when to when.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt};

use crate::netns::{Entrance, Netns};
use crate::wait;

/// How often blocked receivers look whether they are to stop.
const TICK: Duration = Duration::from_millis(50);

/// How long after the last datagram answers still count (stretched in the VM).
const GRACE: Duration = Duration::from_millis(500);

/// What to send where; [`PingTrain::start`] makes it a running [`PingTrain`].
#[derive(Debug)]
pub struct Route {
    client: Entrance,
    server: Entrance,
    address: IpAddr,
    every: Duration,
    device: Option<String>,
}

/// A running train; finish it to learn what it felt, or drop it to end it.
#[derive(Debug)]
pub struct PingTrain {
    stop: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    log: Arc<Mutex<Vec<Echoed>>>,
    threads: Vec<JoinHandle<()>>,
    every: Duration,
}

/// When a datagram left and when its echo came back.
#[derive(Clone, Copy, Debug)]
struct Echoed {
    sent: Instant,
    back: Option<Instant>,
}

/// A time without answers.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// From the start of the train to the sending of the first datagram lost.
    pub start: Duration,
    /// From that to the arrival of the first answer to a later datagram, or to the end of the train.
    pub length: Duration,
    /// Datagrams lost in it.
    pub lost: usize,
}

/// What a train felt.
#[derive(Clone, Debug)]
pub struct PingReport {
    /// Datagrams sent, those included that the kernel refused to send.
    pub sent: usize,
    /// Datagrams answered.
    pub answered: usize,
    /// Every time without answers, in order.
    pub windows: Vec<Window>,
    /// The pause between two datagrams.
    pub every: Duration,
}

impl PingTrain {
    /// Starts a train from `client` to `address`, which must be one of `server`'s, with a datagram every 5 ms
    /// (stretched in the VM); returns when the first ones are answered.
    ///
    /// # Errors
    /// When nothing is answered.
    pub fn start(client: &Netns, server: &Netns, address: IpAddr) -> Result<Self> {
        Self::route(client, server, address).start()
    }

    /// Sends fifty datagrams where none may arrive, and counts the answers.
    ///
    /// # Errors
    /// When they cannot be sent.
    pub fn answers_within(client: &Netns, server: &Netns, address: IpAddr) -> Result<usize> {
        let train = Self::route(client, server, address).launch()?;
        wait::until(
            Duration::from_secs(20),
            "fifty datagrams to be sent",
            || lock(&train.log).len() >= 50,
        )?;
        Ok(train.finish().answered)
    }

    /// A train to be configured before it starts.
    pub fn route(client: &Netns, server: &Netns, address: IpAddr) -> Route {
        let every = Duration::from_millis(5) * crate::rig::Rig::patience();
        Route {
            client: client.entrance(),
            server: server.entrance(),
            address,
            every,
            device: None,
        }
    }

    /// Datagrams answered so far.
    pub fn answered(&self) -> usize {
        lock(&self.log)
            .iter()
            .filter(|entry| entry.back.is_some())
            .count()
    }

    /// Waits until a datagram that is sent from now on has been answered.
    ///
    /// # Errors
    /// When none is within `limit` (stretched in the VM).
    pub fn await_answer(&self, limit: Duration) -> Result<()> {
        let from = lock(&self.log).len();
        let answered = || {
            lock(&self.log)[from..]
                .iter()
                .any(|entry| entry.back.is_some())
        };
        wait::until(limit, "an answer to the ping train", answered)
    }

    /// Waits until a datagram that is sent from now on was lost: ten later ones went without an answer.
    ///
    /// # Errors
    /// When that does not happen within `limit` (stretched in the VM).
    pub fn await_loss(&self, limit: Duration) -> Result<()> {
        let from = lock(&self.log).len();
        let silent = || {
            let log = lock(&self.log);
            let since = &log[from..];
            since.len() > 10
                && since
                    .iter()
                    .rev()
                    .take(10)
                    .all(|entry| entry.back.is_none())
        };
        wait::until(limit, "the ping train to lose datagrams", silent)
    }

    /// Stops sending, waits a moment for the last answers, and reports.
    pub fn finish(mut self) -> PingReport {
        self.stop.store(true, Ordering::Release);
        thread::sleep(GRACE * crate::rig::Rig::patience());
        self.end();
        let log = lock(&self.log);
        report(&log, self.every)
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.over.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

impl Drop for PingTrain {
    fn drop(&mut self) {
        self.end();
    }
}

impl Route {
    /// With another pause between datagrams.
    pub fn every(mut self, pause: Duration) -> Self {
        self.every = pause;
        self
    }

    /// With the client's socket bound to a device (SO_BINDTODEVICE).
    pub fn on_device(mut self, name: &str) -> Self {
        self.device = Some(name.to_owned());
        self
    }

    /// Starts the train; see [`PingTrain::start`].
    ///
    /// # Errors
    /// As [`PingTrain::start`].
    pub fn start(self) -> Result<PingTrain> {
        let train = self.launch()?;
        train.await_answer(Duration::from_secs(20))?;
        Ok(train)
    }

    fn launch(self) -> Result<PingTrain> {
        let any: IpAddr = match self.address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let bind = || -> Result<UdpSocket> {
            let socket = UdpSocket::bind((any, 0)).context("no UDP socket")?;
            socket.set_read_timeout(Some(TICK))?;
            Ok(socket)
        };
        let server = self.server.run(bind)?;
        let client = self.client.run(bind)?;
        if let Some(device) = &self.device {
            setsockopt(&client.as_fd(), sockopt::BindToDevice, &device.into())
                .with_context(|| format!("cannot bind to device {device}"))?;
        }
        let target = SocketAddr::new(self.address, server.local_addr()?.port());
        let stop = Arc::new(AtomicBool::new(false));
        let over = Arc::new(AtomicBool::new(false));
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut threads = Vec::new();
        let (end, socket) = (Arc::clone(&over), server);
        threads.push(thread::spawn(move || echo(&socket, &end)));
        let (end, socket, entries) = (Arc::clone(&over), client.try_clone()?, Arc::clone(&log));
        threads.push(thread::spawn(move || receive(&socket, &entries, &end)));
        let (halt, entries, every) = (Arc::clone(&stop), Arc::clone(&log), self.every);
        threads.push(thread::spawn(move || {
            send(&client, target, every, &entries, &halt);
        }));
        Ok(PingTrain {
            stop,
            over,
            log,
            threads,
            every,
        })
    }
}

impl PingReport {
    /// Datagrams that were never answered.
    pub fn lost(&self) -> usize {
        self.sent - self.answered
    }

    /// The longest time without answers: zero when nothing was lost.
    pub fn outage(&self) -> Duration {
        self.windows
            .iter()
            .map(|window| window.length)
            .max()
            .unwrap_or_default()
    }

    /// Asserts that every datagram was answered.
    ///
    /// # Errors
    /// When not; the message has the report.
    pub fn lossless(&self) -> Result<()> {
        ensure!(
            self.lost() == 0,
            "{} of {} datagrams lost: {:?}",
            self.lost(),
            self.sent,
            self.windows
        );
        Ok(())
    }
}

fn lock(log: &Mutex<Vec<Echoed>>) -> MutexGuard<'_, Vec<Echoed>> {
    log.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Returns every datagram to where it came from.
fn echo(socket: &UdpSocket, over: &AtomicBool) {
    let mut buffer = [0; 64];
    while !over.load(Ordering::Acquire) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            socket.send_to(&buffer[..length], from).ok();
        }
    }
}

/// Sends numbered datagrams; one that the kernel refuses is as lost as one that goes astray.
fn send(
    socket: &UdpSocket,
    to: SocketAddr,
    every: Duration,
    log: &Mutex<Vec<Echoed>>,
    stop: &AtomicBool,
) {
    let mut next = Instant::now();
    while !stop.load(Ordering::Acquire) {
        let number = {
            let mut log = lock(log);
            log.push(Echoed {
                sent: Instant::now(),
                back: None,
            });
            log.len() - 1
        };
        socket.send_to(&(number as u64).to_be_bytes(), to).ok();
        next = (next + every).max(Instant::now());
        thread::sleep(
            next.saturating_duration_since(Instant::now())
                .max(Duration::from_micros(50)),
        );
    }
}

/// Notes when echoes come back.
fn receive(socket: &UdpSocket, log: &Mutex<Vec<Echoed>>, over: &AtomicBool) {
    let mut number = [0; 8];
    while !over.load(Ordering::Acquire) {
        match socket.recv(&mut number) {
            Ok(8) => {
                let back = Instant::now();
                if let Some(entry) = lock(log).get_mut(u64::from_be_bytes(number) as usize) {
                    entry.back.get_or_insert(back);
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // A refused or unreachable peer is an outage like any other; not spinning is all that matters.
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Finds the windows: maximal runs of datagrams without an answer.
fn report(log: &[Echoed], every: Duration) -> PingReport {
    let mut windows = Vec::new();
    let begun = log.first().map(|entry| entry.sent);
    let mut index = 0;
    while index < log.len() {
        if log[index].back.is_some() {
            index += 1;
            continue;
        }
        let lost = log[index..]
            .iter()
            .take_while(|entry| entry.back.is_none())
            .count();
        let first = log[index].sent;
        let end = log[index + lost..]
            .iter()
            .filter_map(|entry| entry.back)
            .min();
        let end = end.unwrap_or(log[index + lost - 1].sent + every);
        let start = begun.map_or(Duration::ZERO, |begun| first - begun);
        windows.push(Window {
            start,
            length: end.saturating_duration_since(first),
            lost,
        });
        index += lost;
    }
    let answered = log.iter().filter(|entry| entry.back.is_some()).count();
    PingReport {
        sent: log.len(),
        answered,
        windows,
        every,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(answers: &str) -> Vec<Echoed> {
        let start = Instant::now();
        let at = |index: usize| start + Duration::from_millis(10) * index as u32;
        let entry = |(index, answer)| Echoed {
            sent: at(index),
            back: (answer == '!').then(|| at(index) + Duration::from_millis(1)),
        };
        answers.chars().enumerate().map(entry).collect()
    }

    #[test]
    fn windows_go_from_the_first_lost_to_the_first_back() {
        let report = report(&log("!!...!!.!."), Duration::from_millis(10));
        assert_eq!((report.sent, report.answered, report.lost()), (10, 5, 5));
        let windows: Vec<_> = report
            .windows
            .iter()
            .map(|w| (w.start.as_millis(), w.length.as_millis(), w.lost))
            .collect();
        assert_eq!(windows, [(20, 31, 3), (70, 11, 1), (90, 10, 1)]);
        assert_eq!(report.outage(), Duration::from_millis(31));
        assert!(report.lossless().is_err());
    }

    #[test]
    fn nothing_lost_is_no_window() {
        let report = report(&log("!!!!"), Duration::from_millis(10));
        assert!(report.windows.is_empty() && report.lossless().is_ok());
        assert_eq!(report.outage(), Duration::ZERO);
    }
}

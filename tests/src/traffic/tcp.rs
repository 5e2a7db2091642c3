//! A TCP session between two namespaces that is kept busy across an event.
//!
//! The client sends numbered records at a steady pace, the server echoes, the client checks what comes back:
//! so both directions are under proof, and the longest silence is measured at one clock.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::socket::{setsockopt, sockopt};

use super::records::{SIZE, Tally, record};
use crate::netns::Netns;
use crate::rig::Rig;
use crate::wait;

/// What the server does with a connection; another than the echo is for proving that faults are found.
pub type Echo = fn(TcpStream) -> io::Result<()>;

/// How long a session may be without an acknowledgement before the kernel gives it up.
const USER_TIMEOUT: Duration = Duration::from_secs(300);

/// The pause between two records; under emulation, where a packet costs a millisecond, longer by far.
const PACE: Duration = Duration::from_millis(1);

/// How often blocked readers look whether they are to stop.
const TICK: Duration = Duration::from_millis(100);

/// A running session; finish it to learn what it felt, or drop it to end it.
#[derive(Debug)]
pub struct TcpSession {
    stop: Arc<AtomicBool>,
    records: Arc<AtomicU64>,
    ends: [TcpStream; 2],
    writer: Option<JoinHandle<(u64, Option<String>)>>,
    reader: Option<JoinHandle<()>>,
    server: Option<JoinHandle<()>>,
    outcome: Receiver<(Tally, Duration, Option<String>)>,
    ended: Arc<Mutex<Option<String>>>,
}

/// What a session felt.
#[derive(Clone, Debug)]
pub struct TcpReport {
    /// Bytes that the client wrote.
    pub sent: u64,
    /// What came back; lost is counted against what was sent.
    pub tally: Tally,
    /// The longest time between two records that came back.
    pub longest_gap: Duration,
    /// Why the connection broke, if it did.
    pub broken: Option<String>,
}

impl TcpSession {
    /// Opens a session from `client` to `address`, which must be one of `server`'s, and returns when the first
    /// records have come back. A record of 512 bytes is sent every millisecond (36 in the VM).
    ///
    /// # Errors
    /// When the connection does not come about.
    pub fn start(client: &Netns, server: &Netns, address: IpAddr) -> Result<Self> {
        Self::with_server(client, server, address, echo)
    }

    /// As [`TcpSession::start`], with another server than the faithful echo.
    ///
    /// # Errors
    /// As [`TcpSession::start`].
    pub fn with_server(
        client: &Netns,
        server: &Netns,
        address: IpAddr,
        serve: Echo,
    ) -> Result<Self> {
        let listener = server.run(|| {
            TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))
                .or_else(|_| TcpListener::bind("0.0.0.0:0"))
                .context("no listener")
        })?;
        let target = SocketAddr::new(address, listener.local_addr()?.port());
        let limit = Duration::from_secs(20) * Rig::patience();
        let wire = client.run(|| {
            TcpStream::connect_timeout(&target, limit)
                .with_context(|| format!("cannot connect to {target}"))
        })?;
        let (accepted, _) = listener.accept().context("no connection to accept")?;
        for end in [&wire, &accepted] {
            end.set_nodelay(true)?;
            end.set_read_timeout(Some(TICK))?;
            end.set_write_timeout(Some(TICK))?;
            setsockopt(
                &end.as_fd(),
                sockopt::TcpUserTimeout,
                &(USER_TIMEOUT.as_millis() as u32),
            )?;
        }
        let session = Self::run(wire, accepted, serve)?;
        session.await_progress(Duration::from_secs(20))?;
        Ok(session)
    }

    fn run(wire: TcpStream, accepted: TcpStream, serve: Echo) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let records = Arc::new(AtomicU64::new(0));
        let ended = Arc::new(Mutex::new(None));
        let (report, outcome) = channel();
        let ends = [wire.try_clone()?, accepted.try_clone()?];
        let (server_end, last) = (Arc::clone(&ended), accepted.try_clone()?);
        let server = thread::spawn(move || {
            let served = serve(accepted);
            let error = served.err().map(|error| format!("server: {error}"));
            *server_end
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()) = error;
            // The copies kept for the drop hold the connection open: its end has to be said.
            last.shutdown(Shutdown::Write).ok();
        });
        let (source, writer_stop) = (wire.try_clone()?, Arc::clone(&stop));
        let writer = thread::spawn(move || write(source, &writer_stop));
        let (sink, count) = (wire.try_clone()?, Arc::clone(&records));
        let reader = thread::spawn(move || {
            report.send(read(sink, &count)).ok();
        });
        let (writer, reader, server) = (Some(writer), Some(reader), Some(server));
        Ok(TcpSession {
            stop,
            records,
            ends,
            writer,
            reader,
            server,
            outcome,
            ended,
        })
    }

    /// Records that have come back so far.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Acquire)
    }

    /// Waits until ten more records than now have come back: the session lives.
    ///
    /// # Errors
    /// When they do not within `limit`.
    pub fn await_progress(&self, limit: Duration) -> Result<()> {
        let goal = self.records() + 10;
        wait::until(limit, "the TCP session to go on", || self.records() >= goal)
    }

    /// Stops sending, waits until all that was sent has come back, and reports.
    ///
    /// # Errors
    /// When neither the end of the stream nor an error comes within a minute (stretched in the VM).
    pub fn finish(mut self) -> Result<TcpReport> {
        self.stop.store(true, Ordering::Release);
        let writer = self.writer.as_ref().context("the session is finished")?;
        wait::until(
            Duration::from_secs(60),
            "the sender to be rid of its last record",
            || writer.is_finished(),
        )?;
        let writer = self.writer.take().context("the session is finished")?;
        let (sent, unsent) = writer
            .join()
            .map_err(|_| anyhow::anyhow!("the writer panicked"))?;
        let limit = Duration::from_secs(60) * Rig::patience();
        let Ok((mut tally, longest_gap, unread)) = self.outcome.recv_timeout(limit) else {
            bail!(
                "{} of {sent} records came back, and no end of the stream in {} s",
                self.records(),
                limit.as_secs()
            );
        };
        tally.close(sent);
        let unserved = self
            .ended
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .take();
        Ok(TcpReport {
            sent: sent * SIZE as u64,
            tally,
            longest_gap,
            broken: unsent.or(unread).or(unserved),
        })
    }
}

impl Drop for TcpSession {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Both ends: across a broken path the one would never hear from the other.
        for end in &self.ends {
            end.shutdown(Shutdown::Both).ok();
        }
        if let Some(writer) = self.writer.take() {
            writer.join().ok();
        }
        for thread in [self.reader.take(), self.server.take()]
            .into_iter()
            .flatten()
        {
            thread.join().ok();
        }
    }
}

impl TcpReport {
    /// Asserts that the connection lived and every byte came back once, unchanged and in order.
    ///
    /// # Errors
    /// When not; the message has the whole report.
    pub fn intact(&self) -> Result<()> {
        let Tally {
            bytes,
            lost,
            duplicated,
            corrupted,
            ..
        } = self.tally;
        ensure!(
            self.broken.is_none()
                && bytes == self.sent
                && (lost, duplicated, corrupted) == (0, 0, 0),
            "TCP session not intact: sent {} came back {bytes} lost {lost} duplicated {duplicated} corrupted \
             {corrupted} bytes, broken: {:?}",
            self.sent,
            self.broken,
        );
        Ok(())
    }
}

/// Sends a record every millisecond until told to stop, then says that it is the end of the stream.
fn write(mut wire: TcpStream, stop: &AtomicBool) -> (u64, Option<String>) {
    let mut number = 0;
    let mut pace = Instant::now();
    let every = PACE * Rig::patience() * Rig::patience();
    while !stop.load(Ordering::Acquire) {
        let bytes = record(number);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match wire.write(rest) {
                Ok(written) => rest = &rest[written..],
                // During an outage the buffers fill up; a record begun is always completed.
                Err(error) if is_timeout(&error) => {}
                Err(error) => return (number, Some(format!("client, sending: {error}"))),
            }
        }
        number += 1;
        pace = (pace + every).max(Instant::now() - TICK);
        thread::sleep(pace.saturating_duration_since(Instant::now()));
    }
    (
        number,
        wire.shutdown(Shutdown::Write)
            .err()
            .map(|error| format!("client, closing: {error}")),
    )
}

/// Reads to the end of the stream, keeping the account and the longest silence.
fn read(mut wire: TcpStream, records: &AtomicU64) -> (Tally, Duration, Option<String>) {
    let mut tally = Tally::default();
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    let mut buffer = [0; 64 * 1024];
    loop {
        match wire.read(&mut buffer) {
            Ok(0) => return (tally, longest, None),
            Ok(length) => {
                if tally.feed(&buffer[..length]) > 0 {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                    records.store(tally.next(), Ordering::Release);
                }
            }
            Err(error) if is_timeout(&error) => {}
            Err(error) => return (tally, longest, Some(format!("client, receiving: {error}"))),
        }
    }
}

/// The faithful server.
fn echo(mut wire: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    loop {
        let length = match wire.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if is_timeout(&error) => continue,
            Err(error) => return Err(error),
        };
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            match wire.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether an error is only the end of a tick.
fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

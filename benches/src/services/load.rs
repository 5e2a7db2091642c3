//! Short connections: who opens them, and who answers.
//!
//! The server closes first, so that what waits for stray packets (TIME_WAIT) is at its side, where one port is enough
//! for all of them, and the client never runs out of ports.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::stats::percentile;

/// Bytes of a request and of its answer.
const SIZE: usize = 64;

/// How long a call may block: longer than a lost SYN takes to be sent again.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Connections each second.
    pub rate: f64,
    /// Microseconds of one from before its connect to after its close: the median.
    pub p50: f64,
    /// What one in a hundred takes longer than.
    pub p99: f64,
}

impl Outcome {
    /// As a line.
    pub fn json(&self) -> Value {
        json!({ "rate": self.rate, "p50": self.p50, "p99": self.p99 })
    }

    /// From such a line.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).context("no line of JSON")?;
        let number = |name: &str| value[name].as_f64().with_context(|| format!("no {name}"));
        Ok(Self {
            rate: number("rate")?,
            p50: number("p50")?,
            p99: number("p99")?,
        })
    }
}

/// Opens connections to `to` for `time`, `threads` at once.
///
/// # Errors
/// When one fails: a proxy that loses connections is not to be praised for the others.
pub fn run(to: SocketAddr, threads: usize, time: Duration) -> Result<Outcome> {
    let begin = Instant::now();
    let workers: Vec<JoinHandle<Result<Vec<f64>>>> = (0..threads)
        .map(|_| thread::spawn(move || one_after_another(to, begin + time)))
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        let times = worker.join().expect("a client does not panic");
        all.extend(times?);
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let of = |percent| percentile(&all, percent).context("not one connection");
    Ok(Outcome {
        rate: all.len() as f64 / elapsed,
        p50: of(50.0)?,
        p99: of(99.0)?,
    })
}

fn one_after_another(to: SocketAddr, end: Instant) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        once(to).with_context(|| format!("connection {} to {to}", times.len()))?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}

fn once(to: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[b'?'; SIZE])?;
    let mut answer = [0; SIZE + 1];
    let mut length = 0;
    // To the end: it is the server's to close.
    while let count @ 1.. = stream.read(&mut answer[length..])? {
        length += count;
    }
    ensure!(length == SIZE, "an answer of {length} bytes");
    Ok(())
}

/// Answers requests until it is dropped.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens at `at` in the namespace of this thread, with as many threads as connections come at once.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn start(at: SocketAddr, threads: usize) -> Result<Self> {
        let listener = TcpListener::bind(at).with_context(|| format!("cannot listen at {at}"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..threads)
            .map(|_| {
                let listener = listener.try_clone()?;
                let stop = stop.clone();
                Ok(thread::spawn(move || serve(&listener, &stop)))
            })
            .collect::<Result<_>>()?;
        // Such that one who waits for a connection looks from time to time whether it is over.
        let timeout = nix::sys::time::TimeVal::new(0, 100_000);
        nix::sys::socket::setsockopt(
            &listener,
            nix::sys::socket::sockopt::ReceiveTimeout,
            &timeout,
        )?;
        Ok(Self { stop, threads })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

fn serve(listener: &TcpListener, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            // Who went away in the middle says so by itself.
            Ok((stream, _)) => drop(answer(stream)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = [0; SIZE];
    stream.read_exact(&mut request)?;
    stream.write_all(&request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_is_answered_and_timed() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = free.local_addr().unwrap();
        drop(free);
        let _server = Server::start(at, 2).unwrap();
        let outcome = run(at, 2, Duration::from_millis(50)).unwrap();
        assert!(
            outcome.rate > 0.0 && outcome.p99 >= outcome.p50,
            "{outcome:?}"
        );
        assert_eq!(
            Outcome::parse(&outcome.json().to_string()).unwrap(),
            outcome
        );
    }

    #[test]
    fn nobody_there_is_an_error() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = free.local_addr().unwrap();
        drop(free);
        assert!(run(at, 1, Duration::from_millis(50)).is_err());
    }
}

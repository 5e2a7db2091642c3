//! Sockets that hold on to a backend which is gone: row 16 of kube-proxy's, and the field's first failure. The backends
//! of these tests go on answering after they are gone from their slice, so that a socket which stays with one is seen.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::netns::Netns;
use tests::wait;

use crate::rig::{LIMIT, Rig, service};

/// What a socket that was ended says.
const ENDED: &str = "error ConnectionAborted";
/// Enough questions for any test.
const FOR_EVER: &str = "1000000";

/// A client with one socket, asking until it is dropped.
struct Holder {
    what: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Holder {
    /// Asks `to` from a namespace; `source` is the port of the socket, 0 any.
    fn start(rig: &Rig, from: &Netns, how: &str, to: SocketAddr, source: u16) -> Result<Self> {
        let (address, port) = (to.ip().to_string(), to.port().to_string());
        let source = source.to_string();
        let talk = env!("CARGO_BIN_EXE_talk");
        let words = [talk, how, &address, &port, FOR_EVER, &source];
        let mut command = from.command("sh");
        command
            .args(rig.cgroup.inside(&words))
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start talk")?;
        let printed = BufReader::new(child.stdout.take().context("no standard output")?);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        thread::spawn(move || {
            for line in printed.lines().map_while(Result::ok) {
                kept.lock().expect("nobody panics with it").push(line);
            }
        });
        let what = format!("{how} to {to}");
        Ok(Self { what, child, lines })
    }

    /// What was said since `mark`.
    fn since(&self, mark: usize) -> Vec<String> {
        self.lines.lock().expect("nobody panics with it")[mark..].to_vec()
    }

    fn mark(&self) -> usize {
        self.lines.lock().expect("nobody panics with it").len()
    }

    /// Waits until the last line said since `mark` is as wanted; all of them.
    fn until(&self, mark: usize, beginning: &str) -> Result<Vec<String>> {
        wait::until_ok(LIMIT, &format!("{}: {beginning:?}", self.what), || {
            let lines = self.since(mark);
            let last = lines.last().map_or("nothing", String::as_str);
            ensure!(last.starts_with(beginning), "{last}");
            Ok(lines)
        })
    }

    /// Waits for some more answers, all of them without an error.
    fn goes_on(&self, beginning: &str) -> Result<()> {
        let mark = self.mark();
        let lines = wait::until_ok(LIMIT, &self.what, || {
            let lines = self.since(mark);
            ensure!(lines.len() >= 10, "{} lines", lines.len());
            Ok(lines)
        })?;
        let good = lines.iter().all(|line| line.starts_with(beginning));
        ensure!(good, "{}: not all {beginning:?}: {lines:?}", self.what);
        Ok(())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn at(address: &str) -> Result<SocketAddr> {
    Ok(SocketAddr::new(address.parse()?, 80))
}

/// Both slices of a Service.
fn put(rig: &Rig, name: &str, number: u8, backends: &[usize]) -> Result<()> {
    let slices = [true, false].map(|v4| rig.slice(name, v4, backends));
    let [v4, v6] = slices;
    let service = service(name, number, &json!({}));
    rig.write(&format!("{name}.yaml"), &[service, v4, v6])
}

/// In each family: the socket of a pod that is older than the daemon is ended when its backend is gone, not before,
/// and the next one finds another; what is not connected, or not through the Service, is left alone.
#[test]
fn a_udp_socket_is_ended_with_its_backend() -> Result<()> {
    let mut rig = Rig::without_daemon(2)?;
    let client = rig.node.add_pod("client")?;
    let from = &client.netns;
    put(&rig, "web", 1, &[0])?;
    let mut held = Vec::new();
    for address in ["10.96.0.1", "fd00:96::1", "::ffff:10.96.0.1"] {
        held.push(Holder::start(&rig, from, "udp-hold", at(address)?, 0)?);
    }
    let free = Holder::start(&rig, from, "udp-send-hold", at("10.96.0.1")?, 0)?;
    let b0 = rig.backend(0);
    let mut direct = Vec::new();
    for to in b0 {
        direct.push(Holder::start(&rig, from, "udp-hold", to, 0)?);
    }
    rig.start()?;
    for holder in held.iter().chain([&free]).chain(&direct) {
        holder.until(0, "b0")?;
    }
    // On its way out it still serves: whoever is with it may stay.
    let mut leaving = [true, false].map(|v4| rig.slice("web", v4, &[0, 1]));
    for slice in &mut leaving {
        slice["endpoints"][0]["conditions"] =
            json!({"ready": false, "serving": true, "terminating": true});
    }
    let [v4, v6] = leaving;
    rig.write("web.yaml", &[service("web", 1, &json!({})), v4, v6])?;
    free.until(0, "b1")?;
    for holder in &held {
        holder.goes_on("b0")?;
    }
    let marks: Vec<usize> = held.iter().map(Holder::mark).collect();
    let others: Vec<usize> = direct.iter().chain([&free]).map(Holder::mark).collect();
    put(&rig, "web", 1, &[1])?;
    for (holder, mark) in held.iter().zip(marks) {
        let lines = holder.until(mark, "b1")?;
        let ended: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("error"))
            .collect();
        ensure!(ended == [ENDED], "{}: {lines:?}", holder.what);
    }
    for (holder, mark) in direct.iter().chain([&free]).zip(others) {
        holder.goes_on(if holder.what.contains("send") {
            "b1"
        } else {
            "b0"
        })?;
        let lines = holder.since(mark);
        let good = !lines.iter().any(|line| line.starts_with("error"));
        ensure!(good, "{}: {lines:?}", holder.what);
    }
    let told = rig.node.berthd_log();
    ensure!(told.contains("default/web:80/UDP"), "{told}");
    drop((held, free, direct));
    rig.node.del_pod(client)?;
    rig.finish()
}

/// A client that must keep its source port comes back after a time without any backend, and its socket ends with its
/// Service.
#[test]
fn a_fixed_source_port_recovers_when_all_backends_were_gone() -> Result<()> {
    let rig = Rig::new(1)?;
    let client = rig.node.add_pod("client")?;
    put(&rig, "web", 1, &[0])?;
    let held = Holder::start(&rig, &client.netns, "udp-hold", at("10.96.0.1")?, 5353)?;
    held.until(0, "b0")?;
    for _ in 0..3 {
        let mark = held.mark();
        put(&rig, "web", 1, &[])?;
        let lines = held.until(mark, "error ConnectionRefused")?;
        ensure!(lines.iter().any(|line| line == ENDED), "{lines:?}");
        put(&rig, "web", 1, &[0])?;
        held.until(mark, "b0")?;
        held.goes_on("b0")?;
    }
    let mark = held.mark();
    std::fs::remove_file(rig.manifests.path().join("web.yaml"))?;
    wait::until(LIMIT, "the socket to end with its Service", || {
        held.since(mark).iter().any(|line| line == ENDED)
    })?;
    drop(held);
    rig.node.del_pod(client)?;
    rig.finish()
}

/// What went while no daemon ran is ended when one runs again: with a backend, and with a whole Service.
#[test]
fn sockets_are_ended_whose_backend_went_while_the_daemon_was_down() -> Result<()> {
    let mut rig = Rig::new(2)?;
    let client = rig.node.add_pod("client")?;
    put(&rig, "web", 1, &[0])?;
    put(&rig, "old", 2, &[0])?;
    put(&rig, "same", 3, &[0])?;
    let mut held = Vec::new();
    for address in ["10.96.0.1", "10.96.0.2", "10.96.0.3"] {
        let holder = Holder::start(&rig, &client.netns, "udp-hold", at(address)?, 0)?;
        holder.until(0, "b0")?;
        held.push(holder);
    }
    rig.node.kill_berthd()?;
    put(&rig, "web", 1, &[1])?;
    std::fs::remove_file(rig.manifests.path().join("old.yaml"))?;
    for holder in &held {
        holder.goes_on("b0")?;
    }
    let marks: Vec<usize> = held.iter().map(Holder::mark).collect();
    rig.start()?;
    let lines = held[0].until(marks[0], "b1")?;
    ensure!(lines.iter().any(|line| line == ENDED), "{lines:?}");
    wait::until(LIMIT, "the socket to end with its Service", || {
        held[1].since(marks[1]).iter().any(|line| line == ENDED)
    })?;
    held[2].goes_on("b0")?;
    let lines = held[2].since(marks[2]);
    ensure!(lines.iter().all(|line| line.starts_with("b0")), "{lines:?}");
    drop(held);
    rig.node.del_pod(client)?;
    rig.finish()
}

/// A TCP connection is its two ends' affair: it goes on after its backend has left the Service.
#[test]
fn a_tcp_connection_is_not_ended() -> Result<()> {
    let rig = Rig::new(1)?;
    let client = rig.node.add_pod("client")?;
    let pod = rig.node.add_pod("echo")?;
    let place = SocketAddr::new(pod.v4(), 8080);
    let listener = pod.netns.run(|| Ok(TcpListener::bind(place)?))?;
    thread::spawn(move || echo(&listener));
    let both = |endpoints: Value| {
        let mut slice = rig.slice("web", true, &[0]);
        slice["endpoints"] = endpoints;
        rig.write("web.yaml", &[service("web", 1, &json!({})), slice])
    };
    both(json!([{"addresses": [pod.v4()]}]))?;
    let held = Holder::start(&rig, &client.netns, "tcp-hold", at("10.96.0.1")?, 0)?;
    held.until(0, "?")?;
    let mark = held.mark();
    both(json!([]))?;
    rig.await_answers(&client.netns, ("tcp", "10.96.0.1", 80), |line| {
        line == "error ConnectionRefused"
    })?;
    held.goes_on("?")?;
    // Longer than the daemon takes to look twice.
    let settled = held.mark() + 100;
    wait::until(LIMIT, "more answers", || held.mark() >= settled)?;
    let lines = held.since(mark);
    ensure!(lines.iter().all(|line| line.starts_with('?')), "{lines:?}");
    drop(held);
    rig.node.del_pod(client)?;
    rig.node.del_pod(pod)?;
    rig.finish()
}

/// Gives back what it gets, to one client after the other.
fn echo(listener: &TcpListener) {
    for mut stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
        });
    }
}

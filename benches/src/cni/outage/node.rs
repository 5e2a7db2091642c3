//! The node of an outage: its switch, its daemon, its pods, and traffic from every pod.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tests::netns::Netns;
use tests::ovs::{Datapath, Ovs};
use tests::rig::{Rig, Strategy};
use tests::wait;

use super::Outages;
use super::devices::Devices;
use super::train::{Train, late};
use super::window::{Outage, Outcome, Probe, judge};
use crate::contender::{BRIDGE, Contender};
use crate::interrupt;
use crate::node_daemon::NodeDaemon;
use crate::programs::Programs;
use crate::wire;

/// Above the addresses that the pods get.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 1);
const WITNESS: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 2);

/// How long a pod may stay away before that is a failure and not a figure (stretched in the VM).
const LIMIT: Duration = Duration::from_secs(300);

/// How long nothing may be lost for the node to count as put right: interruptions come about a second apart.
const QUIET: Duration = Duration::from_secs(2);

/// The pause between a pod's probes: as fine as this machine can send for that many pods without being busy by it.
fn pause(pods: usize) -> Duration {
    let native = match pods {
        0..=4 => 2,
        5..=40 => 5,
        _ => 10,
    };
    let stretch = if Rig::current().is_vm() { 5 } else { 1 };
    Duration::from_millis(native * stretch)
}

/// A node with its pods, its daemon, and traffic from every pod.
#[derive(Debug)]
pub struct Node {
    // In the order in which they have to end.
    train: Train,
    pause: Duration,
    devices: Devices,
    daemon: NodeDaemon,
    /// The port of each pod.
    ports: Vec<String>,
    contender: Contender,
    _pods: Vec<Netns>,
    _server: Netns,
    _witness: Netns,
}

impl Node {
    /// Attach `count` pods and wait until each reaches the server.
    ///
    /// # Errors
    /// When anything that it is made of fails.
    pub fn start(
        programs: &Programs,
        datapath: Datapath,
        strategy: Strategy,
        count: usize,
    ) -> Result<Self> {
        let contender = Contender::on_ovs(programs, strategy, datapath)?;
        let server = plug(&contender, "server", SERVER)?;
        let witness = plug(&contender, "witness", WITNESS)?;
        let mut daemon = NodeDaemon::start(&contender)?;
        let pods: Vec<Netns> = (0..count)
            .map(|_| Netns::new("pod"))
            .collect::<Result<_>>()?;
        contender.inside(|| {
            for (number, pod) in pods.iter().enumerate() {
                interrupt::check()?;
                contender.add(&container(number), pod.path())?;
            }
            Ok(())
        })?;
        daemon.await_healthy()?;
        let ports = ports(contender.ovs().context("no switch")?, count)?;
        let devices = Devices::watch(contender.node())?;
        let senders: Vec<&Netns> = std::iter::once(&witness).chain(&pods).collect();
        let pause = pause(count);
        let train = Train::start(&senders, &server, SERVER, pause)?;
        let now = Instant::now();
        await_steady(&train, now, now, 20)?;
        Ok(Self {
            train,
            pause,
            devices,
            daemon,
            ports,
            contender,
            _pods: pods,
            _server: server,
            _witness: witness,
        })
    }

    /// The pause between a pod's probes.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// What berthd has logged.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Kill vswitchd, start it, wait until every pod is served again, and note what each has lost.
    ///
    /// # Errors
    /// When a pod does not come back.
    pub fn kill(&mut self, outages: &mut Outages) -> Result<()> {
        let ovs = self.contender.ovs_mut().context("no switch")?;
        let event = Instant::now();
        ovs.kill_vswitchd()?;
        ovs.spawn_vswitchd()?;
        wait::until(LIMIT, "vswitchd to answer", || {
            ovs.appctl(&["version"]).is_ok()
        })?;
        // Flows that the kernel kept may outlive the start for a moment: judge no earlier than some time after it.
        let answered = Instant::now();
        let quiet = (QUIET.as_secs_f64() / self.pause.as_secs_f64()) as usize;
        let probes = await_steady(&self.train, event, answered, quiet)?;
        self.daemon.await_healthy()?;

        let mut outcomes = probes.iter().map(|probes| judge(probes, late()));
        let witness = outage(
            outcomes.next().context("the witness sent nothing")?,
            "the witness",
        )?;
        outages
            .witness
            .push(witness.map_or(0.0, |outage| millis(outage.length())));
        // A witness that lost nothing was served from the event on.
        let served = witness.map_or(event, |outage| outage.back);
        let there = self.devices.there_again(event);
        for (outcome, port) in outcomes.zip(&self.ports) {
            let pod = outage(outcome, port)?;
            outages
                .pods
                .push(pod.map_or(0.0, |outage| millis(outage.length())));
            outages
                .unserved
                .push(pod.map_or(0.0, |outage| millis(outage.unserved)));
            let Some(pod) = pod else { continue };
            outages.whole.push(millis(pod.whole - event));
            outages.beyond.push(millis_between(served, pod.back));
            if let Some(there) = there.get(port) {
                outages.after_device.push(millis_between(*there, pod.back));
            }
        }
        Ok(())
    }
}

/// Wait until every pod has had `count` probes after another answered since `calm`; all it sent since `event`.
fn await_steady(
    train: &Train,
    event: Instant,
    calm: Instant,
    count: usize,
) -> Result<Vec<Vec<Probe>>> {
    let mut silent = Vec::new();
    let steady = wait::until_some(LIMIT, "every pod to be served", || {
        if interrupt::check().is_err() {
            return Some(Vec::new());
        }
        train
            .steady(event, calm, count)
            .map_err(|pods| silent = pods)
            .ok()
    });
    interrupt::check()?;
    steady.with_context(|| format!("silent, 0 being the witness: {silent:?}"))
}

fn outage(outcome: Outcome, who: &str) -> Result<Option<Outage>> {
    match outcome {
        Outcome::Unharmed => Ok(None),
        Outcome::Recovered(outage) => Ok(Some(outage)),
        Outcome::Lost => bail!("{who} lost its last probe"),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Negative when `to` is before `from`.
fn millis_between(from: Instant, to: Instant) -> f64 {
    millis(to.saturating_duration_since(from)) - millis(from.saturating_duration_since(to))
}

fn container(number: usize) -> String {
    format!("outage-{number}")
}

/// A namespace on the bridge by a veth, without any plugin.
fn plug(contender: &Contender, name: &str, address: Ipv4Addr) -> Result<Netns> {
    let netns = Netns::new(name)?;
    wire::veth(contender.node(), name, &netns)?;
    wire::address(&netns, "eth0", address)?;
    let ovs = contender.ovs().context("no switch")?;
    if ovs.datapath() == Datapath::Userspace {
        // vswitchd would forward a checksum that was left to the device as it is: unfilled.
        netlink::Netns::open(netns.path())?.set_checksum_offload("eth0", false)?;
    }
    ovs.vsctl(&["add-port", BRIDGE, name])?;
    Ok(netns)
}

/// The port of each pod, by what berth wrote beside it.
fn ports(ovs: &Ovs, count: usize) -> Result<Vec<String>> {
    let text = ovs.vsctl(&[
        "--format=json",
        "--columns=name,external_ids",
        "list",
        "Port",
    ])?;
    let listed: Value = serde_json::from_str(&text).context("ovs-vsctl printed no JSON")?;
    let mut by_container = BTreeMap::new();
    for row in listed["data"].as_array().into_iter().flatten() {
        let Some(name) = row[0].as_str() else {
            continue;
        };
        let pairs = row[1][1].as_array().into_iter().flatten();
        let container = pairs
            .filter(|pair| pair[0] == "berth-container")
            .find_map(|pair| pair[1].as_str());
        if let Some(container) = container {
            by_container.insert(container.to_owned(), name.to_owned());
        }
    }
    (0..count)
        .map(|number| {
            let container = container(number);
            by_container
                .remove(&container)
                .with_context(|| format!("no port of {container} in {text}"))
        })
        .collect()
}

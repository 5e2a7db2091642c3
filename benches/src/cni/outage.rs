//! How long pods are without their network when vswitchd is killed and started again.
//!
//! Every pod sends a probe each few milliseconds to a server on the same bridge. Two
//! pods of the bench's own, plugged in by hand with a veth that needs no help, are
//! that server and the witness: what the witness loses is vswitchd's own outage.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tests::netns::Netns;
use tests::ovs::{Datapath, Ovs};
use tests::rig::{Rig, Strategy};
use tests::wait;

use crate::contender::{BRIDGE, Contender};
use crate::interrupt;
use crate::node_daemon::NodeDaemon;
use crate::programs::Programs;
use crate::report::{Cell, Table};
use crate::stats::{median, worst};
use crate::wire;

mod devices;
mod train;
mod window;

use devices::Devices;
use train::{Train, late};
use window::{Outage, Outcome, Probe, judge};

/// Pods that a node is measured with.
pub const PODS: [usize; 3] = [1, 20, 100];

/// Above the addresses that the pods get.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 1);
const WITNESS: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 2);

/// How long a pod may stay away before that is a failure and not a figure (stretched in the VM).
const LIMIT: Duration = Duration::from_secs(300);

/// How long nothing may be lost for the node to count as put right: interruptions come about a second apart.
const QUIET: Duration = Duration::from_secs(2);

/// What is seen in all kills of one node, in milliseconds.
#[derive(Debug, Default)]
struct Outages {
    /// First probe lost to first back, of each pod.
    pods: Vec<f64>,
    /// The same of the witness.
    witness: Vec<f64>,
    /// From the witness's return to that of each pod; nothing for pods that lost nothing.
    beyond: Vec<f64>,
    /// From a port's device being there to the return of its pod.
    after_device: Vec<f64>,
    /// Without service in all, of each pod.
    unserved: Vec<f64>,
    /// From the kill until a pod's last interruption was over.
    whole: Vec<f64>,
}

/// The table, filled by [`measure`] a row at a time.
pub fn table(kills: usize) -> Table {
    Table::new(
        "Outage when vswitchd is killed (SIGKILL) and started again at once",
        &[
            "strategy",
            "datapath",
            "pods",
            "probe every",
            "outage p50",
            "outage worst",
            "vswitchd's own",
            "beyond p50",
            "beyond worst",
            "after device p50",
            "after device worst",
            "unserved p50",
            "unserved worst",
            "whole worst",
        ],
    )
    .note(format!("{kills} kills a row; outage: first probe lost (or later than 100 ms) to first echo back"))
    .note("vswitchd's own: the outage of a veth plugged in by hand, which needs no repair")
    .note("beyond: return of a pod after the return of that veth; negative: before it")
    .note("after device: from the port's device being there again in the node to the return of its pod")
    .note("unserved: all time without service, later interruptions included; whole: from the kill to the last's end")
    .note("goal: kernel bond and macvlan nothing beyond vswitchd's own; userspace at most 200 ms after the device")
}

/// Attach `pods` pods by one strategy with berthd running, kill vswitchd `kills` times, and add the row.
///
/// # Errors
/// When anything that is measured fails, or a pod does not come back.
pub fn measure(
    programs: &Programs,
    datapath: Datapath,
    strategy: Strategy,
    pods: usize,
    kills: usize,
    table: &mut Table,
) -> Result<()> {
    let mut node = Node::start(programs, datapath, strategy, pods)
        .with_context(|| format!("{pods} pods by {strategy} on the {datapath} datapath"))?;
    let mut outages = Outages::default();
    for kill in 0..kills {
        interrupt::check()?;
        node.kill(&mut outages).with_context(|| {
            let log = node.daemon.log();
            format!("kill {kill} with {pods} pods by {strategy} ({datapath}), log of berthd: {log}")
        })?;
    }
    table.row(vec![
        Cell::Text(strategy.to_string()),
        Cell::Text(datapath.to_string()),
        Cell::Count(pods as u64),
        Cell::Millis(node.pause.as_secs_f64() * 1e3),
        Cell::of(Cell::Millis, median(&outages.pods)),
        Cell::of(Cell::Millis, worst(&outages.pods)),
        Cell::of(Cell::Millis, median(&outages.witness)),
        Cell::of(Cell::Millis, median(&outages.beyond)),
        Cell::of(Cell::Millis, worst(&outages.beyond)),
        Cell::of(Cell::Millis, median(&outages.after_device)),
        Cell::of(Cell::Millis, worst(&outages.after_device)),
        Cell::of(Cell::Millis, median(&outages.unserved)),
        Cell::of(Cell::Millis, worst(&outages.unserved)),
        Cell::of(Cell::Millis, worst(&outages.whole)),
    ]);
    Ok(())
}

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
struct Node {
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
    fn start(
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

    /// Kill vswitchd, start it, wait until every pod is served again, and note what each has lost.
    fn kill(&mut self, outages: &mut Outages) -> Result<()> {
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

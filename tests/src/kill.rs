//! The plugin dies at every one of its system calls: afterwards DEL and GC leave nothing, and the next ADD works.
//!
//! strace delivers SIGKILL at the N-th system call, for N over the whole life of the process. Threads and children
//! count for themselves, so a helper of the plugin dies at its own N-th call too.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::cni::Cni;
use crate::netns::Netns;
use crate::node::Node;
use crate::ovs::Datapath;
use crate::rig::{Rig, Strategy};
use crate::runner::Scenarios;

/// Each verb and port is tried in so many trials at once, which share the numbers among them.
const SHARDS: usize = 4;

/// Natively every system call, in the VM every so many: the plugin is the same, the datapath is not.
const STRIDE: [usize; 2] = [1, 40];

/// A verb under the knife.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Add,
    Del,
}

/// The suite: routed ports, and those of the rig's switch whose making takes most steps.
pub fn all() -> Scenarios {
    let rig = Rig::current();
    let switched: &[(Datapath, Strategy)] = match rig {
        Rig::Native => &[(Datapath::Userspace, Strategy::Rename)],
        _ => &[
            (Datapath::Kernel, Strategy::Bond),
            (Datapath::Kernel, Strategy::Macvlan),
        ],
    };
    let mut ports: Vec<Option<(Datapath, Strategy)>> = switched.iter().copied().map(Some).collect();
    if rig == Rig::Native {
        ports.push(None);
    }
    let mut suite = Scenarios::new();
    for port in ports {
        for verb in [Verb::Add, Verb::Del] {
            for shard in 0..SHARDS {
                let what = port.map_or("routed", |(_, strategy)| strategy.name());
                let name = format!("kill_{verb:?}::{what}::{shard}").to_lowercase();
                suite = suite.once(&name, move || sweep(port, verb, shard));
            }
        }
    }
    suite
}

fn sweep(port: Option<(Datapath, Strategy)>, verb: Verb, shard: usize) -> Result<()> {
    let mut node = match port {
        Some((datapath, strategy)) => Node::switched(datapath, strategy)?,
        None => Node::routed()?,
    };
    node.config_mut()["ipMasq"] = json!(true);
    // The table of masquerading stays once it is there; so it is part of what there was before.
    let pod = node.add_pod("first")?;
    node.del_pod(pod)?;
    node.renew_guard()?;
    let stride = STRIDE[usize::from(Rig::current().is_vm())];
    let mut deaths = 0;
    for number in (1 + shard * stride..).step_by(SHARDS * stride) {
        let died = attempt(&node, verb, number)
            .with_context(|| format!("{verb:?} killed at call {number}"))?;
        if !died {
            break;
        }
        deaths += 1;
    }
    ensure!(
        deaths > 2,
        "only {deaths} deaths: the injection does not work"
    );
    Ok(())
}

/// One life of the plugin that ends at its `number`-th call; false if all was done before.
fn attempt(node: &Node, verb: Verb, number: usize) -> Result<bool> {
    let netns = Netns::new("kill")?;
    let cni = node.cni("kill", netns.path())?;
    let inject = format!("inject=all:signal=SIGKILL:when={number}");
    let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
    let fatal = cni.clone().wrapped(&words);
    let answer = match verb {
        Verb::Add => fatal.call("ADD")?,
        Verb::Del => {
            cni.add().context("ADD before the fatal DEL")?;
            fatal.call("DEL")?
        }
    };
    // A program that the plugin runs is killed at its own N-th call too: then the plugin lives to say so.
    let died = answer.status != Some(0);
    if answer.status == Some(1) {
        answer
            .failure()
            .context("a death of a program it runs must be an error object")?;
    }
    cni.del().context("DEL after the death")?;
    collect_garbage(node, &cni).context("GC after the death")?;
    netns
        .sh("! ip link show eth0 2>/dev/null")
        .context("eth0 is left in the pod")?;
    node.assert_clean()?;
    cni.add().context("the next ADD")?;
    cni.del().context("its DEL")?;
    node.assert_clean()?;
    Ok(died)
}

/// GC with nothing valid: everything of the network is stale.
fn collect_garbage(node: &Node, cni: &Cni) -> Result<()> {
    let mut config = node.config().clone();
    config["cni.dev/valid-attachments"] = json!([]);
    cni.clone().config(&config).gc().map(drop)
}

//! Whether a pod is as ADD made it: its interface in every respect, and packets in both families.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Node, Pod};
use crate::traffic::PingTrain;
use crate::wait;

/// How long a repair may take before the test gives up.
const LIMIT: Duration = Duration::from_secs(60);

impl Pod {
    /// The interface as `ip` shows it: MAC, MTU, flags, addresses, routes, permanent neighbours.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn look(&self) -> Result<Value> {
        let device = &self.ifname;
        let [links, routes, neighbours] = self.netns.ip_batch([
            &format!("address show dev {device}"),
            &format!("route show table all type unicast dev {device}"),
            &format!("neighbour show dev {device} nud permanent"),
        ])?;
        let link = links.get(0).with_context(|| format!("no {device}"))?;
        let addresses: BTreeSet<String> = list(&link["addr_info"])
            .map(|a| format!("{}/{} {}", a["local"], a["prefixlen"], a["scope"]))
            .collect();
        let routes: BTreeSet<String> = list(&routes)
            .map(|r| {
                format!(
                    "{} via {} {} {}",
                    r["dst"], r["gateway"], r["metrics"], r["flags"]
                )
            })
            .collect();
        let neighbours: BTreeSet<String> = list(&neighbours)
            .map(|n| format!("{} {}", n["dst"], n["lladdr"]))
            .collect();
        let flags: BTreeSet<&str> = list(&link["flags"]).filter_map(Value::as_str).collect();
        Ok(json!({
            "mac": link["address"],
            "mtu": link["mtu"],
            "up": flags.contains("UP"),
            "carrier": flags.contains("LOWER_UP"),
            "addresses": addresses,
            "routes": routes,
            "neighbours": neighbours,
        }))
    }
}

impl Pod {
    /// Whether the interface is as ADD made it, at this moment.
    pub fn is_whole(&self) -> bool {
        self.look().is_ok_and(|now| now == self.portrait)
    }
}

impl Node {
    /// Waits until `pod` is as ADD made it: MAC, MTU, addresses, routes, neighbours, up, with carrier.
    ///
    /// # Errors
    /// When it does not become so; the message has both states.
    pub fn await_whole(&self, pod: &Pod) -> Result<()> {
        wait::until_ok(LIMIT, &format!("{} to be whole", pod.hint), || {
            let now = pod.look()?;
            ensure!(now == pod.portrait, "was {:#}, is {now:#}", pod.portrait);
            Ok(())
        })
    }

    /// Waits until both pods are whole and answer each other in both families, then asks CHECK.
    ///
    /// # Errors
    /// When one is not, or CHECK finds fault.
    pub fn assert_whole(&self, pod: &Pod, peer: &Pod) -> Result<()> {
        self.await_whole(pod)?;
        self.await_whole(peer)?;
        for address in [peer.v4(), peer.v6()] {
            PingTrain::start(&pod.netns, &peer.netns, address)
                .with_context(|| format!("{} to {} at {address}", pod.hint, peer.hint))?
                .await_answer(LIMIT)?;
        }
        for pod in [pod, peer] {
            if self.loses_ports() {
                // Just now it may be the other's turn.
                wait::until_ok(LIMIT, "CHECK to find no fault", || self.check(pod))?;
            } else {
                self.check(pod)?;
            }
        }
        Ok(())
    }

    /// CHECK of a pod, with the result of its ADD.
    ///
    /// # Errors
    /// When CHECK answers an error.
    pub fn check(&self, pod: &Pod) -> Result<()> {
        let mut config = self.config().clone();
        config["prevResult"] = pod.result.clone();
        let answer = pod.cni.clone().config(&config).check();
        answer
            .map(drop)
            .with_context(|| format!("CHECK of {}", pod.hint))
    }
}

/// The items of a JSON array; none of anything else.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

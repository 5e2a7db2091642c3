//! A pod of a node under test: a namespace, the request that attached it, and the result that ADD gave.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnetwork::IpNetwork;
use serde_json::{Value, json};

use super::Node;
use crate::cni::Cni;
use crate::netns::Netns;
use crate::wait;

/// How long an interface may take to have everything that ADD answered.
const LIMIT: Duration = Duration::from_secs(60);

/// An attached pod. Dropped, its namespace goes without a DEL.
pub struct Pod {
    /// Its name in messages.
    pub hint: String,
    /// Container id.
    pub container: String,
    /// Its namespace.
    pub netns: Netns,
    /// The request that attached it; DEL and CHECK are made from it.
    pub cni: Cni,
    /// What ADD answered.
    pub result: Value,
    /// Name of its interface.
    pub ifname: String,
    /// MAC of its interface, as ADD answered.
    pub mac: String,
    /// IPv4 and IPv6 addresses, as ADD answered.
    pub addresses: Vec<IpNetwork>,
    /// What `ip` showed of the interface when ADD had answered, see [`Node::assert_whole`].
    pub(super) portrait: Value,
}

impl Pod {
    pub(super) fn new(
        hint: &str,
        container: String,
        netns: Netns,
        cni: Cni,
        result: Value,
    ) -> Result<Self> {
        let ifname = String::from("eth0");
        let interfaces = result["interfaces"].as_array().context("no interfaces")?;
        let sandbox = netns.path().display().to_string();
        let index = interfaces
            .iter()
            .position(|i| i["name"] == json!(ifname) && i["sandbox"] == json!(sandbox))
            .with_context(|| format!("the result names no {ifname} in {sandbox}: {result}"))?;
        let mac = interfaces[index]["mac"]
            .as_str()
            .context("no mac")?
            .to_owned();
        let mut addresses = Vec::new();
        for ip in result["ips"].as_array().context("no ips")? {
            ensure!(
                ip["interface"] == json!(index),
                "ips of another interface: {result}"
            );
            addresses.push(ip["address"].as_str().context("no address")?.parse()?);
        }
        let mut pod = Pod {
            hint: hint.to_owned(),
            container,
            netns,
            cni,
            result,
            ifname,
            mac,
            addresses,
            portrait: Value::Null,
        };
        pod.portrait = pod.sit()?;
        Ok(pod)
    }

    /// The portrait: the interface once it has everything that ADD answered. On a kernel datapath the ADD of
    /// another pod may just then have lost a renamed port, which the daemon brings back.
    fn sit(&self) -> Result<Value> {
        wait::until_ok(LIMIT, "the interface that ADD answered", || {
            let now = self.look()?;
            let there = now["addresses"].to_string();
            ensure!(now["up"] == json!(true), "it is down: {now}");
            for address in &self.addresses {
                ensure!(
                    there.contains(&address.ip().to_string()),
                    "no {address}: {now}"
                );
            }
            Ok(now)
        })
    }

    /// The first IPv4 address.
    ///
    /// # Panics
    /// When the pod has none.
    pub fn v4(&self) -> IpAddr {
        self.address(IpAddr::is_ipv4)
    }

    /// The first IPv6 address.
    ///
    /// # Panics
    /// When the pod has none.
    pub fn v6(&self) -> IpAddr {
        self.address(IpAddr::is_ipv6)
    }

    fn address(&self, family: impl Fn(&IpAddr) -> bool) -> IpAddr {
        let mut addresses = self.addresses.iter().map(IpNetwork::ip);
        addresses.find(|ip| family(ip)).expect("a dual-stack pod")
    }

    /// The record that berth keeps of the attachment.
    ///
    /// # Errors
    /// When it is not there or is no JSON.
    pub fn record(&self, node: &Node) -> Result<Value> {
        let name = format!("{}.{}.json", self.container, self.ifname);
        let path = node.state_dir().join("attachments").join(name);
        let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// The name of its port in the switch and in the root namespace, from the record.
    ///
    /// # Errors
    /// As [`Pod::record`].
    pub fn port(&self, node: &Node) -> Result<String> {
        let record = self.record(node)?;
        let name = record["port_name"].as_str().context("no port_name")?;
        Ok(name.to_owned())
    }
}

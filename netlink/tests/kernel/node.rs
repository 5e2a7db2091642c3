//! A fresh namespace with a connection inside, and two of them joined by a veth pair.

use anyhow::{Context, Result, ensure};
use netlink::{Link, MacAddr, Netlink, Netns, VethPeer, VethSpec};
use serde_json::Value;

/// A namespace of the test's own.
pub struct Node {
    /// What removes it in the end and asks `ip` about it.
    pub fixture: tests::netns::Netns,
    /// The crate's handle of it.
    pub netns: Netns,
    /// The crate's connection inside.
    pub netlink: Netlink,
}

impl Node {
    pub fn new(hint: &str) -> Result<Self> {
        let fixture = tests::netns::Netns::new(hint)?;
        let netns = Netns::open(fixture.path())?;
        let netlink = netns.connect()?;
        Ok(Self {
            fixture,
            netns,
            netlink,
        })
    }

    /// What `ip -json -details` answers, which must be one object.
    pub fn ip(&self, arguments: &str) -> Result<Value> {
        let mut answer = self.fixture.ip_json(arguments)?;
        let objects = answer.as_array_mut().context("no list")?;
        // iproute2 leaves empty objects where it filtered something out.
        objects.retain(|object| object.as_object().is_some_and(|fields| !fields.is_empty()));
        ensure!(objects.len() == 1, "ip {arguments}: {objects:?}");
        Ok(objects.remove(0))
    }

    /// The device of this name, which must exist.
    pub async fn link(&self, name: &str) -> Result<Link> {
        let link = self.netlink.link_by_name(name).await?;
        link.with_context(|| format!("no device {name} in {}", self.fixture.name()))
    }

    /// A veth pair from `name` here, up, to `peer` in the other namespace, up too.
    pub async fn join(&self, name: &str, other: &Node, peer: &str) -> Result<(Link, Link)> {
        let spec = VethSpec {
            up: true,
            ..bare(name, &other.netns, peer)
        };
        let pair = self.netlink.create_veth(&spec).await?;
        other.netlink.set_up(pair.peer_index).await?;
        Ok((self.link(name).await?, other.link(peer).await?))
    }
}

/// A pair of which only the names are chosen.
pub fn bare<'a>(name: &'a str, other: &'a Netns, peer: &'a str) -> VethSpec<'a> {
    VethSpec {
        name,
        mac: None,
        mtu: None,
        alias: None,
        up: false,
        peer: VethPeer {
            netns: other,
            name: peer,
            mac: None,
            mtu: None,
        },
    }
}

/// A locally administered MAC that ends in `last`.
pub fn mac(last: u8) -> MacAddr {
    MacAddr([0x02, 0xbe, 0x27, 0, 0, last])
}

//! One namespace with one switch in it, and the connection that a test drives it by.
use std::time::Duration;

use anyhow::{Context, Result};
use ovs::{ExternalIds, InterfaceType, PortSpec, Switch};
use tests::netns::Netns;
use tests::ovs::{Datapath, Ovs};
use tokio::time::timeout;

/// For what must come about; a limit, no measure.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The bridge of every rig.
pub const BRIDGE: &str = "br0";

pub struct Rig {
    pub ovs: Ovs,
    pub root: Netns,
    pub switch: Switch,
}

impl Rig {
    /// A switch with one bridge.
    pub async fn new(hint: &str) -> Result<Self> {
        let root = Netns::new(hint)?;
        let ovs = Ovs::start(&root, Datapath::Userspace)?;
        ovs.add_bridge(BRIDGE)?;
        let switch = Switch::connect(ovs.socket()).await?;
        Ok(Rig { ovs, root, switch })
    }

    /// True if the root namespace of this switch has a device of that name.
    pub fn has_device(&self, name: &str) -> bool {
        self.root.output("ip", ["link", "show", name]).is_ok()
    }

    /// A column of the first row that `ovs-vsctl` finds, as it prints it.
    pub fn get(&self, table: &str, row: &str, column: &str) -> Result<String> {
        self.ovs.vsctl(&["--no-wait", "get", table, row, column])
    }

    /// How many rows of the table have that name.
    pub fn rows(&self, table: &str, name: &str) -> Result<usize> {
        let named = format!("name={name}");
        let found = self.ovs.vsctl(&[
            "--no-wait",
            "--bare",
            "--columns=name",
            "find",
            table,
            &named,
        ])?;
        Ok(found.lines().filter(|line| !line.is_empty()).count())
    }
}

/// Polls until `condition` holds.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let poll = async {
        while !condition().await? {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    };
    timeout(LIMIT, poll)
        .await
        .with_context(|| format!("waited in vain for {what}"))?
}

/// An internal port with an owner.
pub fn port(name: &str) -> PortSpec {
    PortSpec {
        external_ids: owner("pod-1"),
        limit: LIMIT,
        ..PortSpec::new(BRIDGE, name, InterfaceType::Internal)
    }
}

pub fn owner(container: &str) -> ExternalIds {
    ExternalIds::from([
        ("owner".to_owned(), "berth".to_owned()),
        ("berth-container".to_owned(), container.to_owned()),
    ])
}

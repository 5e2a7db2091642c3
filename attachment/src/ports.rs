//! The switch's side of an attachment: its row, made and completed from the record.

use std::path::Path;
use std::time::Duration;

use ovs::openflow::{OpenFlow, PortConfig};
use ovs::port::Change;
use ovs::{
    ExternalIds, InterfaceChange, InterfaceType, Mac, PortChange, PortRow, PortSpec, Switch,
};

use crate::error::{Error, Result};
use crate::names;
use crate::record::{Attachment, Datapath, Key, SwitchPort};
use crate::strategy::Strategy;

/// How long vswitchd may take over a change before it counts as away.
const LIMIT: Duration = Duration::from_secs(10);

/// How long DEL waits for vswitchd to let go of a device. A dead vswitchd holds none.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// A connection to the switch.
#[derive(Debug)]
pub(crate) struct Ports {
    switch: Switch,
}

impl Ports {
    pub async fn connect(socket: &Path) -> Result<Self> {
        Ok(Self {
            switch: Switch::connect(socket).await?,
        })
    }

    /// Checks that the bridge is there with the record's datapath.
    pub async fn check_bridge(&self, port: &SwitchPort) -> Result<()> {
        let bridge = self.switch.bridge(&port.bridge).await?;
        let Some(bridge) = bridge else {
            return Err(Error::NoBridge {
                bridge: port.bridge.clone(),
                socket: port.socket.clone(),
            });
        };
        let expected = port.datapath.into();
        if bridge.datapath != expected {
            return Err(Error::OtherDatapath {
                bridge: port.bridge.clone(),
                found: bridge.datapath,
                expected,
            });
        }
        Ok(())
    }

    /// The row of that name if it is ours, an error if it is somebody else's.
    pub async fn ours(&self, key: &Key) -> Result<Option<PortRow>> {
        let name = key.port_name();
        let Some(row) = self.switch.port(&name).await? else {
            return Ok(None);
        };
        if names::owns(row.external_ids(), &key.container_id, &key.ifname)
            || names::owns(&row.interface.external_ids, &key.container_id, &key.ifname)
        {
            return Ok(Some(row));
        }
        Err(Error::PortTaken {
            name,
            bridge: row.bridge,
        })
    }

    /// Adds the record's port and waits until vswitchd has made it.
    pub async fn add(&self, record: &Attachment) -> Result<PortRow> {
        let port = record.port.switch().ok_or_else(|| Error::NotApplicable {
            action: "add-port",
            key: record.key(),
        })?;
        Ok(self.switch.add_port(&spec(record, port)).await?)
    }

    /// Asks for `ofport` whenever the port is re-created. Does not wait.
    pub async fn pin_ofport(&self, name: &str, ofport: u16) -> Result<()> {
        let change = InterfaceChange {
            ofport_request: Change::To(ofport),
            ..InterfaceChange::default()
        };
        Ok(self.switch.set_interface(name, &change).await?)
    }

    /// Sets what ADD sets and what is empty now; what holds a value is left alone.
    pub async fn complete(&self, record: &Attachment) -> Result<()> {
        let (Some(port), Some(row)) = (
            record.port.switch(),
            self.switch.port(&record.port_name).await?,
        ) else {
            return Ok(());
        };
        fn if_empty<T, U>(there: &Option<U>, wanted: Option<T>) -> Change<T> {
            match (there, wanted) {
                (None, Some(wanted)) => Change::To(wanted),
                _ => Change::Keep,
            }
        }
        let trunks = (!port.trunks.is_empty()).then(|| port.trunks.clone());
        let internal = record.strategy().is_internal();
        let port_change = PortChange {
            tag: if_empty(&row.port.tag, port.vlan),
            trunks: if row.port.trunks.is_empty() {
                if_empty(&None::<()>, trunks)
            } else {
                Change::Keep
            },
            external_ids: absent(&port.external_ids, &row.port.external_ids),
            ..PortChange::default()
        };
        let let_go = internal && is_system(&row.interface.kind);
        let interface_change = InterfaceChange {
            kind: if let_go {
                Change::To(InterfaceType::Internal)
            } else {
                Change::Keep
            },
            mac: if_empty(&row.interface.mac, internal.then(|| mac(record))),
            mtu_request: if_empty(
                &row.interface.mtu_request,
                (internal && record.mtu != 0).then_some(record.mtu),
            ),
            ofport_request: if_empty(
                &row.interface.ofport_request,
                port.ofport_request.or(port.ofport),
            ),
            external_ids: absent(&port.external_ids, &row.interface.external_ids),
        };
        if port_change != PortChange::default() {
            self.switch
                .set_port(&record.port_name, &port_change)
                .await?;
        }
        if interface_change != InterfaceChange::default() {
            self.switch
                .set_interface(&record.port_name, &interface_change)
                .await?;
        }
        Ok(())
    }

    /// Has vswitchd let go of an internal port without removing its row, to which mirrors,
    /// queues and the operator's columns belong: the row is one of a system device, and
    /// there is none. [`Ports::take_up`] is the way back, and so is [`Ports::complete`].
    pub async fn let_go(&self, record: &Attachment) -> Result<()> {
        self.set_kind(record, InterfaceType::System).await
    }

    /// Has vswitchd take up the device of an internal port, or make it.
    pub async fn take_up(&self, record: &Attachment) -> Result<()> {
        self.set_kind(record, InterfaceType::Internal).await
    }

    async fn set_kind(&self, record: &Attachment, kind: InterfaceType) -> Result<()> {
        let change = InterfaceChange {
            kind: Change::To(kind),
            ..InterfaceChange::default()
        };
        self.switch
            .set_interface(&record.port_name, &change)
            .await?;
        self.settled().await
    }

    /// Removes the port of `key` if it is ours, and waits until vswitchd has let go of
    /// its device or is known not to answer. False if there was none.
    pub async fn remove(&self, key: &Key) -> Result<bool> {
        let removed = self.remove_row(key).await?;
        if removed && let Err(error) = self.switch.settled(RELEASE_LIMIT).await {
            // vswitchd is away: what it held is dead, and it will not find the row again.
            tracing::debug!(%key, %error, "port removed without vswitchd");
        }
        Ok(removed)
    }

    /// Waits until vswitchd has carried out all that is asked of it, and has seen what
    /// happened to its devices before.
    pub async fn settled(&self) -> Result<()> {
        Ok(self.switch.settled(LIMIT).await?)
    }

    /// Removes the row alone.
    pub async fn remove_row(&self, key: &Key) -> Result<bool> {
        Ok(self.switch.del_port(&key.port_name(), &owner(key)).await?)
    }

    /// Removes a port of this state directory that no record owns.
    pub async fn remove_orphan(&self, name: &str, state_dir: &Path) -> Result<bool> {
        let owner = ExternalIds::from([
            (names::OWNER_KEY.to_owned(), names::OWNER.to_owned()),
            (
                names::STATE_DIR_KEY.to_owned(),
                state_dir.display().to_string(),
            ),
        ]);
        Ok(self.switch.del_port(name, &owner).await?)
    }

    /// Makes the bridge if it is missing; true if it was.
    pub async fn ensure_bridge(&self, bridge: &str, datapath: Datapath) -> Result<bool> {
        Ok(self
            .switch
            .ensure_bridge(bridge, datapath.into(), None, LIMIT)
            .await?)
    }
}

/// Whether an interface is of a device that is there by itself.
pub(crate) fn is_system(kind: &str) -> bool {
    kind.is_empty() || kind == InterfaceType::System.as_str()
}

/// Sets NO_FLOOD on the record's port.
pub(crate) async fn set_no_flood(record: &Attachment) -> Result<()> {
    let Some(port) = record.port.switch() else {
        return Ok(());
    };
    let rundir = port.socket.parent().unwrap_or(Path::new("/"));
    let mut openflow = OpenFlow::connect(rundir, &port.bridge).await?;
    openflow
        .set_config(
            &record.port_name,
            PortConfig::NO_FLOOD,
            PortConfig::NO_FLOOD,
        )
        .await?;
    Ok(())
}

fn owner(key: &Key) -> ExternalIds {
    ExternalIds::from([
        (names::OWNER_KEY.to_owned(), names::OWNER.to_owned()),
        (names::CONTAINER_KEY.to_owned(), key.container_id.clone()),
        (names::IFNAME_KEY.to_owned(), key.ifname.clone()),
    ])
}

fn mac(record: &Attachment) -> Mac {
    Mac(record.mac.octets())
}

fn absent(wanted: &ExternalIds, there: &ExternalIds) -> ExternalIds {
    wanted
        .iter()
        .filter(|(key, _)| !there.contains_key(*key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn spec(record: &Attachment, port: &SwitchPort) -> PortSpec {
    let kind = match record.strategy() {
        Strategy::Veth => InterfaceType::System,
        _ => InterfaceType::Internal,
    };
    let internal = record.strategy().is_internal();
    PortSpec {
        tag: port.vlan,
        trunks: port.trunks.clone(),
        mac: internal.then(|| mac(record)),
        mtu_request: (internal && record.mtu != 0).then_some(record.mtu),
        ofport_request: port.ofport_request.or(port.ofport),
        external_ids: port.external_ids.clone(),
        limit: LIMIT,
        ..PortSpec::new(&port.bridge, &record.port_name, kind)
    }
}

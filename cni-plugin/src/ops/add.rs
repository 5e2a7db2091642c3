//! ADD: validate everything, then change things, and undo them in reverse on error.
//!
//! Addresses first, as all else depends on them; then the devices, through the
//! `attachment` crate, which writes the record ahead of its first change; then
//! masquerade; then the record as ready, and only then the answer.

use attachment::record::{Attachment, NetnsRef, Port, RoutedPort, SwitchPort};
use attachment::{DetachRequest, Host, Key, Phase, Store, Strategy, auto, names};
use dataplane::devices::Device;
use netlink::{Link, Netns};
use nix::errno::Errno;
use serde_json::Value;

use super::LOCK_LIMIT;
use crate::answer::{self, HostSide};
use crate::config::{Config, Gateway, IpamSource, PortChoice, SwitchConfig};
use crate::error::Error;
use crate::request::Request;
use crate::result::{CniResult, Interface};
use crate::{intent, ipam_source, masquerade, parting, sandbox};

/// Serves ADD; returns the result for standard output.
pub async fn run(request: &Request) -> Result<Value, Error> {
    let config = Config::parse(request)?;
    let sandbox = sandbox::open(request)?;
    ipam_source::validate(request, &config.ipam)?;
    if config.ip_masq {
        masquerade::ensure_available()?;
    }
    report_unserved(&config);
    let port = port(request, &config).await?;
    let host = Host::current()?;
    let store = Store::open(&config.places.state_dir)?;
    let key = Key::new(&request.container_id, &request.ifname);
    let lock = store.lock(&key, LOCK_LIMIT).await?;
    refuse_repeated(&store, &key)?;
    let adding = Adding {
        request,
        config: &config,
        sandbox: &sandbox,
        host: &host,
        store: &store,
    };
    match adding.allocate(port).await {
        Ok(result) => Ok(result.to_json(request.version)),
        Err(error) => {
            lock.retire();
            Err(error)
        }
    }
}

/// What is kept for others to serve, or not served yet, is said once, here.
fn report_unserved(config: &Config) {
    if config.runtime.bandwidth.is_some() {
        tracing::warn!("runtimeConfig.bandwidth is not enforced yet: traffic is not limited");
    }
    if !config.runtime.port_mappings.is_empty() {
        tracing::info!("runtimeConfig.portMappings are kept in the record, for the daemon");
    }
    if config.switch.is_none() && config.gateway != Gateway::Elsewhere {
        tracing::info!("isGateway means nothing for a routed port, whose gateway is the host");
    }
}

/// A second ADD must fail before it could undo anything of the first.
fn refuse_repeated(store: &Store, key: &Key) -> Result<(), Error> {
    match store.read(key) {
        Ok(Some(record)) if record.phase == Phase::Ready => {
            Err(attachment::Error::Exists { key: key.clone() }.into())
        }
        Err(error @ attachment::StoreError::Foreign { .. }) => Err(error.into()),
        // What is cut off or unfinished is replaced.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The port to be made; asks the switch for its bridge, if there is to be one.
async fn port(request: &Request, config: &Config) -> Result<Port, Error> {
    let Some(wanted) = &config.switch else {
        let host_mac = names::host_mac(&request.container_id, &request.ifname);
        return Ok(Port::Routed(RoutedPort { host_mac }));
    };
    let socket = &config.places.socket_file;
    let bridge = ovs::Switch::connect(socket)
        .await?
        .bridge(&wanted.bridge)
        .await?;
    let bridge = bridge.ok_or_else(|| attachment::Error::NoBridge {
        bridge: wanted.bridge.clone(),
        socket: socket.clone(),
    })?;
    let strategy = strategy(wanted, bridge.datapath);
    let switch = SwitchPort {
        vlan: wanted.vlan,
        trunks: wanted.trunks.clone(),
        ofport_request: wanted.ofport_request,
        ..SwitchPort::new(socket, &wanted.bridge, bridge.datapath)
    };
    Port::on_switch(strategy, switch)
        .ok_or_else(|| Error::Internal(format!("strategy {strategy} has no switch")))
}

fn strategy(wanted: &SwitchConfig, datapath: ovs::Datapath) -> Strategy {
    match wanted.port {
        PortChoice::Auto => auto::choose(Some(datapath.into()), auto::Features::detect()),
        PortChoice::Veth => Strategy::Veth,
        PortChoice::Bond => Strategy::Bond,
        PortChoice::Macvlan => Strategy::Macvlan,
        PortChoice::Rename => {
            if datapath == ovs::Datapath::Kernel {
                tracing::warn!(
                    bridge = wanted.bridge,
                    "a renamed port on a kernel datapath is lost at every reconfigure of the switch"
                );
            }
            Strategy::Rename
        }
    }
}

/// The three steps, each of which undoes itself when one after it fails.
struct Adding<'a> {
    request: &'a Request,
    config: &'a Config,
    sandbox: &'a Netns,
    host: &'a Host,
    store: &'a Store,
}

impl Adding<'_> {
    async fn allocate(&self, port: Port) -> Result<CniResult, Error> {
        let source = &self.config.ipam;
        let allocated = match (source, &self.config.prev_result) {
            (IpamSource::PrevResult, Some(previous)) => answer::unclaimed(previous),
            _ => ipam_source::add(self.request, source)?,
        };
        match self.attach(port, &allocated).await {
            Ok(result) => Ok(result),
            Err(error) => Err(error.and_then_undo(ipam_source::del(self.request, source))),
        }
    }

    async fn attach(&self, port: Port, allocated: &CniResult) -> Result<CniResult, Error> {
        let id = self.sandbox.id();
        let netns = NetnsRef {
            path: self.sandbox.path().to_owned(),
            dev: id.dev,
            inode: id.inode,
        };
        let mut record = intent::record(self.request, self.config, netns, port, allocated)?;
        attachment::attach(self.host, self.store, &mut record).await?;
        // An address that another pod had until just now is elsewhere in many caches.
        if let Some(socket) = attachment::announce(&record) {
            parting::leave(socket);
        }
        match self.finish(&mut record, allocated).await {
            Ok(result) => Ok(result),
            Err(error) => Err(error.and_then_undo(self.detach(&record).await)),
        }
    }

    async fn finish(
        &self,
        record: &mut Attachment,
        allocated: &CniResult,
    ) -> Result<CniResult, Error> {
        if self.config.gateway != Gateway::Elsewhere && self.config.switch.is_some() {
            forward(self.host, record)?;
        }
        let host = self.host_side(record).await?;
        self.serve(record).await?;
        let state_dir = self.store.state_dir();
        masquerade::add(state_dir, &record.port_name, &record.masquerade)?;
        record.phase = Phase::Ready;
        match self.store.write(record) {
            Ok(()) => Ok(answer::result(self.config, record, host, allocated)),
            Err(error) => {
                let undone = match record.masquerade.is_empty() {
                    true => Ok(()),
                    false => masquerade::remove(state_dir, &record.port_name),
                };
                Err(Error::from(error).and_then_undo(undone))
            }
        }
    }

    /// Puts the programs of Services on the host end of a routed port, if a daemon has pinned any: the pod is served
    /// while none runs. One that cannot be put there now the daemon will see to, so that is no failure of ADD.
    async fn serve(&self, record: &Attachment) -> Result<(), Error> {
        if !matches!(record.port, Port::Routed(_)) {
            return Ok(());
        }
        let name = record.port_name.clone();
        let Some(link) = self.host.netlink.link_by_name(&name).await? else {
            return Ok(());
        };
        let device = Device {
            index: link.index,
            name,
        };
        let bpf_dir = &self.config.places.bpf_dir;
        match dataplane::pinned::attach_pod(bpf_dir, &device) {
            // A kernel before 6.6 has no such links.
            Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => {
                tracing::debug!(port = device.name, "Services: left to the daemon");
            }
            Err(error) => {
                tracing::warn!(%error, port = device.name, "Services: left to the daemon");
            }
            Ok(_) => {}
        }
        Ok(())
    }

    /// The interfaces on the host that belong into the result.
    async fn host_side(&self, record: &Attachment) -> Result<HostSide, Error> {
        let bridge = record.port.switch().map(|switch| switch.bridge.as_str());
        let mut interfaces = Vec::new();
        for name in bridge.into_iter().chain([record.port_name.as_str()]) {
            let link = self.host.netlink.link_by_name(name).await?;
            interfaces.extend(link.map(interface));
        }
        Ok(HostSide { interfaces })
    }

    async fn detach(&self, record: &Attachment) -> Result<(), Error> {
        let key = record.key();
        let request = DetachRequest {
            key: &key,
            record: Some(record),
            netns: Some(self.sandbox.path()),
            socket: record.port.switch().map(|switch| switch.socket.as_path()),
        };
        let detached = attachment::detach(self.host, self.store, &request).await;
        let errors = detached.errors.into_iter().map(Error::from).collect();
        match Error::from_several(errors) {
            None => Ok(self.store.remove(&key).map(drop)?),
            Some(error) => Err(error),
        }
    }
}

fn interface(link: Link) -> Interface {
    Interface {
        name: link.name,
        mac: link.mac.map(|mac| mac.to_string()),
        mtu: Some(link.mtu),
        ..Interface::default()
    }
}

/// Lets the host forward for pods whose gateway it is.
fn forward(host: &Host, record: &Attachment) -> Result<(), Error> {
    for (ipv6, key) in [
        (false, "net/ipv4/ip_forward"),
        (true, "net/ipv6/conf/all/forwarding"),
    ] {
        let wanted = record
            .addresses
            .iter()
            .any(|one| one.address.is_ipv6() == ipv6);
        // Writing it even when set resets other sysctls of every interface.
        if wanted && host.netns.sysctl_get(key)? != "1" {
            host.netns.sysctl_set(key, "1")?;
        }
    }
    Ok(())
}

//! Where addresses come from: the `ipam` crate inside this process, or a
//! delegate that is executed. The verbs of the main plugin see no difference.

use ipnetwork::IpNetwork;

use crate::config::{IpamSource, Valid};
use crate::delegate;
use crate::error::Error;
use crate::request::{Request, Verb};
use crate::result::{Address, CniResult, Dns, Route};

/// Checks what can be checked before ADD changes anything.
pub fn validate(request: &Request, source: &IpamSource) -> Result<(), Error> {
    match source {
        IpamSource::InProcess => parse(request).map(drop),
        IpamSource::Delegate(plugin) => delegate::find(&request.path, plugin).map(drop),
        IpamSource::PrevResult => Ok(()),
    }
}

/// Allocates; the result has at least one address.
pub fn add(request: &Request, source: &IpamSource) -> Result<CniResult, Error> {
    let result = match source {
        IpamSource::InProcess => allocate(request)?,
        IpamSource::Delegate(plugin) => {
            delegate::run(request, plugin, Verb::Add)?.unwrap_or_default()
        }
        IpamSource::PrevResult => return Ok(CniResult::default()),
    };
    if result.ips.is_empty() {
        let error = Error::Decode(format!("the IPAM plugin gave no address ({source:?})"));
        return Err(match del(request, source) {
            Ok(()) => error,
            Err(second) => Error::Several(vec![error, second]),
        });
    }
    Ok(result)
}

/// Gives back what ADD allocated; nothing at all is no error.
pub fn del(request: &Request, source: &IpamSource) -> Result<(), Error> {
    match source {
        IpamSource::InProcess => release(request, &request.container_id, &request.ifname),
        IpamSource::Delegate(plugin) => delegate::run(request, plugin, Verb::Del).map(drop),
        IpamSource::PrevResult => Ok(()),
    }
}

/// Gives back the addresses of one interface of the network's own store.
pub fn release(request: &Request, container_id: &str, ifname: &str) -> Result<(), Error> {
    let store = ipam::Store::of_network(&request.network, &request.config)?;
    let released = ipam::release(&store, container_id, ifname)?;
    tracing::debug!(container_id, ifname, ?released, "addresses released");
    Ok(())
}

/// Verifies that the addresses are still held.
pub fn check(request: &Request, source: &IpamSource) -> Result<(), Error> {
    match source {
        IpamSource::InProcess => {
            let store = ipam::Store::of_network(&request.network, &request.config)?;
            ipam::check(&store, &request.container_id, &request.ifname)?;
            Ok(())
        }
        IpamSource::Delegate(plugin) => delegate::run(request, plugin, Verb::Check).map(drop),
        IpamSource::PrevResult => Ok(()),
    }
}

/// Gives back what no valid attachment holds.
pub fn gc(request: &Request, source: &IpamSource, valid: &Valid) -> Result<(), Error> {
    match source {
        IpamSource::InProcess => {
            let store = ipam::Store::of_network(&request.network, &request.config)?;
            for lease in ipam::garbage_collect(&store, valid)? {
                tracing::info!(address = %lease.address, holder = %lease.holder, "stale lease removed");
            }
            Ok(())
        }
        IpamSource::Delegate(plugin) => delegate::run(request, plugin, Verb::Gc).map(drop),
        IpamSource::PrevResult => Ok(()),
    }
}

/// Says whether an allocation could work.
pub fn status(request: &Request, source: &IpamSource) -> Result<(), Error> {
    match source {
        IpamSource::InProcess => {
            let config = parse(request)?;
            ipam::status(&config.store()).map_err(|error| Error::NotAvailable(error.to_string()))
        }
        IpamSource::Delegate(plugin) => delegate::run(request, plugin, Verb::Status).map(drop),
        IpamSource::PrevResult => Ok(()),
    }
}

fn parse(request: &Request) -> Result<ipam::Config, Error> {
    let requested = request.args.get("IP");
    Ok(ipam::Config::parse_with_args_ip(
        &request.network,
        &request.config,
        requested,
    )?)
}

fn allocate(request: &Request) -> Result<CniResult, Error> {
    let config = parse(request)?;
    let allocation = ipam::allocate(&config, &request.container_id, &request.ifname)?;
    Ok(CniResult {
        interfaces: Vec::new(),
        ips: allocation
            .ips
            .into_iter()
            .map(|lease| Address {
                interface: None,
                address: lease.address,
                gateway: lease.gateway,
            })
            .collect(),
        routes: allocation.routes.into_iter().map(route).collect(),
        dns: Dns {
            nameservers: allocation.dns.nameservers,
            domain: allocation.dns.domain,
            search: allocation.dns.search,
            options: allocation.dns.options,
        },
    })
}

fn route(route: ipam::Route) -> Route {
    Route {
        dst: network_of(route.dst),
        gw: route.gw,
        mtu: route.mtu,
        advmss: route.advmss,
        priority: route.priority,
        table: route.table,
        scope: route.scope.and_then(|scope| u8::try_from(scope).ok()),
    }
}

/// The destination without the host bits that a configuration may have.
fn network_of(dst: IpNetwork) -> IpNetwork {
    IpNetwork::new(dst.network(), dst.prefix()).unwrap_or(dst)
}

//! The plugin `loopback`: brings `lo` up. containerd runs it for every pod.
//!
//! The interface is always `lo`, whatever `CNI_IFNAME` says; a `prevResult` is
//! passed through as it is.

use std::net::IpAddr;

use netlink::Link;
use serde_json::Value;

use crate::config;
use crate::error::Error;
use crate::request::{Request, Verb};
use crate::result::{Address, CniResult, Interface};
use crate::sandbox;

/// The interface.
const NAME: &str = "lo";

/// Serves a request.
pub async fn serve(request: &Request) -> Result<Option<Value>, Error> {
    match request.verb {
        Verb::Add => add(request).await.map(Some),
        Verb::Check => check(request).await.map(|()| None),
        Verb::Del => del(request).await.map(|()| None),
        Verb::Gc | Verb::Status => Ok(None),
        Verb::Version => Ok(Some(crate::ops::version::answer())),
    }
}

async fn add(request: &Request) -> Result<Value, Error> {
    let previous = config::prev_result(request)?;
    let sandbox = sandbox::open(request)?;
    let netlink = sandbox.connect()?;
    let link = loopback(&netlink).await?;
    netlink.set_up(link.index).await?;
    let result = match previous {
        Some(previous) => previous,
        None => CniResult {
            ips: addresses(&netlink, link.index).await?,
            interfaces: vec![Interface {
                name: NAME.to_owned(),
                mac: Some("00:00:00:00:00:00".to_owned()),
                mtu: Some(link.mtu),
                sandbox: Some(sandbox.path().to_string_lossy().into_owned()),
                ..Interface::default()
            }],
            ..CniResult::default()
        },
    };
    Ok(result.to_json(request.version))
}

async fn check(request: &Request) -> Result<(), Error> {
    let sandbox = sandbox::open(request)?;
    match loopback(&sandbox.connect()?).await?.up {
        true => Ok(()),
        false => Err(Error::Mismatch(format!(
            "lo in {} is down",
            sandbox.path().display()
        ))),
    }
}

async fn del(request: &Request) -> Result<(), Error> {
    let Some(sandbox) = sandbox::open_if_there(request)? else {
        return Ok(());
    };
    let netlink = sandbox.connect()?;
    let link = loopback(&netlink).await?;
    Ok(netlink.set_down(link.index).await?)
}

async fn loopback(netlink: &netlink::Netlink) -> Result<Link, Error> {
    netlink
        .link_by_name(NAME)
        .await?
        .ok_or_else(|| Error::Internal("the namespace has no lo".to_owned()))
}

/// The addresses the kernel gave: one of each family at most.
async fn addresses(netlink: &netlink::Netlink, index: u32) -> Result<Vec<Address>, Error> {
    let all = netlink.addresses(index).await?;
    let first = |wanted: fn(&IpAddr) -> bool| {
        all.iter()
            .map(|one| one.address)
            .find(|address| wanted(&address.ip()))
    };
    Ok([first(IpAddr::is_ipv4), first(IpAddr::is_ipv6)]
        .into_iter()
        .flatten()
        .map(|address| Address {
            interface: Some(0),
            address,
            gateway: None,
        })
        .collect())
}

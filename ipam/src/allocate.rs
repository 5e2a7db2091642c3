//! ADD: one address out of each range set, or none at all.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::config::Config;
use crate::dns::Dns;
use crate::error::Error;
use crate::lease::Holder;
use crate::range::Range;
use crate::range_set::RangeSet;
use crate::route::Route;
use crate::session::Session;
use crate::{address, cursor};

/// An address given to an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The address, with the prefix length of its subnet.
    pub address: IpNetwork,
    /// The subnet's gateway.
    pub gateway: Option<IpAddr>,
}

/// What ADD's result holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// One lease for each range set, in the configuration's order.
    pub ips: Vec<Lease>,
    /// The configuration's routes.
    pub routes: Vec<Route>,
    /// Settings of the configuration's resolv.conf.
    pub dns: Dns,
}

/// Gives an interface one address out of each range set.
///
/// Everything is decided before the first file is made, and what was made is taken back
/// if a later step fails, so that an error leaves no lease behind.
///
/// # Errors
/// [`Error::Duplicate`] when the interface has a lease in one of the sets already,
/// [`Error::Exhausted`], [`Error::Taken`], [`Error::Unusable`] or [`Error::Unfulfilled`]
/// for requested addresses, [`Error::Io`] with the path for everything else.
pub fn allocate(config: &Config, container_id: &str, ifname: &str) -> Result<Allocation, Error> {
    let holder = Holder::interface(container_id, ifname)?;
    let requests = requests(config)?;
    let dns = config
        .resolv_conf
        .as_deref()
        .map(Dns::read)
        .transpose()?
        .unwrap_or_default();
    let store = config.store();
    let mut session = Session::open_or_create(&store)?;
    let chosen = reserve(&mut session, config, &holder, &requests);
    session.finish();
    let ips = chosen?
        .into_iter()
        .map(|(address, range)| lease(address, range))
        .collect();
    Ok(Allocation {
        ips,
        routes: config.routes.clone(),
        dns,
    })
}

fn lease(address: IpAddr, range: &Range) -> Lease {
    let address = IpNetwork::new(address, range.subnet.prefix())
        .expect("a subnet's length fits its own family");
    Lease {
        address,
        gateway: Some(range.gateway),
    }
}

/// The requested address of each set: the first that it holds. One that is left over
/// fails the whole, before anything was touched.
fn requests(config: &Config) -> Result<Vec<Option<IpAddr>>, Error> {
    let mut left = config.requested.clone();
    let mut take = |set: &RangeSet| {
        left.iter()
            .position(|ip| set.contains(*ip))
            .map(|at| left.remove(at))
    };
    let requests: Vec<_> = config.range_sets.iter().map(&mut take).collect();
    if !left.is_empty() {
        return Err(Error::Unfulfilled { addresses: left });
    }
    match requests
        .iter()
        .flatten()
        .find_map(|address| config.role(*address).map(|role| (*address, role)))
    {
        Some((address, role)) => Err(Error::Unusable { address, role }),
        None => Ok(requests),
    }
}

type Chosen<'a> = Vec<(IpAddr, &'a Range)>;

fn reserve<'a>(
    session: &mut Session<'_>,
    config: &'a Config,
    holder: &Holder,
    requests: &[Option<IpAddr>],
) -> Result<Chosen<'a>, Error> {
    loop {
        let chosen = choose(session, config, holder, requests)?;
        let made = make(session, holder, &chosen);
        match made {
            Ok(None) => return Ok(chosen),
            Err(error) => return Err(error),
            // The index said that the address is free, and it is not.
            Ok(Some(_)) if !session.is_fresh() => session.rebuild()?,
            // A lease out of nowhere, under our lock: someone works without it.
            Ok(Some(address)) => {
                let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
                return Err(Error::io(
                    "write",
                    &session.store().lease_path(address),
                    source,
                ));
            }
        }
    }
}

/// Decides on the addresses; changes nothing.
fn choose<'a>(
    session: &mut Session<'_>,
    config: &'a Config,
    holder: &Holder,
    requests: &[Option<IpAddr>],
) -> Result<Chosen<'a>, Error> {
    let mut chosen = Vec::with_capacity(requests.len());
    let Holder::Interface {
        container_id,
        ifname,
    } = holder
    else {
        return Ok(chosen);
    };
    let mut held = session.find(holder)?;
    held.extend(session.find(&Holder::container(container_id))?);
    for (number, (set, request)) in config.range_sets.iter().zip(requests).enumerate() {
        if let Some((address, taken_by)) =
            request.and_then(|address| Some((address, session.store().holder(address)?)))
        {
            return Err(Error::Taken {
                address,
                set: number,
                ranges: set.to_string(),
                holder: taken_by.to_string(),
            });
        }
        // Upstream looks for this only without a request, and a second address of the
        // same set would then go unnoticed until DEL frees both.
        if let Some(address) = held.iter().copied().find(|address| set.contains(*address)) {
            return Err(Error::Duplicate {
                address,
                container_id: container_id.clone(),
                ifname: ifname.clone(),
            });
        }
        let free = match request {
            Some(address) => set.range_for(*address).map(|range| (*address, range)),
            None => next_free(session, config, set, number)?,
        };
        chosen.push(free.ok_or_else(|| Error::Exhausted {
            set: number,
            ranges: set.to_string(),
            network: config.network.clone(),
        })?);
    }
    Ok(chosen)
}

/// The next address in the round robin. Before it says that there is none, it looks at
/// the files themselves.
fn next_free<'a>(
    session: &mut Session<'_>,
    config: &Config,
    set: &'a RangeSet,
    number: usize,
) -> Result<Option<(IpAddr, &'a Range)>, Error> {
    let last = session.store().last_reserved(number);
    loop {
        for run in cursor::runs(set, last) {
            let mut first = Some(run.first);
            while let Some(from) = first {
                let Some(address) = session.next_free(from, run.last)? else {
                    break;
                };
                if config.role(address).is_none() {
                    return Ok(Some((address, run.range)));
                }
                first = (address < run.last)
                    .then(|| address::from_bits(address::to_bits(address) + 1, address));
            }
        }
        if session.is_fresh() {
            return Ok(None);
        }
        session.rebuild()?;
    }
}

/// Makes the files. `Some` is an address that turned out to be taken; then, as on error,
/// none of the leases is left.
fn make(
    session: &mut Session<'_>,
    holder: &Holder,
    chosen: &Chosen<'_>,
) -> Result<Option<IpAddr>, Error> {
    let mut made = Vec::with_capacity(chosen.len());
    let mut result = Ok(None);
    for (address, _) in chosen {
        match session.create(*address, holder) {
            Ok(true) => made.push(*address),
            Ok(false) => result = Ok(Some(*address)),
            Err(error) => result = Err(error),
        }
        if !matches!(result, Ok(None)) {
            break;
        }
    }
    if matches!(result, Ok(None)) {
        let stored = chosen
            .iter()
            .enumerate()
            .try_for_each(|(set, (address, _))| session.set_last_reserved(set, *address));
        result = stored.map(|()| None);
    }
    if !matches!(result, Ok(None)) {
        for address in made {
            if let Err(error) = session.remove(address, holder) {
                tracing::error!(%address, %error, "lease of a failed allocation is left behind");
            }
        }
    }
    result
}

//! The network configuration as host-local reads it: old style, new style, runtime
//! ranges, and the addresses asked for in four places.

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;

use crate::args;
use crate::config_error::ConfigError;
use crate::json::Field;
use crate::range::{Range, RangeError};
use crate::range_set::RangeSet;
use crate::route::Route;
use crate::store::Store;

/// Where the store is when the configuration does not say.
pub const DEFAULT_DATA_DIR: &str = "/var/lib/cni/networks";

/// A checked configuration: what to allocate from, and what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The network's name, a safe directory name.
    pub network: String,
    /// The configuration's `cniVersion`, empty when absent.
    pub cni_version: String,
    /// Directory that holds one directory per network.
    pub data_dir: PathBuf,
    /// A pod gets one address out of each. `runtimeConfig.ipRanges` come first, then
    /// old style, then `ranges`; `last_reserved_ip.N` counts in this order.
    pub range_sets: Vec<RangeSet>,
    /// Routes for the result.
    pub routes: Vec<Route>,
    /// A resolv.conf whose settings go into the result.
    pub resolv_conf: Option<PathBuf>,
    /// Addresses asked for, from CNI_ARGS, `args.cni.ips` and `runtimeConfig.ips` in this
    /// order, each once.
    pub requested: Vec<IpAddr>,
}

impl Config {
    /// Parses a whole network configuration with `ipam`, `runtimeConfig` and `args`, and
    /// the value of CNI_ARGS (empty when unset), strictly as the plugin run on its own.
    ///
    /// # Errors
    /// See [`ConfigError`]; each names the key and the value.
    pub fn parse(
        network_name: &str,
        cni_config: &Value,
        cni_args: &str,
    ) -> Result<Self, ConfigError> {
        let requested = args::requested_address(cni_args)?;
        Self::parse_requesting(network_name, cni_config, requested)
    }

    /// As [`Config::parse`], for a caller that has parsed CNI_ARGS with keys of its own:
    /// `args_ip` is the value of `IP`, with or without a prefix length.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse_with_args_ip(
        network_name: &str,
        cni_config: &Value,
        args_ip: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let requested = args_ip.map(args::parse_address).transpose()?.flatten();
        Self::parse_requesting(network_name, cni_config, requested)
    }

    fn parse_requesting(
        network_name: &str,
        cni_config: &Value,
        args_ip: Option<IpAddr>,
    ) -> Result<Self, ConfigError> {
        let root = Field::root(cni_config);
        check_name(network_name)?;
        let ipam = root.require("ipam")?;
        let cni_version = root
            .get("cniVersion")?
            .map(|version| version.string())
            .transpose()?
            .unwrap_or_default();
        let text = |name: &str| {
            Ok::<_, ConfigError>(
                ipam.get(name)?
                    .map(|field| field.string())
                    .transpose()?
                    .filter(|text| !text.is_empty()),
            )
        };
        report_unknown_keys(&ipam);
        let range_sets = range_sets(&root, &ipam, cni_version)?;
        let routes = ipam.get("routes")?.map_or(Ok(Vec::new()), |routes| {
            routes.items()?.iter().map(Route::parse).collect()
        })?;
        Ok(Self {
            network: network_name.to_owned(),
            cni_version: cni_version.to_owned(),
            data_dir: text("dataDir")?.unwrap_or(DEFAULT_DATA_DIR).into(),
            range_sets,
            routes,
            resolv_conf: text("resolvConf")?.map(PathBuf::from),
            requested: requested(&root, args_ip)?,
        })
    }

    /// The store this configuration allocates from.
    pub fn store(&self) -> Store {
        Store::at(&self.data_dir, &self.network)
    }

    /// Whether the address is the gateway, network or broadcast address of any range.
    pub(crate) fn role(&self, address: IpAddr) -> Option<&'static str> {
        self.range_sets
            .iter()
            .flat_map(|set| set.iter())
            .find_map(|range| range.role(address))
    }
}

impl Store {
    /// The store that a network configuration names, even when the rest of its `ipam` is
    /// unusable: DEL and GC must go on working after someone broke the ranges.
    ///
    /// # Errors
    /// When the name is none, or `ipam.dataDir` is not a string.
    pub fn of_network(network_name: &str, cni_config: &Value) -> Result<Self, ConfigError> {
        check_name(network_name)?;
        let data_dir = match Field::root(cni_config).get("ipam")? {
            Some(ipam) => ipam
                .get("dataDir")?
                .map(|field| field.string())
                .transpose()?
                .filter(|text| !text.is_empty()),
            None => None,
        };
        Ok(Self::at(
            data_dir.unwrap_or(DEFAULT_DATA_DIR).as_ref(),
            network_name,
        ))
    }
}

/// The spec's rule for names; what upstream relies on for the directory to be safe.
fn check_name(name: &str) -> Result<(), ConfigError> {
    let valid = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if valid {
        Ok(())
    } else {
        Err(ConfigError::Name {
            name: name.to_owned(),
        })
    }
}

fn report_unknown_keys(ipam: &Field<'_>) {
    const KNOWN: [&str; 10] = [
        "type",
        "name",
        "subnet",
        "rangeStart",
        "rangeEnd",
        "gateway",
        "ranges",
        "routes",
        "dataDir",
        "resolvConf",
    ];
    for key in ipam
        .value
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys())
    {
        if !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(key)) {
            tracing::debug!(key, "unknown key in ipam");
        }
    }
}

/// All range sets, checked one by one and against each other.
fn range_sets(
    root: &Field<'_>,
    ipam: &Field<'_>,
    cni_version: &str,
) -> Result<Vec<RangeSet>, ConfigError> {
    let mut sets = Vec::new();
    if let Some(ranges) = root
        .get("runtimeConfig")?
        .map(|runtime| runtime.get("ipRanges"))
        .transpose()?
        .flatten()
    {
        add_sets(&ranges, &mut sets)?;
    }
    if ipam.get("subnet")?.is_some() {
        let set = RangeSet::new(vec![range(ipam)?]).map_err(in_key(&ipam.key))?;
        sets.push((ipam.key.clone(), set));
    }
    if let Some(ranges) = ipam.get("ranges")? {
        add_sets(&ranges, &mut sets)?;
    }
    if sets.is_empty() {
        return Err(ConfigError::NoRanges);
    }
    let of_v4 = sets.iter().filter(|(_, set)| set.is_ipv4()).count();
    if (of_v4 > 1 || sets.len() - of_v4 > 1) && !has_several_addresses(cni_version) {
        return Err(ConfigError::TooManyAddresses {
            version: cni_version.to_owned(),
        });
    }
    for (number, (first_key, set)) in sets.iter().enumerate() {
        for (second_key, other) in &sets[number + 1..] {
            if let Some((first, second)) = set.overlap(other) {
                return Err(ConfigError::SetsOverlap {
                    first_key: first_key.clone(),
                    second_key: second_key.clone(),
                    first: first.to_string(),
                    second: second.to_string(),
                });
            }
        }
    }
    Ok(sets.into_iter().map(|(_, set)| set).collect())
}

fn add_sets(list: &Field<'_>, sets: &mut Vec<(String, RangeSet)>) -> Result<(), ConfigError> {
    for set in list.items()? {
        let ranges = set.items()?.iter().map(range).collect::<Result<_, _>>()?;
        let ranges = RangeSet::new(ranges).map_err(in_key(&set.key))?;
        sets.push((set.key, ranges));
    }
    Ok(())
}

fn range(field: &Field<'_>) -> Result<Range, ConfigError> {
    let address = |name: &str| {
        Ok::<_, ConfigError>(
            field
                .get(name)?
                .map(|field| field.address())
                .transpose()?
                .flatten(),
        )
    };
    let subnet = field.require("subnet")?.network()?;
    Range::new(
        subnet,
        address("rangeStart")?,
        address("rangeEnd")?,
        address("gateway")?,
    )
    .map_err(in_key(&field.key))
}

fn in_key(key: &str) -> impl FnOnce(RangeError) -> ConfigError {
    move |source| ConfigError::Range {
        key: key.to_owned(),
        source,
    }
}

/// Addresses asked for, in order, each once.
fn requested(root: &Field<'_>, args_ip: Option<IpAddr>) -> Result<Vec<IpAddr>, ConfigError> {
    let mut requested: Vec<IpAddr> = args_ip.into_iter().map(|ip| ip.to_canonical()).collect();
    let from_args = match root.get("args")? {
        Some(args) => args
            .get("cni")?
            .map(|cni| cni.get("ips"))
            .transpose()?
            .flatten(),
        None => None,
    };
    let from_runtime = root
        .get("runtimeConfig")?
        .map(|runtime| runtime.get("ips"))
        .transpose()?
        .flatten();
    for list in [from_args, from_runtime].into_iter().flatten() {
        for item in list.items()? {
            let address = item.requested_address()?;
            if !requested.contains(&address) {
                requested.push(address);
            }
        }
    }
    Ok(requested)
}

/// Whether results of this version can list several addresses of a family: 0.3.0 and
/// later. No version is 0.1.0; one that does not parse can promise nothing.
fn has_several_addresses(version: &str) -> bool {
    let parts: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    parts.is_some_and(|parts| parts.len() <= 3 && parts >= vec![0, 3])
}

//! Routes that the configuration hands through to the result.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::config_error::ConfigError;
use crate::json::Field;

/// A route of the result, with the keys of CNI 1.1.0. Zero means absent in the
/// configuration, except for table and scope where zero is a value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Route {
    /// Destination; host bits are kept as given.
    pub dst: IpNetwork,
    /// Next hop; absent means the address's own gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gw: Option<IpAddr>,
    /// Path MTU in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Advertised TCP segment size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advmss: Option<u32>,
    /// Metric, lower wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Routing table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// Scope as the kernel numbers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<u32>,
}

impl Route {
    pub(crate) fn parse(field: &Field<'_>) -> Result<Self, ConfigError> {
        let number = |name: &str| field.get(name)?.map(|field| field.number()).transpose();
        let non_zero = |name: &str| number(name).map(|value| value.filter(|value| *value != 0));
        Ok(Self {
            dst: field.require("dst")?.network()?,
            gw: field
                .get("gw")?
                .map(|gw| gw.address())
                .transpose()?
                .flatten(),
            mtu: non_zero("mtu")?,
            advmss: non_zero("advmss")?,
            priority: non_zero("priority")?,
            table: number("table")?,
            scope: number("scope")?,
        })
    }
}

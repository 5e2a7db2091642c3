//! The keys that say which switch a pod is plugged into, and how.

use std::str::FromStr;

use crate::field::{Field, FieldError};
use crate::request::ifname_problem;

/// Highest VLAN id that can be used.
const MAX_VLAN: u64 = 4094;

/// Highest OpenFlow port number that is not reserved.
const MAX_OFPORT: u64 = 65279;

/// How a pod's interface comes to be a port of the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortChoice {
    /// What suits the datapath and the kernel best.
    Auto,
    /// A veth whose host end is the port.
    Veth,
    /// An internal port under the name of the pod's interface.
    Rename,
    /// An internal port below a bond.
    Bond,
    /// An internal port below a macvlan.
    Macvlan,
}

impl FromStr for PortChoice {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "veth" => Ok(Self::Veth),
            "rename" => Ok(Self::Rename),
            "bond" => Ok(Self::Bond),
            "macvlan" => Ok(Self::Macvlan),
            _ => Err(()),
        }
    }
}

/// A port on an Open vSwitch bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchConfig {
    /// The bridge's name.
    pub bridge: String,
    /// How to plug in.
    pub port: PortChoice,
    /// Access VLAN.
    pub vlan: Option<u16>,
    /// Trunked VLANs, sorted and each once.
    pub trunks: Vec<u16>,
    /// The OpenFlow port number asked for.
    pub ofport_request: Option<u16>,
}

impl SwitchConfig {
    /// Reads the keys; none without `bridge`, when a routed port is wanted.
    pub fn parse(root: &Field<'_>) -> Result<Option<Self>, FieldError> {
        let port = root.key("port")?;
        let choice = port
            .parse("one of auto, veth, rename, bond and macvlan")?
            .unwrap_or(PortChoice::Auto);
        let vlan = vlan_id(&root.key("vlan")?)?;
        let trunks = trunks(&root.key("trunk")?)?;
        let ofport_request = root.key("ofport_request")?.number(1..=MAX_OFPORT)?;
        let bridge = root.key("bridge")?;
        let Some(name) = bridge.string()?.filter(|name| !name.is_empty()) else {
            if !matches!(choice, PortChoice::Auto | PortChoice::Veth) {
                return Err(port.wrong("auto or veth, as there is no \"bridge\""));
            }
            for key in ["vlan", "trunk", "ofport_request"] {
                let field = root.key(key)?;
                if field.is_present() {
                    return Err(field.wrong("nothing, as there is no \"bridge\""));
                }
            }
            return Ok(None);
        };
        if let Some(problem) = ifname_problem(name) {
            return Err(bridge.wrong(&format!("the name of a bridge ({problem})")));
        }
        Ok(Some(Self {
            bridge: name.to_owned(),
            port: choice,
            vlan,
            trunks,
            ofport_request: ofport_request.and_then(|number| u16::try_from(number).ok()),
        }))
    }
}

fn vlan_id(field: &Field<'_>) -> Result<Option<u16>, FieldError> {
    let id = field.number(0..=MAX_VLAN)?;
    Ok(id.and_then(|id| u16::try_from(id).ok()))
}

/// `[{id} | {minID, maxID}]` as a sorted list of single ids.
fn trunks(field: &Field<'_>) -> Result<Vec<u16>, FieldError> {
    let mut ids = Vec::new();
    for entry in field.list()? {
        let id = vlan_id(&entry.key("id")?)?;
        let (low, high) = (entry.key("minID")?, entry.key("maxID")?);
        match (id, vlan_id(&low)?, vlan_id(&high)?) {
            (Some(id), None, None) => ids.push(id),
            (None, Some(first), Some(last)) if first <= last => ids.extend(first..=last),
            (None, Some(_), Some(_)) => {
                return Err(high.wrong("a number not below \"minID\""));
            }
            _ => return Err(entry.wrong("either \"id\", or \"minID\" and \"maxID\"")),
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

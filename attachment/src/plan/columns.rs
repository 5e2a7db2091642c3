//! The OVSDB half of a plan: bridge, row, columns, flood bit.
//!
//! A value that is there is the operator's: changing a tag by hand is how tags are
//! changed, and berth does not fight over it. Only what is *empty* and was set by
//! ADD is set again, as after a row was added anew by hand.

use crate::action::Action;
use crate::drift::Drift;
use crate::names;
use crate::ports::is_system;
use crate::record::{Attachment, SwitchPort};
use crate::strategy::Strategy;
use crate::view::{Observed, PortView, SwitchState};

/// Whose a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// It carries our marks.
    Ours,
    /// It carries no owner at all but is otherwise what we would make: added by hand
    /// under the name only this attachment has.
    Adoptable,
    /// Anything else.
    Foreign,
}

fn owner(record: &Attachment, port: &SwitchPort, row: &PortView) -> Owner {
    if names::owns(&row.external_ids, &record.container_id, &record.ifname) {
        return Owner::Ours;
    }
    let same = row.bridge == port.bridge && type_fits(record, row);
    if same && !row.external_ids.contains_key(names::OWNER_KEY) {
        Owner::Adoptable
    } else {
        Owner::Foreign
    }
}

/// Whether the interface type is the one the strategy needs.
pub fn type_fits(record: &Attachment, row: &PortView) -> bool {
    let internal = row.interface_type == "internal";
    internal == (record.strategy() != Strategy::Veth)
}

/// Plans what the rows need; whether the row is there and ours, so that the devices
/// can be judged.
pub fn ensure(
    record: &Attachment,
    port: &SwitchPort,
    switch: &SwitchState,
    observed: &Observed,
    actions: &mut Vec<Action>,
) -> bool {
    let key = record.key();
    let name = &record.port_name;
    let Some(row) = switch.ports.get(name) else {
        return missing(record, port, switch, observed, actions);
    };
    if owner(record, port, row) == Owner::Foreign {
        super::report(actions, key, Drift::RowForeign(name.clone()));
        return false;
    }
    if !empty_columns(record, port, row).is_empty() {
        super::repair(
            record,
            observed,
            Action::CompletePort { key: key.clone() },
            actions,
        );
    }
    if let (Some(error), Some(-1) | None) = (&row.error, row.ofport) {
        let drift = Drift::PortError {
            port: name.clone(),
            error: error.clone(),
        };
        super::report(actions, key.clone(), drift);
    }
    if let Some(flood) = &row.no_flood {
        let seen = observed.memory.no_flood.get(&key);
        match (port.no_flood, flood.off) {
            // Set by hand.
            (false, true) => actions.push(Action::LearnNoFlood { key, off: true }),
            // Cleared by hand: it was seen set, and nothing else can have cleared it since.
            (true, false) if seen == Some(&flood.life) => {
                actions.push(Action::LearnNoFlood { key, off: false });
            }
            (true, false) => {
                let life = flood.life.clone();
                super::repair(record, observed, Action::SetNoFlood { key, life }, actions);
            }
            (true, true) | (false, false) => {}
        }
    }
    true
}

fn missing(
    record: &Attachment,
    port: &SwitchPort,
    switch: &SwitchState,
    observed: &Observed,
    actions: &mut Vec<Action>,
) -> bool {
    let key = record.key();
    if !switch.bridges.contains_key(&port.bridge) {
        actions.push(Action::EnsureBridge {
            socket: port.socket.clone(),
            bridge: port.bridge.clone(),
            datapath: port.datapath,
        });
    }
    let host = observed.root.links.get(&record.port_name);
    if record.strategy() == Strategy::Veth {
        if host.is_none() {
            // vswitchd refuses a row without its device: the veth comes first.
            return true;
        }
    } else if let Some(link) = host
        && !link.is_internal_port()
    {
        super::report(actions, key, Drift::HostLinkForeign(link.name.clone()));
        return false;
    }
    super::repair(record, observed, Action::AddPort { key }, actions);
    // The host end of a veth stays in its place without the row.
    record.strategy() == Strategy::Veth
}

/// Columns that ADD sets and that are empty now.
pub fn empty_columns(record: &Attachment, port: &SwitchPort, row: &PortView) -> Vec<Drift> {
    let mut empty = Vec::new();
    let mut need = |column: String, expected: String| {
        empty.push(Drift::ColumnEmpty {
            port: record.port_name.clone(),
            column,
            expected,
        });
    };
    if let (Some(vlan), None) = (port.vlan, row.tag) {
        need("tag".to_owned(), vlan.to_string());
    }
    if !port.trunks.is_empty() && row.trunks.is_empty() {
        need("trunks".to_owned(), format!("{:?}", port.trunks));
    }
    if let (Some(ofport), None) = (port.ofport_request.or(port.ofport), row.ofport_request) {
        need("ofport_request".to_owned(), ofport.to_string());
    }
    if record.strategy() != Strategy::Veth {
        // Let go for a repair that did not come to its end.
        if is_system(&row.interface_type) {
            need("type".to_owned(), "internal".to_owned());
        }
        if row.mac.is_none() {
            need("mac".to_owned(), record.mac.to_string());
        }
        if row.mtu_request.is_none() && record.mtu != 0 {
            need("mtu_request".to_owned(), record.mtu.to_string());
        }
    }
    for (id, value) in &port.external_ids {
        if !row.external_ids.contains_key(id) {
            need(format!("external_ids:{id}"), value.clone());
        }
    }
    empty
}

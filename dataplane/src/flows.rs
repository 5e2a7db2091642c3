//! The table of flows, as it is looked after: the programs write it, and never remove what has
//! only become old.

use std::collections::HashMap as Map;

use abi::{Flow, FlowKey, lifetime_ns, names};
use aya::Ebpf;
use aya::maps::{HashMap, MapData};

use crate::error::Result;
use crate::maps::{gone, of, take};

/// The table of flows.
pub struct Flows {
    flows: HashMap<MapData, FlowKey, Flow>,
}

impl std::fmt::Debug for Flows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flows").finish_non_exhaustive()
    }
}

/// What came of a look at all flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Flows that stay.
    pub kept: usize,
    /// Flows removed.
    pub removed: usize,
}

impl Flows {
    pub(crate) fn take(ebpf: &mut Ebpf) -> Result<Self> {
        Ok(Self {
            flows: take!(ebpf, names::FLOWS),
        })
    }

    /// Removes the flows that are over, and those that `is_cut` says are to end: it is asked of
    /// the forward entry. `now_ns` is the time since boot.
    ///
    /// # Errors
    /// When the map cannot be read or written.
    pub fn sweep(
        &mut self,
        now_ns: u64,
        is_cut: impl Fn(&FlowKey, &Flow) -> bool,
    ) -> Result<Swept> {
        let mut all = Map::new();
        for entry in self.flows.iter() {
            let (key, flow) = entry.map_err(of(names::FLOWS))?;
            all.insert(key, flow);
        }
        let (over, kept) = over(&all, now_ns, is_cut);
        for key in &over {
            gone(self.flows.remove(key), names::FLOWS)?;
        }
        Ok(Swept {
            kept,
            removed: over.iter().filter(|key| is_forward(&all, key)).count(),
        })
    }
}

fn is_forward(all: &Map<FlowKey, Flow>, key: &FlowKey) -> bool {
    all.get(key)
        .is_some_and(|flow| flow.flags & Flow::FORWARD != 0)
}

/// The entries that are to go, forward before back: a packet that comes in between opens a new
/// flow or finds none, and never half of one. And how many flows stay.
fn over(
    all: &Map<FlowKey, Flow>,
    now_ns: u64,
    is_cut: impl Fn(&FlowKey, &Flow) -> bool,
) -> (Vec<FlowKey>, usize) {
    let mut over = Vec::new();
    let mut kept = 0;
    for (key, flow) in all {
        let back = flow.other(key.protocol);
        let other = all.get(&back);
        if flow.flags & Flow::FORWARD == 0 {
            // Alone: its other half was never written, or was removed; but it may be about to be.
            let age = now_ns.saturating_sub(flow.last_ns);
            if flow.last_ns != 0 && other.is_none() && age > ORPHAN_NS {
                over.push(*key);
            }
            continue;
        }
        let nothing = Flow::default();
        let reply = other.unwrap_or(&nothing);
        let last = flow.last_ns.max(reply.last_ns);
        let age = now_ns.saturating_sub(last);
        if age > lifetime_ns(key.protocol, flow, reply) || is_cut(key, flow) {
            over.push(*key);
            if other.is_some() {
                over.push(back);
            }
        } else {
            kept += 1;
        }
    }
    (over, kept)
}

/// How long half of a flow may wait for its other half.
const ORPHAN_NS: u64 = 60_000_000_000;

#[cfg(test)]
mod tests;

//! What is done on each stage and asked there: one function a scenario, in the order of the rows of kube-proxy's
//! semantics. None of them knows which proxy it has before it.

mod endpoints;
mod flows;
mod places;
mod policies;
mod told;

use anyhow::Result;

use crate::facts::{Notes, Web};
use crate::stage::Stage;

/// A scenario: the rows that it shows, its name, and what it does with a Service of its own.
pub struct Scenario {
    pub rows: &'static str,
    pub name: &'static str,
    pub run: fn(&Stage, Web, &mut Notes) -> Result<()>,
}

/// All of them.
#[rustfmt::skip]
pub const ALL: &[Scenario] = &[
    Scenario { rows: "1, 14", name: "ClusterIP", run: places::cluster_ip },
    Scenario { rows: "2", name: "terminating endpoints", run: endpoints::terminating },
    Scenario { rows: "3", name: "no endpoints", run: endpoints::none },
    Scenario { rows: "4", name: "unallocated", run: places::unallocated },
    Scenario { rows: "5, 14, 21", name: "NodePort", run: places::node_port },
    Scenario { rows: "6", name: "load balancer", run: places::balancer },
    Scenario { rows: "7", name: "external addresses", run: places::external },
    Scenario { rows: "8", name: "externalTrafficPolicy Local", run: policies::external_local },
    Scenario { rows: "9", name: "internalTrafficPolicy Local", run: policies::internal_local },
    Scenario { rows: "10", name: "healthCheckNodePort", run: told::health_check_node_port },
    Scenario { rows: "11", name: "session affinity", run: policies::affinity },
    Scenario { rows: "12", name: "source ranges", run: policies::source_ranges },
    Scenario { rows: "13", name: "hairpin", run: places::hairpin },
    Scenario { rows: "15", name: "topology hints", run: policies::hints },
    Scenario { rows: "16", name: "a UDP flow whose backend goes", run: flows::udp_flow },
    Scenario { rows: "–", name: "one client port, two Services, one backend", run: flows::one_port_twice },
    Scenario { rows: "17", name: "not for a proxy", run: endpoints::not_ours },
    Scenario { rows: "18", name: "publishNotReadyAddresses", run: endpoints::published },
    Scenario { rows: "19", name: "healthz", run: told::healthz },
    Scenario { rows: "20", name: "metrics", run: told::metrics },
];

//! Reports about Services, made at the moment of asking.

use std::collections::BTreeMap;

use dataplane::devices::Role;

use super::desired::{Listening, Origin, endpoints, port_key};
use super::object::{Service, ServicePort, Slice};
use super::program::{Inner, Services};
use super::report::{
    BackendReport, FrontendReport, ServicePortReport, ServiceReport, ServicesReport, ServicesStatus,
};
use crate::metrics::ServiceGauges;

/// The answer to `/v1/services`.
pub fn services(services: &Services) -> ServicesReport {
    let inner = services.inner();
    let verdicts = inner.tables.store().verdicts().unwrap_or_default();
    ServicesReport {
        source: services.setup().source.clone(),
        services: inner
            .index
            .services()
            .map(|service| of_service(&inner, service))
            .collect(),
        problems: problems(&inner),
        verdicts: verdicts
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect(),
    }
}

/// A part of the answer to `/v1/status`.
pub fn status(services: &Services) -> ServicesStatus {
    let inner = services.inner();
    let (frontends, backends) = inner.tables.sizes();
    let cgroup = services.setup().cgroup.as_ref();
    ServicesStatus {
        source: services.setup().source.clone(),
        services: inner.index.services().count(),
        frontends,
        backends,
        flows: inner.swept.kept,
        devices: devices(&inner),
        cgroup: cgroup.map(|path| path.display().to_string()),
        synced_at_us: inner.synced_at_us,
        took_ms: inner.took_ms,
    }
}

fn devices(inner: &Inner) -> BTreeMap<String, String> {
    let word = |name: &str, role: Role| match role {
        Role::Pods => "pods",
        Role::Outside if inner.packets.xdp.contains(name) => "outside, XDP",
        Role::Outside => "outside",
    };
    let devices = inner.packets.devices();
    devices
        .map(|(name, role)| (name.to_owned(), word(name, role).to_owned()))
        .collect()
}

/// A part of the metrics page.
pub fn gauges(services: &Services) -> ServiceGauges {
    let inner = services.inner();
    let (frontends, backends) = inner.tables.sizes();
    ServiceGauges {
        frontends,
        backends,
        problems: problems(&inner).len(),
        verdicts: inner.tables.store().verdicts().unwrap_or_default(),
        syncs: services.pulse().syncs(),
        sockets_ended: inner.cuts.ended(),
        flows: inner.swept.kept,
    }
}

/// What of a Service is refused, one line each.
fn refused(inner: &Inner, service: &Service) -> Vec<String> {
    let mut lines = inner.index.refused(&service.name);
    lines.extend(inner.pulse.refused(&service.name));
    lines
}

/// What is wrong, one line each.
pub fn problems(inner: &Inner) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(
        inner
            .unread
            .iter()
            .map(|error| format!("Services cannot be read: {error}")),
    );
    lines.extend(inner.ineffective.clone());
    lines.extend(inner.packets.problems.iter().cloned());
    lines.extend(inner.refused_host_ports.iter().cloned());
    lines.extend(inner.cuts.problem().map(str::to_owned));
    for problem in &inner.problems {
        lines.push(format!(
            "{}, document {}: {}",
            problem.place, problem.document, problem.error
        ));
    }
    for service in inner.index.services() {
        lines.extend(
            refused(inner, service)
                .iter()
                .map(|line| format!("Service {}: {line}", service.name)),
        );
    }
    let failed = inner.failed.iter();
    lines.extend(failed.map(|(port, error)| format!("Service port {port}: {error}")));
    lines
}

fn of_service(inner: &Inner, service: &Service) -> ServiceReport {
    let slices = inner.index.slices_of(&service.name);
    let policy = |local: bool| if local { "Local" } else { "Cluster" }.to_owned();
    ServiceReport {
        name: service.name.clone(),
        kind: service.kind.map_or("none", |kind| kind.as_str()).to_owned(),
        internal_policy: policy(service.internal_local),
        external_policy: policy(service.external_local),
        affinity_seconds: service.affinity_seconds,
        ports: service
            .ports
            .iter()
            .enumerate()
            .map(|(index, port)| of_port(inner, service, index, port, &slices))
            .collect(),
        refused: refused(inner, service),
    }
}

fn of_port(
    inner: &Inner,
    service: &Service,
    index: usize,
    port: &ServicePort,
    slices: &[&Slice],
) -> ServicePortReport {
    let granted = inner.index.granted(&service.name);
    let own = granted
        .iter()
        .filter(|(_, (origin, of))| *origin != Origin::OtherPort && *of == Some(index));
    let frontends = own
        .map(|(frontend, (origin, _))| {
            let programmed = inner.tables.service(frontend);
            FrontendReport {
                address: frontend.address.to_string(),
                port: u16::from_be(frontend.port_be),
                origin: origin.as_str().to_owned(),
                inside: programmed.map_or(0, |service| service.inside_count),
                outside: programmed.map_or(0, |service| service.outside_count),
            }
        })
        .collect();
    let backends = slices
        .iter()
        .flat_map(|slice| {
            let of_slice = endpoints(port, &[*slice]);
            of_slice
                .into_iter()
                .map(|it| of_endpoint(&it, slice))
                .collect::<Vec<_>>()
        })
        .collect();
    ServicePortReport {
        name: port.name.clone(),
        protocol: port.protocol.as_str().to_owned(),
        port: port.port,
        frontends,
        backends,
        error: inner
            .failed
            .get(&port_key(&service.name, Some(port)))
            .cloned(),
    }
}

fn of_endpoint(it: &Listening<'_>, slice: &Slice) -> BackendReport {
    let endpoint = it.endpoint;
    let state = if endpoint.ready {
        "ready"
    } else if endpoint.serving && endpoint.terminating {
        "terminating"
    } else {
        "not-ready"
    };
    BackendReport {
        address: endpoint.address.to_string(),
        port: it.port,
        state: state.to_owned(),
        node: endpoint.node.clone(),
        slice: slice.name.clone(),
    }
}

use std::net::IpAddr;

use abi::{
    Address, Frontend, MaglevKey, MaglevPart, MemberKey, Service as Flags, SlotKey, SocketKey,
    SocketOrigin, SourceRange,
};
use dataplane::store::Snapshot;
use serde_json::json;

use super::judge::Suspects;
use super::*;
use crate::services::fixture::{leaving, objects, ready, service, slice};
use crate::services::node::Here;
use crate::services::object::{Endpoint, Object, Slice};

/// Tables that nobody reads.
#[derive(Debug)]
struct Nowhere;

impl Store for Nowhere {
    fn put_slot(&mut self, _: SlotKey, _: Backend) -> dataplane::Result<()> {
        Ok(())
    }

    fn delete_slot(&mut self, _: SlotKey) -> dataplane::Result<()> {
        Ok(())
    }

    fn put_member(&mut self, _: MemberKey) -> dataplane::Result<()> {
        Ok(())
    }

    fn delete_member(&mut self, _: MemberKey) -> dataplane::Result<()> {
        Ok(())
    }

    fn put_maglev(&mut self, _: MaglevKey, _: &MaglevPart) -> dataplane::Result<()> {
        Ok(())
    }

    fn delete_maglev(&mut self, _: MaglevKey) -> dataplane::Result<()> {
        Ok(())
    }

    fn put_source(&mut self, _: SourceRange, _: u32) -> dataplane::Result<()> {
        Ok(())
    }

    fn delete_source(&mut self, _: SourceRange, _: u32) -> dataplane::Result<()> {
        Ok(())
    }

    fn put_service(&mut self, _: Frontend, _: Flags) -> dataplane::Result<()> {
        Ok(())
    }

    fn delete_service(&mut self, _: Frontend) -> dataplane::Result<()> {
        Ok(())
    }
}

/// What writes Services, reduced to what these tests need.
struct Desk {
    index: Index,
    tables: Tables<Nowhere>,
    cuts: Cuts,
}

impl Desk {
    fn new() -> Self {
        let mut index = Index::default();
        index.set_here(Here {
            name: "n1".to_owned(),
            ..Here::default()
        });
        Self {
            index,
            tables: Tables::new(Nowhere, Snapshot::default()).unwrap(),
            cuts: Cuts::default(),
        }
    }

    /// Writes the objects there are now; the ports that have lost something.
    fn write(&mut self, all: Vec<Object>) -> Vec<String> {
        let names = self.index.update(&objects(all));
        for name in &names {
            let tables = self.index.tables(name);
            let before = self.cuts.known.get(name).into_iter().flatten();
            let mut ports: Vec<_> = before.map(|(key, _)| (key.clone(), None)).collect();
            ports.retain(|(key, _)| !tables.contains_key(key));
            ports.extend(tables.into_iter().map(|(key, table)| (key, Some(table))));
            for outcome in self.tables.change(&ports) {
                outcome.unwrap();
            }
        }
        self.cuts.written(&names, &self.index, &self.tables);
        self.cuts.wanted.ports.values().cloned().collect()
    }

    /// What would be asked, as if it were asked.
    fn ask(&mut self) -> Question {
        let scope = std::mem::take(&mut self.cuts.wanted);
        self.cuts.question(&scope)
    }
}

fn dns() -> Object {
    let ports = json!({"ports": [
        {"name": "u", "port": 53, "protocol": "UDP"}, {"name": "t", "port": 53, "protocol": "TCP"},
    ]});
    Object::Service(Box::new(service("dns", "10.96.0.10", &ports)))
}

fn of_dns(endpoints: Vec<Endpoint>) -> Object {
    let mut slice: Slice = slice("dns", endpoints);
    let nameless = slice.ports.remove(0);
    for (name, protocol) in [("u", Protocol::Udp), ("t", Protocol::Tcp)] {
        let mut port = nameless.clone();
        (port.name, port.protocol) = (name.to_owned(), protocol);
        slice.ports.push(port);
    }
    Object::Slice(Box::new(slice))
}

fn at(ip: &str) -> Place {
    (ip.parse::<IpAddr>().unwrap().into(), 8080_u16.to_be())
}

fn entry(cookie: u64, ip: &str, protocol: Protocol, port_id: u32) -> (SocketKey, SocketOrigin) {
    let (address, port_be) = at(ip);
    let key = SocketKey {
        cookie,
        address,
        port_be,
        protocol: protocol.number(),
        pad: [0; 5],
    };
    let origin = SocketOrigin {
        address: Address::default(),
        port_id,
        port_be: 53_u16.to_be(),
        pad: 0,
    };
    (key, origin)
}

fn a_question(are_all: bool) -> Question {
    let living = [at("10.0.0.1")].into();
    let key = "default/dns:53/UDP".to_owned();
    Question {
        ports: [(7, Port { key, living })].into(),
        are_all,
    }
}

#[test]
fn a_backend_is_gone_only_for_udp_and_only_from_its_own_port() {
    let vanished = |question: &Question, ip, protocol, id| {
        let (key, origin) = entry(1, ip, protocol, id);
        question.is_vanished(&key, &origin)
    };
    let some = a_question(false);
    assert!(!vanished(&some, "10.0.0.1", Protocol::Udp, 7));
    assert!(vanished(&some, "10.0.0.2", Protocol::Udp, 7));
    assert!(!vanished(&some, "10.0.0.2", Protocol::Tcp, 7));
    // Of ports that were not asked about nothing is known, unless they are none.
    assert!(!vanished(&some, "10.0.0.2", Protocol::Udp, 8));
    let all = a_question(true);
    assert!(vanished(&all, "10.0.0.1", Protocol::Udp, 8));
    assert!(!vanished(&all, "10.0.0.1", Protocol::Udp, 7));
    assert!(!vanished(&all, "10.0.0.1", Protocol::Tcp, 8));
}

#[test]
fn the_same_place_at_another_port_is_another_backend() {
    let (mut key, origin) = entry(1, "10.0.0.1", Protocol::Udp, 7);
    key.port_be = 8081_u16.to_be();
    assert!(a_question(false).is_vanished(&key, &origin));
}

#[test]
fn only_a_socket_that_is_connected_to_that_backend_is_ended() {
    let suspects = Suspects::of([
        entry(1, "10.0.0.2", Protocol::Udp, 7),
        entry(1, "fd00::2", Protocol::Udp, 8),
        entry(2, "10.0.0.2", Protocol::Udp, 7),
    ]);
    let port = |cookie, peer| suspects.doom(cookie, peer).map(|(_, port_id)| port_id);
    assert_eq!(port(1, Some(at("10.0.0.2"))), Some(7));
    assert_eq!(port(1, Some(at("fd00::2"))), Some(8));
    // It has gone to another by now; it is not connected; it went there by itself.
    assert_eq!(port(1, Some(at("10.0.0.1"))), None);
    assert_eq!(port(1, None), None);
    assert_eq!(port(3, Some(at("10.0.0.2"))), None);
}

#[test]
fn entries_are_needless_whose_socket_is_no_more_or_elsewhere() {
    let entries: Vec<_> = (1..=4)
        .map(|cookie| entry(cookie, "10.0.0.2", Protocol::Udp, 7))
        .collect();
    let suspects = Suspects::of(entries.clone());
    let seen = BTreeMap::from([
        (1, Some(at("10.0.0.2"))),
        (2, Some(at("10.0.0.1"))),
        (3, None),
        (9, None),
    ]);
    assert_eq!(suspects.needless(&seen), [entries[1].0, entries[3].0]);
    assert!(!suspects.are_among(&seen));
    assert!(Suspects::of(entries[..3].to_vec()).are_among(&seen));
}

#[test]
fn a_change_tells_which_udp_port_has_lost_a_backend() {
    let mut desk = Desk::new();
    let [one, two] = ["10.0.0.1", "10.0.0.2"].map(|ip| ready(ip, "n1"));
    let both = vec![one.clone(), two.clone()];
    let lost = ["default/dns:53/UDP"];
    // What comes takes nothing from anybody.
    assert_eq!(desk.write(vec![dns()]), [""; 0]);
    assert_eq!(desk.write(vec![dns(), of_dns(both.clone())]), [""; 0]);
    assert_eq!(desk.write(vec![dns(), of_dns(vec![one])]), lost);
    let question = desk.ask();
    let port = question.ports.values().next().unwrap();
    assert_eq!(port.living, [at("10.0.0.1")].into());
    assert_eq!(desk.write(vec![dns(), of_dns(vec![])]), lost);
    assert!(desk.ask().ports.values().all(|port| port.living.is_empty()));
    assert_eq!(desk.write(vec![dns(), of_dns(both)]), [""; 0]);
    assert_eq!(desk.write(vec![]), lost);
    let question = desk.ask();
    assert!(question.ports.values().all(|port| port.living.is_empty()));
    assert!(desk.cuts.known.is_empty());
}

#[test]
fn who_is_on_the_way_out_or_less_near_keeps_its_clients_until_it_serves_no_more() {
    let mut desk = Desk::new();
    let (one, two) = (ready("10.0.0.1", "n1"), ready("10.0.0.2", "n1"));
    desk.write(vec![dns(), of_dns(vec![one.clone(), two.clone()])]);
    let leaves = of_dns(vec![leaving("10.0.0.1", "n1"), two.clone()]);
    assert_eq!(desk.write(vec![dns(), leaves]), [""; 0]);
    let mut here = two.clone();
    here.nodes = vec!["n1".to_owned()];
    let mut elsewhere = one.clone();
    elsewhere.nodes = vec!["n2".to_owned()];
    let hinted = of_dns(vec![elsewhere, here]);
    assert_eq!(desk.write(vec![dns(), hinted]), [""; 0]);
    let mut silent = leaving("10.0.0.1", "n1");
    silent.serving = false;
    assert_eq!(
        desk.write(vec![dns(), of_dns(vec![silent, two])]),
        ["default/dns:53/UDP"]
    );
}

#[test]
fn after_the_first_sync_all_ports_are_in_question() {
    let mut desk = Desk::new();
    desk.write(vec![dns(), of_dns(vec![ready("10.0.0.1", "n1")])]);
    desk.cuts.all();
    let question = desk.ask();
    assert!(question.are_all);
    let (id, port) = question.ports.first_key_value().unwrap();
    assert_eq!(question.ports.len(), 1);
    assert_eq!(port.living, [at("10.0.0.1")].into());
    assert_eq!(question.name(*id), "default/dns:53/UDP");
    assert_eq!(question.name(999), "of a Service that is gone");
}

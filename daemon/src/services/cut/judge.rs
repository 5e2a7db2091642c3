//! Which sockets are to be ended: pure.

use std::collections::{BTreeMap, BTreeSet};

use abi::{Address, Backend, SocketKey, SocketOrigin};
use dataplane::tables::PortKey;

use crate::services::object::Protocol;

/// Where a backend listens: its address, and its port in network byte order.
pub type Place = (Address, u16);

/// The place of a backend.
pub fn place(backend: &Backend) -> Place {
    (backend.address, backend.port_be)
}

/// A UDP port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// What it is called.
    pub key: PortKey,
    /// Where its backends are; nowhere for a port that is gone.
    pub living: BTreeSet<Place>,
}

/// The ports whose sockets are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Question {
    /// The ports by their ids.
    pub ports: BTreeMap<u32, Port>,
    /// Whether these are all there are: any other is gone.
    pub are_all: bool,
}

impl Question {
    /// Whether a socket was given a backend that is gone, or by a Service port that is.
    ///
    /// UDP alone: kube-proxy cuts such flows, as a client of UDP would not learn otherwise that nobody is there. A TCP
    /// connection is its two ends' affair, and kube-proxy leaves it alone: a backend that has left its Service goes on
    /// with the connections it has, and one that has died is found out by TCP itself.
    pub fn is_vanished(&self, key: &SocketKey, origin: &SocketOrigin) -> bool {
        if key.protocol != Protocol::Udp.number() {
            return false;
        }
        match self.ports.get(&origin.port_id) {
            Some(port) => !port.living.contains(&(key.address, key.port_be)),
            None => self.are_all,
        }
    }

    /// What a port is called.
    pub fn name(&self, port_id: u32) -> &str {
        self.ports
            .get(&port_id)
            .map_or("of a Service that is gone", |port| &port.key)
    }
}

/// Sockets that were given a backend which is gone, with the id of the Service port. One that has asked several times
/// has several entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suspects {
    by_cookie: BTreeMap<u64, BTreeMap<Place, (SocketKey, u32)>>,
}

impl Suspects {
    /// Those that the entries name.
    pub fn of(entries: impl IntoIterator<Item = (SocketKey, SocketOrigin)>) -> Self {
        let mut suspects = Self::default();
        for (key, origin) in entries {
            let of_socket = suspects.by_cookie.entry(key.cookie).or_default();
            of_socket.insert((key.address, key.port_be), (key, origin.port_id));
        }
        suspects
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_cookie.is_empty()
    }

    /// The entry for which a socket that is connected to `peer` is to be ended, with the id of the Service port. A
    /// socket that is not connected is none: it is given a backend anew at each send.
    pub fn doom(&self, cookie: u64, peer: Option<Place>) -> Option<(SocketKey, u32)> {
        self.by_cookie.get(&cookie)?.get(&peer?).copied()
    }

    /// Whether all of them are among those seen.
    pub fn are_among(&self, seen: &BTreeMap<u64, Option<Place>>) -> bool {
        self.by_cookie
            .keys()
            .all(|cookie| seen.contains_key(cookie))
    }

    /// The entries nobody needs, with the peers of all sockets there are: those of sockets that are no more, or are
    /// connected to another by now. One that is not connected may still get an answer from a backend on its way out,
    /// which its entry gives the Service's address.
    pub fn needless(&self, seen: &BTreeMap<u64, Option<Place>>) -> Vec<SocketKey> {
        let mut needless = Vec::new();
        for (cookie, entries) in &self.by_cookie {
            let peer = match seen.get(cookie) {
                Some(None) => continue,
                Some(Some(peer)) => Some(peer),
                None => None,
            };
            let others = entries.iter().filter(|(place, _)| Some(*place) != peer);
            needless.extend(others.map(|(_, (key, _))| *key));
        }
        needless
    }
}

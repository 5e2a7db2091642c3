//! The kernel's tables, read from their pins as anybody could: what has arrived there, and what it weighs.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use abi::{Backend, Frontend, Service, SlotKey, names};
use anyhow::{Context, Result};
use aya::maps::{HashMap, Map, MapData};
use dataplane::pins::Pins;

/// The number of TCP.
const TCP: u8 = 6;

/// Pinned tables of Services, open.
pub struct Pinned {
    services: HashMap<MapData, Frontend, Service>,
    slots: HashMap<MapData, SlotKey, Backend>,
}

impl Pinned {
    /// Those below a directory of pins.
    ///
    /// # Errors
    /// When they are not there yet.
    pub fn open(bpf_dir: &Path) -> Result<Self> {
        let open = |name| -> Result<Map> {
            let data = MapData::from_pin(Pins::new(bpf_dir).map(name))?;
            Ok(Map::from_map_data(data)?)
        };
        Ok(Self {
            services: open(names::SERVICES)?.try_into()?,
            slots: open(names::SLOTS)?.try_into()?,
        })
    }

    /// What is at an address and a TCP port; none if nothing is.
    pub fn service(&self, address: Ipv4Addr, port: u16) -> Option<Service> {
        let frontend = Frontend {
            address: IpAddr::V4(address).into(),
            port_be: port.to_be(),
            protocol: TCP,
            pad: 0,
        };
        self.services.get(&frontend, 0).ok()
    }

    /// Whether the set that a Service has for clients inside has a backend.
    pub fn has_backend(&self, service: &Service, address: Ipv4Addr) -> bool {
        let wanted = abi::Address::from(IpAddr::V4(address));
        (0..service.inside_count).any(|slot| {
            let set = service.inside_set;
            let backend = self.slots.get(&SlotKey { set, slot }, 0);
            backend.is_ok_and(|backend| backend.address == wanted)
        })
    }
}

/// Bytes of the memory of each pinned table, by name, as the kernel accounts for it.
///
/// # Errors
/// When one cannot be opened.
pub fn memory(bpf_dir: &Path) -> Result<Vec<(&'static str, u64)>> {
    let pins = Pins::new(bpf_dir);
    names::MAPS
        .iter()
        .map(|name| {
            let data = MapData::from_pin(pins.map(name))
                .with_context(|| format!("cannot open the table {name}"))?;
            let fd = data.fd().as_fd().as_raw_fd();
            let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))?;
            let bytes = text
                .lines()
                .find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok());
            Ok((*name, bytes.context("the kernel tells no memlock")?))
        })
        .collect()
}

//! What the programs know of the node: its addresses, its pods, the networks of all pods.

use std::collections::BTreeMap;

use abi::{Address, DeviceAddresses, MAPPED_BITS, Node, Pod, names};
use aya::Ebpf;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, MapData};

use crate::error::Result;
use crate::maps::{gone, of, take};

/// What the node's tables should hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    /// The node.
    pub node: Node,
    /// Addresses of devices, by index.
    pub devices: BTreeMap<u32, DeviceAddresses>,
    /// Pods behind routed ports.
    pub pods: BTreeMap<Address, Pod>,
    /// Networks of pods, each with its length in bits of an [`Address`].
    pub cluster: BTreeMap<(Address, u32), ()>,
}

/// The length of a prefix in bits of an [`Address`].
pub fn bits(network: std::net::IpAddr, prefix: u8) -> u32 {
    let mapped = if network.is_ipv4() { MAPPED_BITS } else { 0 };
    mapped + u32::from(prefix)
}

/// The node's tables.
pub struct NodeTables {
    node: Array<MapData, Node>,
    devices: HashMap<MapData, u32, DeviceAddresses>,
    pods: HashMap<MapData, Address, Pod>,
    cluster: LpmTrie<MapData, Address, u32>,
    /// What they hold.
    now: Scene,
}

impl std::fmt::Debug for NodeTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeTables")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl NodeTables {
    pub(crate) fn take(ebpf: &mut Ebpf) -> Result<Self> {
        let mut tables = Self {
            node: take!(ebpf, names::NODE),
            devices: take!(ebpf, names::DEVICES),
            pods: take!(ebpf, names::PODS),
            cluster: take!(ebpf, names::CLUSTER),
            now: Scene::default(),
        };
        tables.now = tables.read()?;
        Ok(tables)
    }

    /// What an earlier run has left.
    fn read(&self) -> Result<Scene> {
        let devices: std::result::Result<_, _> = self.devices.iter().collect();
        let pods: std::result::Result<_, _> = self.pods.iter().collect();
        let cluster: std::result::Result<_, _> = self
            .cluster
            .keys()
            .map(|key| key.map(|key| ((key.data(), key.prefix_len()), ())))
            .collect();
        Ok(Scene {
            node: self.node.get(&0, 0).map_err(of(names::NODE))?,
            devices: devices.map_err(of(names::DEVICES))?,
            pods: pods.map_err(of(names::PODS))?,
            cluster: cluster.map_err(of(names::CLUSTER))?,
        })
    }

    /// Makes the tables what they should be: only what is another is written.
    ///
    /// # Errors
    /// When a table is full, or the kernel refuses; the rest is as it was, and the next call
    /// goes on from there.
    pub fn set(&mut self, wanted: &Scene) -> Result<()> {
        if self.now.node != wanted.node {
            self.node.set(0, wanted.node, 0).map_err(of(names::NODE))?;
            self.now.node = wanted.node;
        }
        let devices = &mut self.devices;
        settle(&mut self.now.devices, &wanted.devices, |step| match step {
            Step::Put(key, value) => devices.insert(key, value, 0).map_err(of(names::DEVICES)),
            Step::Delete(key) => gone(devices.remove(key), names::DEVICES),
        })?;
        let pods = &mut self.pods;
        settle(&mut self.now.pods, &wanted.pods, |step| match step {
            Step::Put(key, value) => pods.insert(key, value, 0).map_err(of(names::PODS)),
            Step::Delete(key) => gone(pods.remove(key), names::PODS),
        })?;
        let cluster = &mut self.cluster;
        settle(&mut self.now.cluster, &wanted.cluster, |step| match step {
            Step::Put((address, bits), ()) => cluster
                .insert(&Key::new(*bits, *address), 1, 0)
                .map_err(of(names::CLUSTER)),
            Step::Delete((address, bits)) => {
                gone(cluster.remove(&Key::new(*bits, *address)), names::CLUSTER)
            }
        })
    }
}

/// One write.
enum Step<'a, K, V> {
    Put(&'a K, &'a V),
    Delete(&'a K),
}

/// Writes what is another, and removes what should not be.
fn settle<K: Ord + Copy, V: Eq + Copy>(
    now: &mut BTreeMap<K, V>,
    wanted: &BTreeMap<K, V>,
    mut write: impl FnMut(Step<'_, K, V>) -> Result<()>,
) -> Result<()> {
    let surplus: Vec<K> = now
        .keys()
        .filter(|key| !wanted.contains_key(key))
        .copied()
        .collect();
    for key in surplus {
        write(Step::Delete(&key))?;
        now.remove(&key);
    }
    for (key, value) in wanted {
        if now.get(key) != Some(value) {
            write(Step::Put(key, value))?;
            now.insert(*key, *value);
        }
    }
    Ok(())
}

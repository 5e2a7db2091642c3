//! The programs as the kernel runs them, one packet at a time, with the tables that the daemon would write.

use std::collections::HashMap as Map;
use std::fmt::Write;
use std::net::IpAddr;

use abi::{Flow, FlowKey, Frontend, REFUSE_MARK, Service, Verdict, names};
use anyhow::{Context, Result, ensure};
use aya::maps::{HashMap, MapData};
use aya::programs::{Program, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader, Pod};
use dataplane::loader::Dataplane;
use dataplane::maps::Maps;
use dataplane::node::{NodeTables, Scene};
use dataplane::pins::Pins;
use dataplane::store::Snapshot;
use dataplane::sync::Tables;
use tests::bpffs::BpfFs;
use tests::netns::Netns;
use tests::packet::{Body, Packet, oracle};

use crate::{served, world};

/// The object that the library has too.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("BERTH_EBPF_OBJECT"));

/// A device of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Lan,
    Wan,
    Port,
}

/// A program at a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `from_pod`, at the host end of a pod's port.
    Pod,
    /// The same at another device, as if it were a bridge's own port.
    PodBy(Device),
    /// `from_outside`.
    Outside(Device),
    /// `to_device`.
    Leaving(Device),
    /// `xdp_outside`.
    Xdp(Device),
}

/// What is to become of a packet.
#[derive(Clone, Debug)]
pub enum Out {
    /// It goes on as it is.
    Same,
    /// It goes on as another.
    Passed(Packet),
    /// It is dropped.
    Dropped,
    /// It goes on with the mark that the node refuses.
    Refused,
    /// It is sent from here.
    Sent(Packet),
    /// It is sent from here, with a port of the node's in place of its own.
    SentAsNode(Packet),
}

/// What became of one.
#[derive(Debug)]
pub struct Ran {
    pub code: u32,
    pub mark: u32,
    pub bytes: Vec<u8>,
    pub verdicts: Vec<(&'static str, u64)>,
}

const TC_OK: u32 = 0;
const TC_SHOT: u32 = 2;
const TC_REDIRECT: u32 = 7;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

fn clear<K: Pod, V: Pod>(mut map: HashMap<MapData, K, V>) -> Result<()> {
    let keys: Vec<K> = map.keys().collect::<Result<_, _>>()?;
    for key in keys {
        map.remove(&key)?;
    }
    Ok(())
}

fn find<'a>(programs: &'a mut Ebpf, name: &str) -> Result<&'a mut Program> {
    programs.program_mut(name).context("no such program")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The node, in the namespace of the thread.
pub struct Rig {
    programs: Ebpf,
    pub tables: Tables<Maps>,
    pub node: NodeTables,
    pub scene: Scene,
    bpf: BpfFs,
    lan: u32,
    wan: u32,
    port: u32,
    cases: usize,
    failures: String,
    /// The node's port that the last packet sent with its address got.
    pub snat: u16,
}

impl Rig {
    /// Makes one, with a table for that many entries of flows. To be called in the namespace.
    pub fn new(netns: &Netns, flows: u32) -> Result<Self> {
        world::set_up(netns)?;
        let bpf = BpfFs::new()?;
        let pins = Pins::new(&bpf.path().join("berth"));
        pins.prepare()?;
        // The test's own programs make the maps; the library takes them over, as after a restart.
        let mut loader = EbpfLoader::new();
        for name in names::MAPS {
            loader.map_pin_path(name, pins.map(name));
        }
        loader.map_max_entries(names::FLOWS, flows);
        let mut programs = loader.load(OBJECT)?;
        for name in names::PACKET_PROGRAMS {
            let program: &mut SchedClassifier = find(&mut programs, name)?.try_into()?;
            program.load()?;
        }
        let program: &mut Xdp = find(&mut programs, names::XDP_PROGRAM)?.try_into()?;
        program.load()?;
        let (mut dataplane, maps) = Dataplane::load(&bpf.path().join("berth"), None)?;
        let mut tables = Tables::new(maps, Snapshot::default())?;
        for outcome in tables.change(&served::ports()) {
            outcome?;
        }
        let index = |name| Ok::<_, anyhow::Error>(nix::net::if_::if_nametoindex(name)?);
        let (lan, wan, port) = (index("lan")?, index("wan")?, index("port")?);
        let scene = world::scene(lan, wan, port);
        let mut node = dataplane.node_tables()?;
        node.set(&scene)?;
        Ok(Self {
            programs,
            tables,
            node,
            scene,
            bpf,
            lan,
            wan,
            port,
            cases: 0,
            failures: String::new(),
            snat: 0,
        })
    }

    /// A pinned map.
    pub fn map<K: Pod, V: Pod>(&self, name: &str) -> Result<HashMap<MapData, K, V>> {
        let pins = Pins::new(&self.bpf.path().join("berth"));
        let map = aya::maps::Map::from_map_data(MapData::from_pin(pins.map(name))?)?;
        Ok(map.try_into()?)
    }

    /// The flows.
    pub fn flows(&self) -> Result<Map<FlowKey, Flow>> {
        let map = self.map(names::FLOWS)?;
        Ok(map.iter().collect::<Result<_, _>>()?)
    }

    /// Forgets all flows.
    pub fn forget_flows(&mut self) -> Result<()> {
        clear(self.map::<FlowKey, Flow>(names::FLOWS)?)
    }

    /// Forgets all flows, fragments and affinities.
    pub fn forget(&mut self) -> Result<()> {
        self.forget_flows()?;
        clear(self.map::<abi::FragmentKey, abi::FragmentPorts>(names::FRAGMENTS)?)?;
        clear(self.map::<abi::AffinityKey, abi::AffinityValue>(names::AFFINITY)?)
    }

    /// Writes a frontend past all that looks after it.
    pub fn put_service(&mut self, at: Frontend, service: Service) -> Result<()> {
        Ok(self.map(names::SERVICES)?.insert(at, service, 0)?)
    }

    /// Changes what the programs know of the node.
    pub fn change_node(&mut self, change: impl FnOnce(&mut abi::Node)) -> Result<()> {
        change(&mut self.scene.node);
        Ok(self.node.set(&self.scene)?)
    }

    fn index(&self, device: Device) -> u32 {
        match device {
            Device::Lan => self.lan,
            Device::Wan => self.wan,
            Device::Port => self.port,
        }
    }

    /// Runs a program over a packet.
    pub fn run(&mut self, hook: Hook, frame: &[u8]) -> Result<Ran> {
        let before = self.tables.store().verdicts()?;
        // The fields of __sk_buff and xdp_md that are set: the index of a device, the length.
        let mut context = [0_u8; 44];
        let (name, device) = match hook {
            Hook::Pod => ("from_pod", Device::Port),
            Hook::PodBy(device) => ("from_pod", device),
            Hook::Outside(device) => ("from_outside", device),
            Hook::Leaving(device) => ("to_device", device),
            Hook::Xdp(device) => (names::XDP_PROGRAM, device),
        };
        let (mut bytes, mut after) = (vec![0; 8192], [0_u8; 256]);
        let index = self.index(device).to_ne_bytes();
        let xdp = matches!(hook, Hook::Xdp(_));
        let length = if xdp {
            context[4..8].copy_from_slice(&u32::try_from(frame.len())?.to_ne_bytes());
            context[12..16].copy_from_slice(&index);
            24
        } else {
            context[40..44].copy_from_slice(&index);
            44
        };
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut bytes),
            ctx_in: Some(&context[..length]),
            ctx_out: Some(&mut after),
            ..TestRunOptions::new()
        };
        let program = find(&mut self.programs, name)?;
        let ran = if xdp {
            let program: &mut Xdp = program.try_into()?;
            program.test_run(options)?
        } else {
            let program: &mut SchedClassifier = program.try_into()?;
            program.test_run(options)?
        };
        bytes.truncate(usize::try_from(ran.data_size_out)?);
        let verdicts = self.tables.store().verdicts()?;
        let counted = verdicts.iter().zip(before);
        Ok(Ran {
            code: ran.return_value,
            mark: if xdp {
                0
            } else {
                u32::from_ne_bytes(after[8..12].try_into()?)
            },
            bytes,
            verdicts: counted
                .map(|((name, now), (_, before))| (*name, now - before))
                .filter(|(_, more)| *more != 0)
                .collect(),
        })
    }

    /// A case: what is to become of a packet, and which verdict is counted, that alone and once.
    pub fn case(&mut self, what: &str, hook: Hook, packet: &Packet, verdict: Verdict, out: Out) {
        self.bytes(what, hook, &packet.bytes(), verdict, out);
    }

    /// The same with a packet of any bytes.
    pub fn bytes(&mut self, what: &str, hook: Hook, frame: &[u8], verdict: Verdict, out: Out) {
        self.cases += 1;
        let outcome = self
            .run(hook, frame)
            .and_then(|ran| self.compare(hook, frame, verdict, out, &ran));
        if let Err(error) = outcome {
            let _ = writeln!(self.failures, "{what}, {hook:?}: {error:#}");
        }
    }

    /// A packet from outside with which a flow may begin, at both hooks: what the earlier one
    /// cannot serve (`xdp` false) it leaves as it is to the later one.
    pub fn both(&mut self, what: &str, packet: &Packet, verdict: Verdict, out: Out, xdp: bool) {
        let mut outcome = self.forget();
        if xdp {
            self.case(what, Hook::Xdp(Device::Lan), packet, verdict, out.clone());
        } else {
            let left = Verdict::PacketToTc;
            self.case(what, Hook::Xdp(Device::Lan), packet, left, Out::Same);
        }
        outcome = outcome.and_then(|()| self.forget());
        self.case(what, Hook::Outside(Device::Lan), packet, verdict, out);
        if let Err(error) = outcome {
            let _ = writeln!(self.failures, "{what}: {error:#}");
        }
    }

    fn compare(
        &mut self,
        hook: Hook,
        frame: &[u8],
        verdict: Verdict,
        out: Out,
        ran: &Ran,
    ) -> Result<()> {
        let name = Verdict::ALL[verdict as usize].1;
        ensure!(
            ran.verdicts == [(name, 1)],
            "verdicts {:?}, not {name}",
            ran.verdicts
        );
        let xdp = matches!(hook, Hook::Xdp(_));
        let (passed, dropped, sent) = if xdp {
            (XDP_PASS, XDP_DROP, XDP_TX)
        } else {
            (TC_OK, TC_SHOT, TC_REDIRECT)
        };
        let refused = matches!(out, Out::Refused) && !xdp;
        let mark = if refused { REFUSE_MARK } else { 0 };
        ensure!(ran.mark == mark, "mark {:x}, not {mark:x}", ran.mark);
        let (code, expected) = match out {
            Out::Same | Out::Refused => (passed, Some(frame.to_vec())),
            Out::Passed(packet) => (passed, Some(packet.bytes())),
            // What is dropped may have been changed in part.
            Out::Dropped => (dropped, None),
            Out::Sent(packet) => (sent, Some(packet.bytes())),
            Out::SentAsNode(packet) => {
                let port = self.own_port(&packet, ran)?;
                let from = world::at(packet.source, port);
                (sent, Some(packet.from(from).bytes()))
            }
        };
        ensure!(ran.code == code, "code {}, not {code}", ran.code);
        if let Some(expected) = expected {
            let (is, should) = (hex(&ran.bytes), hex(&expected));
            ensure!(ran.bytes == expected, "packet\n  {is}, not\n  {should}");
            if ran.bytes != frame {
                oracle::check(&ran.bytes).context("the second opinion")?;
            }
        }
        Ok(())
    }

    /// The port that a packet got with the node's address: one of those, and no NodePort.
    fn own_port(&mut self, packet: &Packet, ran: &Ran) -> Result<u16> {
        let at = packet.transport();
        let port = ran.bytes.get(at..at + 2).context("no ports")?;
        let port = u16::from_be_bytes([port[0], port[1]]);
        let Body::Ports { protocol, .. } = packet.body else {
            anyhow::bail!("no ports");
        };
        if protocol.number() != 132 {
            let node = &self.scene.node;
            let range = node.first_port..node.first_port + node.port_count;
            ensure!(range.contains(&port), "port {port} is not the node's");
        }
        ensure!(
            !self.is_frontend(packet.source, port, protocol.number()),
            "port {port} is a NodePort"
        );
        self.snat = port;
        Ok(port)
    }

    fn is_frontend(&self, address: IpAddr, port: u16, protocol: u8) -> bool {
        let frontend = Frontend {
            address: address.into(),
            port_be: port.to_be(),
            protocol,
            pad: 0,
        };
        self.tables.service(&frontend).is_some()
    }

    /// A case of another kind: anything that is to hold.
    pub fn holds(&mut self, what: &str, is: bool) {
        self.cases += 1;
        if !is {
            let _ = writeln!(self.failures, "{what}: it is not so");
        }
    }

    /// The end: tells all failures at once.
    pub fn finish(self, topic: &str) -> Result<()> {
        println!("{topic}: {} cases", self.cases);
        ensure!(self.failures.is_empty(), "{topic}:\n{}", self.failures);
        Ok(())
    }
}

//! One proxy at work: a node with pods, a wire with a client and another node, and berthd or the real kube-proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::netns::Netns;
use tests::node::Pod;

use crate::api::{self, Api, Program};
use crate::lan::{CLIENT_V4, CLIENT_V6, Lan, REMOTE_V4, REMOTE_V6};
use crate::rig::{NODE_V4, NODE_V6, Rig};

/// Where the pods of this node are: clients elsewhere are off the cluster for both proxies.
const PODS: &str = "10.88.0.0/16,fd00:88::/64";
/// Addresses that take NodePorts.
const NODE_PORTS: [&str; 2] = ["192.0.2.0/24", "2001:db8::/32"];
/// After the rules kube-proxy takes the kernel's memory of flows away which are not in force any more.
const TIDY: Duration = Duration::from_millis(300);
/// Enough that none of three backends is left out by chance.
const MANY: usize = 40;

/// What balances on a stage.
enum Proxy {
    Berth,
    Kube(Program),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The client on the wire.
    Outside,
    /// A pod whose sockets no program sees: in packets.
    Pod,
    /// Another pod, where berth sees its sockets: by its address and ports no flow in packets is known.
    Socket,
    /// The node itself; its sockets are seen.
    Node,
    /// The pod of `b0`, in packets.
    Itself,
    /// The same pod, where berth sees its sockets.
    ItselfSocket,
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            From::Outside => "the client outside",
            From::Pod => "a pod in packets",
            From::Socket => "a pod by its socket",
            From::Node => "the node by its socket",
            From::Itself => "b0 itself in packets",
            From::ItselfSocket => "b0 itself by its socket",
        })
    }
}

/// A node with its proxy.
pub struct Stage<'a> {
    pub rig: Rig,
    pub lan: Lan,
    pub client: Pod,
    seen: Pod,
    proxy: Proxy,
    api: Option<&'a Api>,
    objects: Mutex<BTreeMap<String, Value>>,
    barrier: AtomicU16,
}

impl<'a> Stage<'a> {
    /// With berthd.
    pub fn berth() -> Result<Self> {
        let (mut rig, lan) = Rig::on_a_wire(2)?;
        // Another address of the node, as the other stage has one to its API server.
        rig.node
            .netns
            .sh(&format!("ip addr add {}/32 dev lo", api::NODE))?;
        rig.start_with(&["--cluster-cidr", PODS])?;
        Self::set(rig, lan, Proxy::Berth, None)
    }

    /// With kube-proxy in its nftables mode.
    pub fn kube(api: &'a Api) -> Result<Self> {
        let (rig, lan) = Rig::on_a_wire(2)?;
        api.plug(&rig.node.netns)?;
        api.apply(&node())?;
        let none = json!({
            "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
            "udpTimeout": "0s", "udpStreamTimeout": "0s",
        });
        let config = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "mode": "nftables", "hostnameOverride": "n1", "clusterCIDR": PODS,
            "clientConnection": {"kubeconfig": api.kubeconfig()}, "conntrack": none,
            "nodePortAddresses": NODE_PORTS, "nftables": {"minSyncPeriod": "20ms"},
        });
        let path = api.directory().join("kube-proxy.yaml");
        fs::write(&path, config.to_string())?;
        let arguments = [format!("--config={}", path.display())];
        let proxy = Program::start(&rig.node.netns, "kube-proxy", api.directory(), &arguments)?;
        Self::set(rig, lan, Proxy::Kube(proxy), Some(api))
    }

    fn set(rig: Rig, lan: Lan, proxy: Proxy, api: Option<&'a Api>) -> Result<Self> {
        // A refusal of each packet is to be seen, not one a second.
        rig.node
            .netns
            .sh("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")?;
        let client = rig.node.add_pod("client")?;
        let seen = rig.node.add_pod("seen")?;
        Ok(Self {
            rig,
            lan,
            client,
            seen,
            proxy,
            api,
            objects: Mutex::default(),
            barrier: AtomicU16::default(),
        })
    }

    /// Whether it is berth's.
    pub fn is_berth(&self) -> bool {
        matches!(self.proxy, Proxy::Berth)
    }

    /// Lets there be these objects and no others, and returns when the proxy has them in force.
    pub fn apply(&self, objects: &[Value]) -> Result<()> {
        let number = self.barrier.fetch_add(1, Ordering::Relaxed);
        let vip = format!("10.96.{}.{}", 100 + number / 250, 1 + number % 250);
        let mut wanted: Vec<Value> = objects.to_vec();
        if !objects.iter().any(|object| object["kind"] == "Node") {
            wanted.push(node());
        }
        // Whoever serves this has seen the Services and slices that came before it.
        wanted.extend(self.last(number, &vip));
        match self.api {
            None => self.rig.write("all.yaml", &wanted)?,
            Some(api) => {
                let now = wanted
                    .iter()
                    .map(|object| Ok((api::path_of(object)?, object.clone())))
                    .collect::<Result<BTreeMap<_, _>>>()?;
                let mut kept = self.objects.lock().expect("nobody panics with it");
                let before = std::mem::replace(&mut *kept, now.clone());
                for (path, object) in &before {
                    if !now.contains_key(path) {
                        api.delete(object)?;
                    }
                }
                for object in &wanted {
                    if before.get(&api::path_of(object)?) != Some(object) {
                        api.apply(object)?;
                    }
                }
            }
        }
        let served = |line: &str| line.starts_with("b0");
        let at = ("tcp", vip.as_str(), 80);
        let served = self.rig.await_bare(&self.client.netns, at, served);
        served.with_context(|| match &self.proxy {
            Proxy::Berth => String::from("berth does not serve what was written last"),
            Proxy::Kube(program) => format!("kube-proxy said:\n{}", program.said()),
        })?;
        thread::sleep(TIDY);
        Ok(())
    }

    /// Lets there be Service `web` alone, with these backends in its slices.
    pub fn serve(&self, service: &Value, backends: &[&str]) -> Result<()> {
        let mut objects = self.slices(backends, |_, _| {});
        objects.push(service.clone());
        self.apply(&objects)
    }

    /// A Service at `vip` with `b0` behind it.
    fn last(&self, number: u16, vip: &str) -> [Value; 2] {
        let name = format!("last-{number}");
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "type": "ClusterIP", "clusterIP": vip, "clusterIPs": [vip],
                "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                "ports": [{"name": "t", "port": 80, "protocol": "TCP"}],
            },
        });
        let mut slice = self.rig.slice(&name, true, &[0]);
        slice["ports"].as_array_mut().expect("a list").truncate(1);
        [service, slice]
    }

    /// The slices of Service `web` for both families; `change` may touch each endpoint by its name.
    pub fn slices(&self, backends: &[&str], change: impl Fn(&str, &mut Value)) -> Vec<Value> {
        let of = |v4: bool| {
            let mut slice = self.rig.slice("web", v4, &[]);
            for name in backends {
                let mut endpoint = match name.strip_prefix('b').map(str::parse) {
                    Some(Ok(number)) => self.rig.slice("web", v4, &[number])["endpoints"][0].take(),
                    _ => json!({
                        "addresses": [if v4 { REMOTE_V4 } else { REMOTE_V6 }], "nodeName": "n2",
                    }),
                };
                endpoint["conditions"] = json!({"ready": true});
                change(name, &mut endpoint);
                let endpoints = slice["endpoints"].as_array_mut().expect("a list");
                endpoints.push(endpoint);
            }
            slice
        };
        vec![of(true), of(false)]
    }

    /// Where somebody is.
    pub fn netns(&self, from: From) -> &Netns {
        match from {
            From::Outside => &self.lan.client,
            From::Pod => &self.client.netns,
            From::Socket => &self.seen.netns,
            From::Node => &self.rig.node.netns,
            From::Itself | From::ItselfSocket => &self.rig.pod(0).netns,
        }
    }

    /// Raw answers.
    pub fn talk(
        &self,
        from: From,
        (how, to, port): (&str, &str, u16),
        times: usize,
    ) -> Result<Vec<String>> {
        let netns = self.netns(from);
        match from {
            From::Outside | From::Pod | From::Itself => {
                self.rig.talk_bare(netns, how, to, port, times)
            }
            From::Socket | From::Node | From::ItselfSocket => {
                self.rig.talk(netns, how, to, port, times)
            }
        }
    }

    /// Asks often, and tells what came of it: who answered, whom they saw, or how nobody did.
    pub fn ask(&self, from: From, at: (&str, &str, u16)) -> Result<String> {
        let failed = |line: &String| line.starts_with("error");
        let mut answers = self.talk(from, at, 1)?;
        if failed(&answers[0]) {
            return Ok(self.tell(&answers));
        }
        answers.extend(self.talk(from, at, MANY)?);
        // Once in a thousand its stage loses one, as where conntrack still has an earlier connection of that port: no
        // verdict of kube-proxy's. Of berth every question has to be answered.
        if !self.is_berth() && answers.iter().any(failed) {
            answers = self.talk(from, at, MANY)?;
        }
        Ok(self.tell(&answers))
    }

    /// Raw answers in the words of the table.
    pub fn tell(&self, answers: &[String]) -> String {
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in answers {
            let (who, as_whom) = match line.split_once(" saw ") {
                Some((name, rest)) => {
                    let client = rest.split(' ').next().unwrap_or_default();
                    (name, format!(" seeing {}", self.name_of(client)))
                }
                None => (in_words(line), String::new()),
            };
            seen.entry(as_whom).or_default().insert(who.to_owned());
        }
        let parts = seen.iter().map(|(as_whom, names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("{}{as_whom}", names.join(", "))
        });
        parts.collect::<Vec<_>>().join("; ")
    }

    /// Whose an address is.
    fn name_of(&self, address: &str) -> String {
        let pods = [
            (&self.client, "the pod"),
            (&self.seen, "the pod"),
            (self.rig.pod(0), "b0"),
            (self.rig.pod(1), "b1"),
        ];
        for (pod, name) in pods {
            if [pod.v4(), pod.v6()]
                .iter()
                .any(|own| own.to_string() == address)
            {
                return name.to_owned();
            }
        }
        match address {
            NODE_V4 | NODE_V6 => "the node".to_owned(),
            CLIENT_V4 | CLIENT_V6 => "the client".to_owned(),
            api::NODE => "the node (its other address)".to_owned(),
            other => other.to_owned(),
        }
    }

    /// What is asked over HTTP: status, the headers whose names are given, body.
    pub fn http(&self, from: From, to: &str, port: u16, headers: &[&str]) -> Result<String> {
        let url = format!("http://{to}:{port}/");
        let words = ["-sSi", "--max-time", "5", &url];
        self.curl(self.netns(from), &words, headers)
    }

    /// What the proxy answers at its own port, at a path.
    pub fn own(&self, path: &str, port: u16) -> Result<(String, String)> {
        let url = format!("http://127.0.0.1:{port}{path}");
        let socket = self.rig.node.state_dir().join("berthd.sock");
        let socket = socket.display().to_string();
        let mut words = vec!["-sS", "--max-time", "5", "-w", "\n%{http_code}", &url];
        if self.is_berth() {
            words.extend(["--unix-socket", &socket]);
        }
        let printed = self.rig.node.netns.output("curl", words)?;
        let (body, status) = printed.rsplit_once('\n').context("no status")?;
        Ok((status.to_owned(), body.to_owned()))
    }

    fn curl(&self, from: &Netns, words: &[&str], headers: &[&str]) -> Result<String> {
        let output = from.command("curl").args(words).output()?;
        match output.status.code() {
            Some(0) => {}
            Some(7) => return Ok("refused".to_owned()),
            Some(28) => return Ok("silence".to_owned()),
            code => return Ok(format!("curl ends with {code:?}")),
        }
        let printed = String::from_utf8(output.stdout)?.replace('\r', "");
        let (head, body) = printed.split_once("\n\n").context("no end of the head")?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let mut told = vec![status.context("no status")?.to_owned()];
        let mut kept: Vec<String> = lines
            .map(str::to_lowercase)
            .filter(|line| headers.iter().any(|name| line.starts_with(name)))
            .collect();
        kept.sort();
        told.extend(kept);
        // What it says, not how it is set.
        let body = body.trim();
        let value = serde_json::from_str::<Value>(body);
        told.push(value.map_or(body.to_owned(), |value| value.to_string()));
        Ok(told.join(", "))
    }

    /// Takes everything down.
    pub fn end(self) -> Result<()> {
        match self.proxy {
            Proxy::Berth => {
                self.rig.node.del_pod(self.client)?;
                self.rig.node.del_pod(self.seen)?;
                self.rig
                    .node
                    .netns
                    .sh(&format!("ip addr del {}/32 dev lo", api::NODE))?;
                self.rig.finish()?;
            }
            Proxy::Kube(mut program) => {
                program.check()?;
                // All that it has made is in the namespace, which goes.
                drop(program);
            }
        }
        Ok(())
    }
}

fn in_words(line: &str) -> &str {
    match line {
        "error ConnectionRefused" => "refused",
        "error TimedOut" | "error WouldBlock" => "silence",
        "error PermissionDenied" => "refused by a rule at send",
        other => other,
    }
}

/// The node, as the API has it.
pub fn node() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "n1", "labels": {
            "kubernetes.io/hostname": "n1", "topology.kubernetes.io/zone": "east",
        }},
        "status": {"addresses": [
            {"type": "InternalIP", "address": NODE_V4}, {"type": "InternalIP", "address": NODE_V6},
        ]},
    })
}

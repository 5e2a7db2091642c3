//! New connections from a pod to another of its node: straight, through a ClusterIP of berth's, and through those of
//! the real kube-proxy, among more and more Services.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tests::node::Pod;
use tests::wait;

use super::goal::Goal;
use super::kube::{Api, Program};
use super::load::{Outcome, Server};
use super::manifests::{self, BACKEND, PORT};
use super::node::ServiceNode;
use crate::interrupt;
use crate::report::{Cell, Table};
use crate::stats::{median, pairwise_ratio, pairwise_ratios, percentile};

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Size {
    /// Numbers of Services, growing.
    pub services: Vec<usize>,
    /// Rounds for each; all contenders in turn.
    pub rounds: usize,
    /// How long each is measured in a round.
    pub millis: u64,
    /// Connections at once.
    pub threads: usize,
}

/// How long a proxy may take to serve what it was told.
const LIMIT: Duration = Duration::from_secs(900);

/// What berth's ClusterIP has to come to of a connection without one.
const OF_DIRECT: Goal = Goal::AtLeast(0.97);
const OF_NFTABLES: Goal = Goal::AtLeast(1.0);

/// Who is measured, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Bare,
    Direct,
    Berth,
    Nftables,
    Iptables,
}

impl Way {
    fn label(self) -> &'static str {
        match self {
            Self::Bare => "direct, a node without proxy",
            Self::Direct => "direct, berth's node",
            Self::Berth => "berth",
            Self::Nftables => "kube-proxy, nftables",
            Self::Iptables => "kube-proxy, iptables",
        }
    }

    /// What it is compared with: the same way without a Service.
    fn direct(self) -> Option<Self> {
        match self {
            Self::Bare | Self::Direct => None,
            Self::Berth => Some(Self::Direct),
            Self::Nftables | Self::Iptables => Some(Self::Bare),
        }
    }
}

/// A node with two pods, one of which answers.
struct Stage {
    // The server ends before its namespace does.
    _server: Server,
    client: Pod,
    backend: Pod,
    proxy: Option<Program>,
    node: ServiceNode,
}

impl Stage {
    fn new(threads: usize) -> Result<Self> {
        let node = ServiceNode::new()?;
        let client = node.node.add_pod("client")?;
        let backend = node.node.add_pod("backend")?;
        let at = SocketAddr::new(backend.v4(), BACKEND);
        let server = backend.netns.run(|| Server::start(at, threads))?;
        Ok(Self {
            _server: server,
            client,
            backend,
            proxy: None,
            node,
        })
    }

    fn address(&self) -> Result<Ipv4Addr> {
        match self.backend.v4() {
            IpAddr::V4(address) => Ok(address),
            IpAddr::V6(address) => anyhow::bail!("{address} is not IPv4"),
        }
    }

    /// Opens connections from its client, within berth's cgroup or outside of it.
    fn load(&self, to: SocketAddr, size: &Size, millis: u64, inside: bool) -> Result<Outcome> {
        let program = program()?.display().to_string();
        let (to, threads, millis) = (to.to_string(), size.threads.to_string(), millis.to_string());
        let words = [
            program.as_str(),
            &to,
            "--threads",
            &threads,
            "--millis",
            &millis,
        ];
        let netns = &self.client.netns;
        let printed = if inside {
            netns.output("sh", self.node.cgroup.inside(&words))?
        } else {
            netns.output(words[0], &words[1..])?
        };
        Outcome::parse(&printed)
    }
}

/// The program that opens connections, beside this one.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("who am I?")?;
    let program = own.with_file_name("bench-load");
    ensure!(
        Path::new(&program).exists(),
        "{} is not built",
        program.display()
    );
    Ok(program)
}

/// All nodes.
struct Field {
    bare: Stage,
    berth: Stage,
    kube: Option<Kube>,
}

/// The real kube-proxy in its modes, and what tells it.
struct Kube {
    nftables: Stage,
    iptables: Option<Stage>,
    api: Api,
}

impl Field {
    fn new(threads: usize) -> Result<Self> {
        let mut berth = Stage::new(threads)?;
        berth.node.start(&[])?;
        let kube = if std::env::var_os(super::kube::VARIABLE).is_some() {
            Some(Kube::new(threads)?)
        } else {
            None
        };
        Ok(Self {
            bare: Stage::new(threads)?,
            berth,
            kube,
        })
    }

    fn stage(&self, way: Way) -> Option<&Stage> {
        match way {
            Way::Bare => Some(&self.bare),
            Way::Direct | Way::Berth => Some(&self.berth),
            Way::Nftables => Some(&self.kube.as_ref()?.nftables),
            Way::Iptables => self.kube.as_ref()?.iptables.as_ref(),
        }
    }

    fn ways(&self) -> Vec<Way> {
        let all = [
            Way::Bare,
            Way::Direct,
            Way::Berth,
            Way::Nftables,
            Way::Iptables,
        ];
        all.into_iter()
            .filter(|way| self.stage(*way).is_some())
            .collect()
    }

    /// Lets there be that many Services everywhere, and waits until each proxy serves the last of them.
    fn grow(&mut self, from: usize, size: &Size, count: usize) -> Result<()> {
        let backend = self.berth.address()?;
        let serves = |number: usize| number == 0 || size.services.contains(&(number + 1));
        let endpoints = |number: usize| match serves(number) {
            true => vec![backend],
            false => vec![manifests::endpoint(number)],
        };
        for number in from..count {
            let text = manifests::text(number, &endpoints(number));
            manifests::put(self.berth.node.folder(), number, &text)?;
        }
        if let Some(kube) = &mut self.kube {
            kube.api.grow(count, endpoints)?;
        }
        for way in self.ways() {
            let Some(stage) = self.stage(way).filter(|_| way.direct().is_some()) else {
                continue;
            };
            for number in [count - 1, 0] {
                let to = SocketAddr::new(manifests::cluster_ip(number).into(), PORT);
                let served = wait::until_ok(LIMIT, "the last Service to be served", || {
                    interrupt::check()?;
                    stage.load(to, size, 1, way == Way::Berth)
                });
                served.with_context(|| match &stage.proxy {
                    Some(proxy) => proxy.said(),
                    None => stage.node.node.berthd_log(),
                })?;
            }
        }
        Ok(())
    }

    fn measure(&self, way: Way, size: &Size) -> Result<Outcome> {
        let stage = self.stage(way).context("a way that there is not")?;
        let to = match way.direct() {
            Some(_) => SocketAddr::new(manifests::cluster_ip(0).into(), PORT),
            None => SocketAddr::new(stage.backend.v4(), BACKEND),
        };
        let outcome = stage.load(to, size, size.millis, way == Way::Berth);
        outcome.with_context(|| way.label())
    }
}

impl Kube {
    fn new(threads: usize) -> Result<Self> {
        let mut api = Api::start()?;
        let mut stage = |mode: &str| -> Result<Stage> {
            let mut stage = Stage::new(threads)?;
            let netns = &stage.node.node.netns;
            stage.proxy = Some(api.proxy(netns, mode, &json!({}))?);
            // It would fill up with connections that are over, which is not what is measured.
            netns.sh("sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=5")?;
            Ok(stage)
        };
        let nftables = stage("nftables")?;
        let has_iptables = nftables.node.node.netns.sh("iptables -t nat -S").is_ok();
        let iptables = has_iptables.then(|| stage("iptables")).transpose()?;
        Ok(Self {
            nftables,
            iptables,
            api,
        })
    }
}

/// What was measured of one way among one number of Services, one value a round.
#[derive(Clone, Default)]
struct Figures {
    rate: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

/// Measures, and makes the table.
///
/// # Errors
/// When a connection fails.
pub fn table(size: &Size) -> Result<Table> {
    let mut field = Field::new(size.threads)?;
    let mut table = heading(size, &field);
    let mut from = 0;
    for &count in &size.services {
        eprintln!("connections: up to {count} Services");
        field.grow(from, size, count)?;
        from = count;
        let ways = field.ways();
        let mut measured: Vec<(Way, Figures)> =
            ways.iter().map(|way| (*way, Figures::default())).collect();
        for round in 0..size.rounds {
            interrupt::check()?;
            let mut turn: Vec<&mut (Way, Figures)> = measured.iter_mut().collect();
            // Whoever comes after whom makes no difference in the end.
            if round % 2 == 1 {
                turn.reverse();
            }
            for (way, figures) in turn {
                let outcome = field.measure(*way, size)?;
                figures.rate.push(outcome.rate);
                figures.p50.push(outcome.p50);
                figures.p99.push(outcome.p99);
            }
        }
        rows(&mut table, count, &measured);
    }
    Ok(table)
}

fn heading(size: &Size, field: &Field) -> Table {
    let mut table = Table::new(
        "New TCP connections from a pod to another of its node",
        &[
            "Services",
            "way",
            "connections",
            "p50",
            "p99",
            "of direct",
            "quartiles",
            "goal",
            "of direct by p50",
            "of nftables",
            "quartiles",
            "goal",
        ],
    )
    .note(format!(
        "connect, 64 bytes there and back, close by the server; {} connection(s) at once, {} rounds of {} ms in turn, medians; ratios of rates: medians of the rounds' ratios",
        size.threads, size.rounds, size.millis
    ))
    .note("by p50: direct's p50 to the way's, which a busy machine disturbs less than the rate")
    .note("of direct: to the backend's own address, on the same node for berth, on a node without proxy for kube-proxy")
    .note("berth: in the socket; one endpoint a Service, one in ten with a NodePort");
    match &field.kube {
        None => table.remark("kube-proxy: not measured, BERTH_KUBE_DIR is not set"),
        Some(kube) if kube.iptables.is_none() => {
            table.remark("kube-proxy's iptables mode: not measured, there is no iptables");
        }
        Some(_) => {}
    }
    table
}

fn rows(table: &mut Table, count: usize, measured: &[(Way, Figures)]) {
    let find = |wanted: Way| measured.iter().find(|(way, _)| *way == wanted);
    for (way, own) in measured {
        let ratios = |to: Option<Way>| -> Vec<f64> {
            let to = to.and_then(find);
            to.map(|(_, figures)| pairwise_ratios(&own.rate, &figures.rate))
                .unwrap_or_default()
        };
        let quartiles = |ratios: &[f64]| match (percentile(ratios, 25.0), percentile(ratios, 75.0))
        {
            (Some(low), Some(high)) => Cell::Text(format!("{low:.3}–{high:.3}")),
            _ => Cell::Nothing,
        };
        let direct = ratios(way.direct());
        // The other way round: as of rates, more is better.
        let to = way.direct().and_then(find);
        let by_median = to.and_then(|(_, to)| pairwise_ratio(&to.p50, &own.p50));
        let nftables = match way {
            Way::Berth | Way::Iptables => ratios(Some(Way::Nftables)),
            _ => Vec::new(),
        };
        let goal = |goal: Goal, ratios: &[f64]| match way {
            Way::Berth => goal.verdict(median(ratios)),
            _ => Cell::Nothing,
        };
        table.row(vec![
            Cell::Count(count as u64),
            Cell::Text(way.label().to_owned()),
            Cell::of(Cell::Rate, median(&own.rate)),
            Cell::of(Cell::Micros, median(&own.p50)),
            Cell::of(Cell::Micros, median(&own.p99)),
            Cell::of(Cell::Ratio, median(&direct)),
            quartiles(&direct),
            goal(OF_DIRECT, &direct),
            Cell::of(Cell::Ratio, by_median),
            Cell::of(Cell::Ratio, median(&nftables)),
            quartiles(&nftables),
            goal(OF_NFTABLES, &nftables),
        ]);
    }
}

//! The real thing to compare with: etcd, kube-apiserver and kube-proxy, each in a namespace, and as many Services as
//! are asked for.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::netns::Netns;
use tests::wait;

use super::manifests::{self, BACKEND, NAMESPACE, PORT};
use crate::interrupt;

/// Environment variable with the folder of etcd, kube-apiserver and kube-proxy: what `rig/kube.sh` prints.
pub const VARIABLE: &str = "BERTH_KUBE_DIR";

/// The server's address, on its loopback device: it is there before any cable is.
const SERVER: &str = "198.18.0.1";

/// Whoever has it may do everything; nobody else is on those cables.
const TOKEN: &str = "bench";

/// How long a program may take to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// How many requests are given to one client at a time, and how many of them are under way at once.
const BATCH: usize = 1000;
const AT_ONCE: usize = 48;

/// A program of the real thing; dropped, it is ended.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    fn start(netns: &Netns, name: &str, log: PathBuf, arguments: &[String]) -> Result<Self> {
        let home = std::env::var_os(VARIABLE)
            .with_context(|| format!("{VARIABLE} is not set: run make bench-services"))?;
        let file = File::create(&log)?;
        let child = netns
            .command(Path::new(&home).join(name))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, log })
    }

    fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("it ended with {status}: {}", self.said()),
            None => Ok(()),
        }
    }

    /// The end of its log.
    pub fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Its state goes with the folder: nothing to end in good order.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A running API server; dropped, it is ended, and etcd with it.
pub struct Api {
    server: Program,
    _etcd: Program,
    netns: Netns,
    folder: TempDir,
    cables: u8,
    /// How many Services it has.
    services: usize,
}

impl Api {
    /// Starts etcd and the server, and waits until it is ready.
    ///
    /// # Errors
    /// When one of them does not run.
    pub fn start() -> Result<Self> {
        let netns = Netns::new("api")?;
        netns.sh(&format!("ip addr add {SERVER}/32 dev lo"))?;
        let folder = tempfile::Builder::new().prefix("berth-bench-").tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let text = |name: &str| path(name).display().to_string();
        fs::write(path("tokens"), format!("{TOKEN},bench,1,system:masters\n"))?;
        netns.sh(&format!(
            "openssl genrsa -out {key} 2048 2>/dev/null && openssl rsa -in {key} -pubout -out {key}.pub 2>/dev/null",
            key = text("accounts")
        ))?;
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{SERVER}:6443"), "insecure-skip-tls-verify": true,
            }}],
            "users": [{"name": "c", "user": {"token": TOKEN}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        });
        fs::write(path("kubeconfig"), kubeconfig.to_string())?;
        #[rustfmt::skip]
        let etcd = [
            "--data-dir", &text("etcd"), "--unsafe-no-fsync", "--log-level", "warn",
            "--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379",
            "--listen-peer-urls", "http://127.0.0.1:2380",
        ]
        .map(str::to_owned);
        let etcd = Program::start(&netns, "etcd", path("etcd.log"), &etcd)?;
        let server = [
            "--etcd-servers=http://127.0.0.1:2379".to_owned(),
            format!("--advertise-address={SERVER}"),
            format!("--cert-dir={}", text("certificates")),
            "--service-cluster-ip-range=10.96.0.0/12".to_owned(),
            format!("--token-auth-file={}", text("tokens")),
            "--authorization-mode=AlwaysAllow".to_owned(),
            format!("--service-account-key-file={}", text("accounts.pub")),
            format!("--service-account-signing-key-file={}", text("accounts")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--profiling=false".to_owned(),
            // Nobody else asks: what protects the server from many clients would only slow this one down.
            "--max-requests-inflight=0".to_owned(),
            "--max-mutating-requests-inflight=0".to_owned(),
            "--enable-priority-and-fairness=false".to_owned(),
        ];
        let server = Program::start(&netns, "kube-apiserver", path("apiserver.log"), &server)?;
        let mut api = Self {
            server,
            _etcd: etcd,
            netns,
            folder,
            cables: 0,
            services: 0,
        };
        wait::until_ok(LIMIT, "the API server to be ready", || {
            let ready = api.curl(&["--fail", &api.url("/readyz")]);
            if ready.is_err() {
                api.server.check()?;
            }
            ready
        })?;
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        api.post_all(&[("/api/v1/namespaces".to_owned(), namespace.to_string())])?;
        Ok(api)
    }

    fn url(&self, path: &str) -> String {
        format!("https://{SERVER}:6443{path}")
    }

    fn curl(&self, words: &[&str]) -> Result<String> {
        let authorization = format!("Authorization: Bearer {TOKEN}");
        let common = ["-sSk", "--max-time", "600", "-H", &authorization];
        self.netns.output("curl", common.iter().chain(words))
    }

    /// Posts bodies to paths, many at once over one connection.
    fn post_all(&self, requests: &[(String, String)]) -> Result<()> {
        let (config, answers) = (
            self.folder.path().join("requests"),
            self.folder.path().join("answers"),
        );
        for batch in requests.chunks(BATCH) {
            interrupt::check()?;
            let mut text = String::new();
            for (index, (path, body)) in batch.iter().enumerate() {
                if index > 0 {
                    text.push_str("next\n");
                }
                let body = body.replace('\\', "\\\\").replace('"', "\\\"");
                write!(
                    text,
                    "url = \"{}\"\ninsecure\nheader = \"Authorization: Bearer {TOKEN}\"\n\
                     header = \"Content-Type: application/json\"\ndata-binary = \"{body}\"\n\
                     output = \"{}\"\nwrite-out = \"%{{http_code}}\\n\"\n",
                    self.url(path),
                    answers.display()
                )?;
            }
            fs::write(&config, text)?;
            let config = config.display().to_string();
            let at_once = AT_ONCE.to_string();
            #[rustfmt::skip]
            let words = [
                "-sS", "--no-progress-meter", "--parallel", "--parallel-max", &at_once, "--config", &config,
            ];
            let printed = self.netns.output("curl", words)?;
            let good = printed.lines().filter(|line| line.starts_with('2')).count();
            ensure!(
                good == batch.len(),
                "{good} of {} requests succeeded: {} {}",
                batch.len(),
                printed
                    .lines()
                    .find(|line| !line.starts_with('2'))
                    .unwrap_or_default(),
                fs::read_to_string(&answers).unwrap_or_default()
            );
        }
        Ok(())
    }

    /// Lets there be that many Services, each with its endpoints as `endpoints` says.
    ///
    /// # Errors
    /// When the server refuses one.
    pub fn grow(
        &mut self,
        count: usize,
        endpoints: impl Fn(usize) -> Vec<std::net::Ipv4Addr>,
    ) -> Result<()> {
        let mut requests = Vec::new();
        for number in self.services..count {
            requests.push((services(), service(number).to_string()));
            requests.push((slices(), slice(number, &endpoints(number)).to_string()));
        }
        self.services = self.services.max(count);
        self.post_all(&requests)
    }

    /// Lets there be one Service, number 0, for UDP.
    ///
    /// # Errors
    /// As [`Api::grow`].
    pub fn grow_udp(&mut self, endpoints: &[std::net::Ipv4Addr]) -> Result<()> {
        let (mut service, mut slice) = (service(0), slice(0, endpoints));
        service["spec"]["ports"][0]["protocol"] = json!("UDP");
        slice["ports"][0]["protocol"] = json!("UDP");
        self.services = 1;
        self.post_all(&[
            (services(), service.to_string()),
            (slices(), slice.to_string()),
        ])
    }

    /// Starts kube-proxy on a node in one of its modes, over a cable of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn proxy(&mut self, node: &Netns, mode: &str, more: &Value) -> Result<Program> {
        self.cables += 1;
        let (cable, number) = (format!("api{}", self.cables), self.cables);
        let address = format!("198.18.{number}.2");
        self.netns.sh(&format!(
            "ip link add {cable} type veth peer name api0 netns {} && ip link set {cable} up && \
             ip addr add 198.18.{number}.1/30 dev {cable}",
            node.path().display()
        ))?;
        node.sh(&format!(
            "ip addr add {address}/30 dev api0 && ip link set api0 up && \
             ip route add {SERVER} via 198.18.{number}.1 && sysctl -qw net.ipv4.ip_forward=1"
        ))?;
        let name = format!("node-{mode}");
        let object = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"addresses": [{"type": "InternalIP", "address": address}]},
        });
        self.post_all(&[("/api/v1/nodes".to_owned(), object.to_string())])?;
        let mut config = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "mode": mode, "hostnameOverride": name, "clusterCIDR": "10.88.0.0/16",
            "clientConnection": {"kubeconfig": self.folder.path().join("kubeconfig"), "contentType": "application/vnd.kubernetes.protobuf"},
            "conntrack": {
                "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
                "udpTimeout": "0s", "udpStreamTimeout": "0s",
            },
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        let path = self.folder.path().join(format!("{name}.yaml"));
        fs::write(&path, config.to_string())?;
        let arguments = [format!("--config={}", path.display())];
        let log = self.folder.path().join(format!("{name}.log"));
        Program::start(node, "kube-proxy", log, &arguments)
    }
}

/// Where Services and slices are made.
fn services() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/services")
}

fn slices() -> String {
    format!("/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices")
}

fn service(number: usize) -> Value {
    let ip = manifests::cluster_ip(number).to_string();
    let mut port = json!({"name": "http", "port": PORT, "protocol": "TCP"});
    let mut spec = json!({"clusterIP": ip, "clusterIPs": [ip], "ipFamilies": ["IPv4"]});
    if let Some(number) = manifests::node_port(number) {
        port["nodePort"] = json!(number);
        spec["type"] = json!("NodePort");
    }
    spec["ports"] = json!([port]);
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": manifests::name(number), "namespace": NAMESPACE}, "spec": spec,
    })
}

fn slice(number: usize, endpoints: &[std::net::Ipv4Addr]) -> Value {
    let name = manifests::name(number);
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|address| json!({"addresses": [address], "conditions": {"ready": true}}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{name}-abcde"), "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4", "endpoints": endpoints,
        "ports": [{"name": "http", "port": BACKEND, "protocol": "TCP"}],
    })
}
